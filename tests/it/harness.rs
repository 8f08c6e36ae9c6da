//! One server for all tests, a workspace for each, and callers who speak to it.

pub mod caller;
mod chance;
pub mod contract;
pub mod forge;
mod listener;
mod process;
pub mod receiver;

use std::{
    env,
    sync::{LazyLock, atomic::AtomicU32, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types::Jsonb};
use rapport_domain::{
    access::StandardRole,
    id::WorkspaceId,
    record::Source,
    workspace::{api_key::NewApiKey, user::NewUser},
};
use rapport_http::auth::{api_key, password};
use rapport_persistence::{
    Clock, Db, DbOptions, Scope,
    workspace::{api_keys, roles, users, workspaces},
};
use serde_json::Value;
use tokio::runtime::Runtime;

pub use caller::{Answer, Caller, JSON};
pub use chance::Chance;
pub use listener::{Listener, events};
pub use process::{Rapport, rapport, start};

/// The server that all tests share. Its private Postgres goes when the tests are over, however they end; with
/// DATABASE_URL, it uses that database instead.
static SHARED: LazyLock<Shared> = LazyLock::new(Shared::start);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

struct Shared {
    server: Rapport,
    db: Db,
}

impl Shared {
    fn start() -> Self {
        let server = match env::var("DATABASE_URL") {
            Ok(url) => {
                let migrated = rapport(&["migrate", "--database-url", &url]);
                assert!(migrated.status.success(), "{migrated:?}");
                Rapport::serve(&["--database-url", &url])
            }
            Err(_) => Rapport::serve(&["--ephemeral"]),
        };
        let options = DbOptions { connections: 4, ..DbOptions::default() };
        let db = Db::open(&server.database_url(), &options, Clock::system());
        let db = RUNTIME.block_on(db.unlock()).unwrap();
        Self { server, db }
    }
}

/// The address of the shared server.
pub fn base() -> String {
    SHARED.server.base.clone()
}

/// The URL of the shared server's database.
pub fn database_url() -> String {
    SHARED.server.database_url()
}

/// A fresh database beside the shared one.
pub fn fresh_database(name: &str) -> String {
    let mut pg = PgConnection::establish(&database_url()).unwrap();
    sql_query(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).execute(&mut pg).unwrap();
    sql_query(format!("CREATE DATABASE {name}")).execute(&mut pg).unwrap();
    let url = database_url();
    let (before, options) =
        url.split_once('?').map_or((url.as_str(), String::new()), |(url, options)| (url, format!("?{options}")));
    let (server, _) = before.rsplit_once('/').unwrap();
    format!("{server}/{name}{options}")
}

/// Does something with the shared server's database that no operation does.
pub fn in_database<T>(work: impl AsyncFnOnce(&Db) -> T) -> T {
    RUNTIME.block_on(work(&SHARED.db))
}

/// Does something with the shared server's database at a time that `clock` tells.
pub fn in_database_at<T>(clock: Clock, work: impl AsyncFnOnce(&Db) -> T) -> T {
    RUNTIME.block_on(async {
        let options = DbOptions { connections: 2, ..DbOptions::default() };
        let db = Db::open(&database_url(), &options, clock).unlock().await.unwrap();
        work(&db).await
    })
}

/// Changes the shared server's database behind its back.
pub fn change_database(statement: &str) {
    let mut pg = PgConnection::establish(&database_url()).unwrap();
    sql_query(statement).execute(&mut pg).unwrap();
}

/// Whether the shared server's database finds a row.
pub fn is_in_database(query: &str) -> bool {
    let mut pg = PgConnection::establish(&database_url()).unwrap();
    sql_query(query).execute(&mut pg).unwrap() > 0
}

/// A workspace for one test.
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
}

impl Workspace {
    /// An empty one, in Germany.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = uuid::Uuid::now_v7().simple().to_string();
        let name = format!("test-{}-{}", COUNT.fetch_add(1, Ordering::Relaxed), &unique[20..]);
        let workspace = RUNTIME.block_on(workspaces::create(&SHARED.db, &name, Some("DE"))).unwrap();
        Self { id: workspace.id, name }
    }

    /// The one that a caller calls theirs.
    pub fn of(summary: &Value) -> Self {
        let id = WorkspaceId::from_uuid(summary["id"].as_str().unwrap().parse().unwrap());
        Self { id, name: summary["name"].as_str().unwrap().to_owned() }
    }

    /// A program that may do everything.
    pub fn admin(&self) -> Caller {
        self.program(None)
    }

    /// A program that may do what these scopes name, and nothing else.
    pub fn scoped(&self, scopes: &[&str]) -> Caller {
        self.program(Some(scopes))
    }

    fn program(&self, scopes: Option<&[&str]>) -> Caller {
        let api_key::Minted { id, key, secret_hash } = api_key::mint().unwrap();
        let scopes = scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect());
        let new = NewApiKey { name: "test".to_owned(), scopes, ..NewApiKey::default() };
        let scope = self.scope();
        let created = SHARED.db.write(&scope, move |writer| api_keys::create(writer, new, id, secret_hash));
        RUNTIME.block_on(created).unwrap();
        Caller::new(&base(), Some(key))
    }

    /// For work on the database that no operation does.
    pub fn scope(&self) -> Scope {
        Scope::of_system(self.id, Source::Api, Some("DE".to_owned()))
    }

    /// A user with a password, who has not signed in yet; gives the id.
    pub fn user(&self, email: &str, role: StandardRole, secret: &str) -> String {
        let (email, password_hash) = (email.to_owned(), password::hash(secret).unwrap());
        let scope = self.scope();
        let created = SHARED.db.write(&scope, move |writer| {
            let role_ids = vec![roles::find(writer, role.as_str())?.unwrap().id];
            let new = NewUser { email: email.clone(), name: email, role_ids, team_ids: Vec::new() };
            users::create_active(writer, new, password_hash)
        });
        RUNTIME.block_on(created).unwrap().id.to_string()
    }

    /// A user of this role who has signed in.
    pub fn signed_in(&self, role: StandardRole) -> Caller {
        let email = format!("{}@example.com", role.as_str());
        self.user(&email, role, "a long enough password");
        self.sign_in(&email, "a long enough password")
    }

    /// Signs a user in.
    pub fn sign_in(&self, email: &str, secret: &str) -> Caller {
        let answer = self.login(email, secret);
        answer.expect(200);
        Caller::new(&base(), Some(answer.body["access_token"].as_str().unwrap().to_owned()))
    }

    /// Says whether a user can sign in, behind the server's back.
    pub fn set_state(&self, user: &str, state: &str) {
        change_database(&format!("UPDATE users SET state = '{state}' WHERE id = '{user}'"));
    }

    /// What the audit of the workspace holds, the oldest first.
    pub fn audit(&self) -> Vec<Value> {
        #[derive(QueryableByName)]
        struct Line {
            #[diesel(sql_type = Jsonb)]
            line: Value,
        }
        let query =
            "SELECT to_jsonb(journal) AS line FROM journal WHERE is_audit AND workspace_id = $1 ORDER BY at, id";
        let mut pg = PgConnection::establish(&database_url()).unwrap();
        let query = sql_query(query).bind::<diesel::sql_types::Uuid, _>(self.id.uuid());
        query.load::<Line>(&mut pg).unwrap().into_iter().map(|line| line.line).collect()
    }

    /// Everything that the database holds of the workspace, apart from what changes by being looked at or by itself.
    pub fn everything(&self) -> Vec<Value> {
        #[derive(QueryableByName)]
        struct Line {
            #[diesel(sql_type = Jsonb)]
            line: Value,
        }
        let mut pg = PgConnection::establish(&database_url()).unwrap();
        let tables = "SELECT to_jsonb(table_name::text) AS line FROM information_schema.columns \
                      WHERE table_schema = 'public' AND column_name = 'workspace_id' \
                      AND table_name NOT IN ('feed_heads', 'feed_positions', 'feed_waiting', 'scorings', \
                      'lead_scores', 'lead_score_changes', 'webhook_states', 'webhook_deliveries') \
                      ORDER BY table_name";
        let tables = sql_query(tables).load::<Line>(&mut pg).unwrap();
        let rows = |table: &str| {
            format!(
                "SELECT jsonb_build_object('{table}', to_jsonb(t) - ARRAY['last_used_at', 'score']) AS line \
                 FROM {table} AS t WHERE workspace_id = '{}'",
                self.id.uuid()
            )
        };
        let queries: Vec<String> = tables.iter().map(|table| rows(table.line.as_str().unwrap())).collect();
        let query = format!("SELECT line FROM ({}) AS all_rows ORDER BY line::text", queries.join(" UNION ALL "));
        sql_query(query).load::<Line>(&mut pg).unwrap().into_iter().map(|line| line.line).collect()
    }

    /// What a user of the workspace is answered who signs in.
    pub fn login(&self, email: &str, password: &str) -> Answer {
        let login = serde_json::json!({"workspace": self.name, "email": email, "password": password});
        anonymous().post("/v1/auth/login", &login)
    }
}

/// Lets a share end now, which no operation does: a share is made to end later.
pub fn end_share(id: &str) {
    let id: uuid::Uuid = id.parse().unwrap();
    change_database(&format!("UPDATE record_shares SET expires_at = created_at WHERE id = '{id}'"));
}

/// Waits until every change in the workspace of a caller has its place in the feed.
pub fn wait_for_positions(caller: &Caller) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while caller.get("/v1/changes?from=head").body["lag_ms"] != 0 {
        assert!(Instant::now() < deadline, "no positions were given");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A workspace and a program that may do everything in it.
pub fn workspace() -> (Workspace, Caller) {
    let workspace = Workspace::new();
    let admin = workspace.admin();
    (workspace, admin)
}

/// Somebody without credentials, who calls from an address of their own: strangers at one address are counted together.
pub fn anonymous() -> Caller {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let [_, a, b, c] = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Caller::new(&base(), None).at(&format!("10.{a}.{b}.{c}"))
}
