//! Connections, and what they are set to.
//!
//! Searches, reports and pages of the feed run with other settings than the rest. A connection keeps what it was set to until a statement wants
//! something else, so that where one search follows another, nothing is set in between.

use std::cell::{Cell, RefCell};

use diesel::{
    Connection, PgConnection, QueryResult, RunQueryDsl,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    pg::Pg,
    query_builder::QueryFragment,
    r2d2::{ConnectionManager, Error},
};
use r2d2::ManageConnection;

use crate::prepared::Texts;

/// Said once for each connection, so that no request pays for it.
const SESSION: &str = "SET statement_timeout = '15s'; SET lock_timeout = '5s'; \
                       SET idle_in_transaction_session_timeout = '30s'; SET timezone = 'UTC'; SET jit = off; \
                       SET application_name = 'rapport'";

/// Said at the beginning of a snapshot.
const PATIENCE: &str = "SET LOCAL statement_timeout = '10min'; SET LOCAL idle_in_transaction_session_timeout = 0";

/// Said before a search by a filter, and what takes it back.
const SEARCH: &str = "SET statement_timeout = '2s'; SET plan_cache_mode = force_custom_plan; SET work_mem = '128MB'";
const AFTER_SEARCH: &str = "SET statement_timeout = '15s'; RESET plan_cache_mode; RESET work_mem; ";
/// The same of a report. The planner takes months and days, which are no columns, for far more groups than there are, and would
/// not let a second process help to put rows together: 171 instead of 132 ms for a forecast of 200,000 opportunities.
const REPORT: &str = "SET statement_timeout = '2s'; SET plan_cache_mode = force_custom_plan; SET work_mem = '128MB'; \
                      SET max_parallel_workers_per_gather = 1; SET parallel_setup_cost = 100; \
                      SET parallel_tuple_cost = 0.0001";
const AFTER_REPORT: &str = "SET statement_timeout = '15s'; RESET plan_cache_mode; RESET work_mem; \
                            RESET max_parallel_workers_per_gather; RESET parallel_setup_cost; RESET parallel_tuple_cost; ";
/// Said before a search by the beginnings of words and before a page of the feed. Left to itself, the database would plan many of
/// them anew and find the same plan, because it expects different numbers of rows.
const ONE_PLAN: &str = "SET plan_cache_mode = force_generic_plan";
const AFTER_ONE_PLAN: &str = "RESET plan_cache_mode; ";
/// What takes back the settings of a search by trigrams.
const AFTER_TRIGRAMS: &str = "RESET plan_cache_mode; RESET pg_trgm.word_similarity_threshold; ";

/// What a connection is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Settings {
    /// For nearly everything.
    Usual,
    /// For a search by a filter: each statement is planned for its own values, has memory for what it groups, and is given up
    /// when it takes longer than a search may.
    Search,
    /// For a report: the same, and two processes where that helps.
    Report,
    /// For statements of which one plan serves all values.
    OnePlan,
    /// For a search by trigrams: each statement is planned for its own words (a cached plan can be 20 times slower), and words
    /// resemble each other from this likeness on, from 0 to 1.
    Trigrams(f32),
}

impl Settings {
    /// What leads from one to another.
    fn change(self, to: Self) -> String {
        let back = match self {
            Self::Usual => "",
            Self::Search => AFTER_SEARCH,
            Self::Report => AFTER_REPORT,
            Self::OnePlan => AFTER_ONE_PLAN,
            Self::Trigrams(_) => AFTER_TRIGRAMS,
        };
        match to {
            Self::Usual => back.to_owned(),
            Self::Search => format!("{back}{SEARCH}"),
            Self::Report => format!("{back}{REPORT}"),
            Self::OnePlan => format!("{back}{ONE_PLAN}"),
            Self::Trigrams(likeness) => format!(
                "{back}SET plan_cache_mode = force_custom_plan; SET pg_trgm.word_similarity_threshold = {likeness}"
            ),
        }
    }
}

/// A connection of the pool.
pub(super) struct Session {
    pg: PgConnection,
    state: State,
}

/// What is known of a connection.
struct State {
    /// What it is set to; none once it is not to be lent again.
    set: Cell<Option<Settings>>,
    /// Of searches by a filter.
    texts: RefCell<Texts>,
}

impl Session {
    /// The connection, to be set to whatever its statements want.
    pub(super) fn link(&mut self) -> Link<'_> {
        Link { pg: &mut self.pg, state: &self.state, wanted: Settings::Usual }
    }

    /// Whether the database answers.
    pub(super) fn is_alive(&mut self) -> bool {
        diesel::sql_query("SELECT 1").execute(&mut self.pg).is_ok()
    }

    /// The pool drops the connection on return instead of lending it again.
    pub(super) fn discard(&mut self) {
        self.state.set.set(None);
    }
}

/// A connection in use, and what its statements want it to be set to.
pub(super) struct Link<'c> {
    pg: &'c mut PgConnection,
    state: &'c State,
    wanted: Settings,
}

impl Link<'_> {
    /// The connection, set as is wanted. One that can't be set is not lent again after this.
    pub(super) fn pg(&mut self) -> &mut PgConnection {
        if let Some(set) = self.state.set.get()
            && set != self.wanted
        {
            match self.pg.batch_execute(&set.change(self.wanted)) {
                Ok(()) => self.state.set.set(Some(self.wanted)),
                Err(error) => {
                    tracing::warn!(%error, "a connection can't be set and is given up");
                    self.state.set.set(None);
                }
            }
        }
        self.pg
    }

    /// The same connection for a while.
    pub(super) fn lend(&mut self) -> Link<'_> {
        Link { pg: &mut *self.pg, state: self.state, wanted: self.wanted }
    }

    /// Wants other settings from now on, and tells those that were wanted before.
    pub(super) fn want(&mut self, settings: Settings) -> Settings {
        std::mem::replace(&mut self.wanted, settings)
    }

    /// Whether a statement is to be kept prepared that is one of many. Only in a search by a filter, which plans each for its
    /// values all the same.
    pub(super) fn keeps(&self, statement: &impl QueryFragment<Pg>) -> QueryResult<bool> {
        Ok(self.wanted == Settings::Search && self.state.texts.borrow_mut().keep(statement)?)
    }

    /// Whether what is done now is a part of a transaction.
    pub(super) fn is_in_transaction(&mut self) -> bool {
        let status = AnsiTransactionManager::transaction_manager_status_mut(&mut *self.pg);
        status.transaction_depth().is_ok_and(|depth| depth.is_some())
    }

    /// Works in a transaction, or in a part of one that can be taken back by itself.
    pub(super) fn transaction<T, E: From<diesel::result::Error>>(
        &mut self,
        work: impl FnOnce(Link<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.taken_back_as_one(|pg, state, wanted| pg.transaction(|pg| work(Link { pg, state, wanted })))
    }

    /// Works on everything as it is at one moment, however long that takes.
    pub(super) fn snapshot<T, E: From<diesel::result::Error>>(
        &mut self,
        work: impl FnOnce(Link<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.taken_back_as_one(|pg, state, wanted| {
            pg.build_transaction().repeatable_read().read_only().run(|pg| {
                pg.batch_execute(PATIENCE)?;
                work(Link { pg, state, wanted })
            })
        })
    }

    /// What is set in a transaction that is taken back is taken back with it.
    fn taken_back_as_one<T, E>(
        &mut self,
        run: impl FnOnce(&mut PgConnection, &State, Settings) -> Result<T, E>,
    ) -> Result<T, E> {
        let (state, wanted) = (self.state, self.wanted);
        let pg = self.pg();
        let before = state.set.get();
        run(pg, state, wanted).inspect_err(|_| state.set.set(state.set.get().and(before)))
    }
}

/// Makes connections.
pub(super) struct Sessions(ConnectionManager<PgConnection>);

impl Sessions {
    pub(super) fn new(url: &str) -> Self {
        Self(ConnectionManager::new(url))
    }
}

impl ManageConnection for Sessions {
    type Connection = Session;
    type Error = Error;

    fn connect(&self) -> Result<Session, Error> {
        let mut pg = self.0.connect()?;
        pg.batch_execute(SESSION).map_err(Error::QueryError)?;
        Ok(Session { pg, state: State { set: Cell::new(Some(Settings::Usual)), texts: RefCell::default() } })
    }

    fn is_valid(&self, session: &mut Session) -> Result<(), Error> {
        self.0.is_valid(&mut session.pg)
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        session.state.set.get().is_none() || self.0.has_broken(&mut session.pg)
    }
}
