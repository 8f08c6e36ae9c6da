//! All routes, in the order of the rooms; and the parameters that rooms share.

use std::collections::BTreeMap;

use actix_web::{
    dev::HttpServiceFactory,
    guard::{self, Guard},
    web,
};
use rapport_domain::journal::JournalEntry;
use rapport_persistence::people::Deleted;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::{OpenApiFactory, service_config::ServiceConfig};

use crate::{activity, commerce, feed, filters, health, insight, people, problems, render::ListPage, sales, workspace};

/// An operation at its address.
pub(crate) trait Route: HttpServiceFactory + OpenApiFactory + utoipa::Path + 'static {}

impl<R: HttpServiceFactory + OpenApiFactory + utoipa::Path + 'static> Route for R {}

/// Takes routes, either to serve them or to describe them: each thread of the server has its own, and the document is made
/// once.
pub(crate) trait Routes {
    fn service<R: Route>(&mut self, route: R) -> &mut Self;
}

impl Routes for ServiceConfig<'_> {
    fn service<R: Route>(&mut self, route: R) -> &mut Self {
        self.service(route)
    }
}

/// Routes to be served, by the look of their addresses. An address is an expression that is tried on requests, and there are
/// many: a request tries those alone that look as its own does.
#[derive(Default)]
pub(crate) struct Served(BTreeMap<(String, usize), Vec<Registration>>);

type Registration = Box<dyn FnOnce(&mut web::ServiceConfig)>;

impl Routes for Served {
    fn service<R: Route>(&mut self, route: R) -> &mut Self {
        let register = move |config: &mut web::ServiceConfig| {
            config.service(route);
        };
        let address = R::path();
        let (first, parts) = look(&address);
        self.0.entry((first.to_owned(), parts)).or_default().push(Box::new(register));
        self
    }
}

/// Serves routes whose addresses stand below another one.
pub(crate) fn serve(below: &'static str, add: impl FnOnce(&mut Served)) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        let mut served = Served::default();
        add(&mut served);
        for ((first, parts), registrations) in served.0 {
            let looks_so = looks_so(format!("{below}/{first}"), parts);
            let register = |config: &mut web::ServiceConfig| registrations.into_iter().for_each(|add| add(config));
            config.service(web::scope("").guard(looks_so).configure(register));
        }
    }
}

/// Whether an address begins like this and has so many parts, counted from the last of the beginning. A request asks one after the
/// other, and most say no at the first letter that differs.
fn looks_so(beginning: String, parts: usize) -> impl Guard {
    guard::fn_guard(move |context| {
        let rest = context.head().uri.path().strip_prefix(beginning.as_str());
        rest.is_some_and(|rest| (rest.is_empty() || rest.starts_with('/')) && rest.matches('/').count() + 1 == parts)
    })
}

/// The first part of an address, which is never a parameter, and how many parts there are.
fn look(address: &str) -> (&str, usize) {
    let address = address.strip_prefix('/').unwrap_or(address);
    (address.split('/').next().unwrap_or_default(), address.split('/').count())
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
