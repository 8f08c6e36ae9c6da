//! All routes, in the order of the rooms; and the parameters that rooms share.

use actix_web::{dev::HttpServiceFactory, web};
use rapport_domain::journal::JournalEntry;
use rapport_persistence::people::Deleted;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::{OpenApiFactory, service_config::ServiceConfig};

use crate::{activity, commerce, feed, filters, health, insight, people, problems, render::ListPage, sales, workspace};

/// Takes routes, either to serve them or to describe them: each thread of the server has its own, and the document is made
/// once.
pub(crate) trait Routes {
    fn service(&mut self, route: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self;
}

impl Routes for web::ServiceConfig {
    fn service(&mut self, route: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self {
        self.service(route)
    }
}

impl Routes for ServiceConfig<'_> {
    fn service(&mut self, route: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self {
        self.service(route)
    }
}

/// Where the routes of rooms begin.
pub(crate) const VERSION: &str = "/v1";

/// The routes below [`VERSION`].
pub(crate) fn rooms(routes: &mut impl Routes) {
    workspace::configure(routes);
    people::configure(routes);
    sales::configure(routes);
    activity::configure(routes);
    commerce::configure(routes);
    insight::configure(routes);
    filters::configure(routes);
    feed::configure(routes);
}

/// The routes that belong to no version.
pub(crate) fn beside(routes: &mut impl Routes) {
    routes
        .service(workspace::tokens::issue_token)
        .service(workspace::tokens::list_token_keys)
        .service(problems::get_problem)
        .service(health::get_liveness)
        .service(health::get_readiness);
}

/// A page of a history.
pub(crate) type JournalEntryPage = ListPage<JournalEntry>;

/// Which part of a history is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// Most entries of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub(crate) cursor: Option<String>,
}

/// Whether a deleted record is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeletedInRead {
    #[default]
    Exclude,
    Include,
}

impl From<DeletedInRead> for Deleted {
    fn from(deleted: DeletedInRead) -> Self {
        match deleted {
            DeletedInRead::Exclude => Self::Exclude,
            DeletedInRead::Include => Self::Include,
        }
    }
}
