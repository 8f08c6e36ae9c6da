//! All routes, in the order of the rooms; and the parameters that rooms share.

use rapport_domain::journal::JournalEntry;
use rapport_persistence::people::Deleted;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::{scope, service_config::ServiceConfig};

use crate::{activity, commerce, feed, filters, health, insight, people, problems, render::ListPage, sales, workspace};

/// Feeds the server and the document alike.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(
            scope("/v1")
                .configure(workspace::configure)
                .configure(people::configure)
                .configure(sales::configure)
                .configure(activity::configure)
                .configure(commerce::configure)
                .configure(insight::configure)
                .configure(filters::configure)
                .configure(feed::configure),
        )
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
