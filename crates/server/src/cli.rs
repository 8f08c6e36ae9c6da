//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser};
use ipnet::IpNet;
use rapport_domain::{access::Permission, people::PeopleResource};
use rapport_http::auth::OutsideOptions;
use rapport_worker::Beside;

/// A headless CRM: one central, lasting record of every customer, spoken over HTTP.
#[derive(Debug, Parser)]
#[command(
    name = "rapport",
    version,
    about = "A headless CRM: one central, lasting record of every customer, spoken over HTTP",
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API, and do the background work in the same process
    Serve(Box<ServeOptions>),
    /// Do the background work alone
    Worker(WorkerOptions),
    /// Bring the database's schema to this version
    Migrate(MigrateOptions),
    /// Print the OpenAPI document
    Openapi(OpenapiOptions),
    /// Import contacts or companies from a CSV file
    Import(ImportOptions),
    /// Export contacts or companies to a CSV file
    Export(ExportOptions),
    /// Manage workspaces, users and keys
    Admin(AdminOptions),
}

/// Which database to use
#[derive(Clone, Debug, Args)]
pub(crate) struct DatabaseOptions {
    /// Postgres (15 to 18) to use instead of a private one, such as postgresql://user:password@host/database.
    /// DATABASE_URL is read, too
    #[arg(long, value_name = "URL", env = "RAPPORT_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Folder of the private Postgres and its data
    #[arg(long, value_name = "FOLDER", env = "RAPPORT_DATA_DIR", default_value = ".rapport")]
    pub(crate) data_dir: PathBuf,
}

impl DatabaseOptions {
    /// The database that was named, on the command line or in the environment.
    pub(crate) fn url(&self) -> Option<String> {
        let url = self.database_url.clone().or_else(|| std::env::var("DATABASE_URL").ok());
        url.filter(|url| !url.trim().is_empty())
    }
}

/// How the change feed is kept and sent
#[derive(Clone, Debug, Args)]
pub(crate) struct FeedOptions {
    /// Days after which changes leave the change feed, so that who follows it from before that has to begin anew. They stay
    /// in the histories of their records
    #[arg(
        long = "feed-retention-days",
        value_name = "DAYS",
        env = "RAPPORT_FEED_RETENTION_DAYS",
        default_value = "90",
        value_parser = clap::value_parser!(u32).range(1..=36500)
    )]
    feed_retention_days: u32,
    /// Send to webhooks on this machine, too: those at http://localhost or a loopback address. For tests and for trying out
    #[arg(long = "webhooks-on-loopback", env = "RAPPORT_WEBHOOKS_ON_LOOPBACK")]
    webhooks_on_loopback: bool,
}

impl FeedOptions {
    /// What the worker has to know.
    pub(crate) fn worker(&self, beside: Beside) -> rapport_worker::WorkerOptions {
        let feed_retention = Duration::from_secs(u64::from(self.feed_retention_days) * 24 * 60 * 60);
        rapport_worker::WorkerOptions { beside, feed_retention, webhooks_on_loopback: self.webhooks_on_loopback }
    }
}

#[derive(Debug, Args)]
pub(crate) struct OpenapiOptions {
    /// Version of OpenAPI in which it is written
    #[arg(long, value_name = "VERSION", default_value = "3.1")]
    pub(crate) version: OpenapiVersion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OpenapiVersion {
    /// The document that the server checks requests against
    #[value(name = "3.1")]
    Newest,
    /// The same for generators that do not read 3.1, as far as 3.0 can say it
    #[value(name = "3.0")]
    Compatible,
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// Address and port of the API
    #[arg(long, value_name = "ADDRESS", env = "RAPPORT_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
    /// Create the workspace `demo` with sample data, and print an API key for it
    #[arg(long, env = "RAPPORT_DEMO")]
    pub(crate) demo: bool,
    /// Leave the background work to `rapport worker`
    #[arg(long, env = "RAPPORT_NO_WORKER")]
    pub(crate) no_worker: bool,
    #[command(flatten)]
    pub(crate) feed: FeedOptions,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", env = "RAPPORT_LOG_FORMAT", default_value = "pretty")]
    pub(crate) log_format: LogFormat,
    /// Address and port where Prometheus reads /metrics; nowhere unless given
    #[arg(long, value_name = "ADDRESS", env = "RAPPORT_METRICS_LISTEN")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Origin whose web pages may call the API from browsers, such as https://app.example.com. Repeat for several
    #[arg(long = "cors-origin", value_name = "ORIGIN", env = "RAPPORT_CORS_ORIGIN", value_delimiter = ',')]
    pub(crate) cors_origins: Vec<String>,
    /// Network of a proxy in front, such as 10.0.0.0/8: the callers that it names in X-Forwarded-For are believed. Repeat
    /// for several
    #[arg(long = "trusted-proxy", value_name = "CIDR", env = "RAPPORT_TRUSTED_PROXIES", value_delimiter = ',')]
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Requests a minute of one API key or one user; 0 for no limit
    #[arg(long, value_name = "NUMBER", env = "RAPPORT_RATE_LIMIT_KEY", default_value_t = 6000)]
    pub(crate) rate_limit_key: u32,
    /// Requests a minute of all callers of one workspace; 0 for no limit
    #[arg(long, value_name = "NUMBER", env = "RAPPORT_RATE_LIMIT_WORKSPACE", default_value_t = 30000)]
    pub(crate) rate_limit_workspace: u32,
    /// Requests a minute of one address without valid credentials; 0 for no limit
    #[arg(long, value_name = "NUMBER", env = "RAPPORT_RATE_LIMIT_ADDRESS", default_value_t = 600)]
    pub(crate) rate_limit_address: u32,
    /// Requests a minute for one capture form, whoever sends them; 0 for no limit
    #[arg(long, value_name = "NUMBER", env = "RAPPORT_RATE_LIMIT_FORM", default_value_t = 600)]
    pub(crate) rate_limit_form: u32,
    /// Folder in which mails are laid down as files, for a program of yours to deliver. Without it, outbox in --data-dir;
    /// with --database-url, mails are not delivered
    #[arg(long, value_name = "FOLDER", env = "RAPPORT_OUTBOX")]
    pub(crate) outbox: Option<PathBuf>,
    /// Where your pages are, such as https://crm.example.com: mails link to /accept-invite and /reset-password there.
    /// Without it, mails hold the bare token
    #[arg(long, value_name = "URL", env = "RAPPORT_PUBLIC_URL", value_parser = public_url)]
    pub(crate) public_url: Option<String>,
    /// Connections to the database; about twice to four times the processor's cores are best
    #[arg(long, value_name = "NUMBER", env = "RAPPORT_CONNECTIONS", value_parser = clap::value_parser!(u32).range(2..=200))]
    pub(crate) connections: Option<u32>,
    #[command(flatten)]
    pub(crate) outside: OutsideIssuerOptions,
    /// Use a private Postgres in a temporary folder, faster but not safe, and delete it in the end. For tests
    #[arg(long, env = "RAPPORT_EPHEMERAL", conflicts_with = "database_url")]
    pub(crate) ephemeral: bool,
    /// Stop when standard input closes, which it does when whoever started the server is gone. For tests
    #[arg(long, env = "RAPPORT_STOP_WITH_STDIN")]
    pub(crate) stop_with_stdin: bool,
}

/// An identity provider whose tokens are taken
#[derive(Clone, Debug, Args)]
pub(crate) struct OutsideIssuerOptions {
    /// Take tokens of this identity provider, too: the `iss` of its tokens, such as https://login.example.com. Their users
    /// have to exist, with the e-mail address that the provider has verified
    #[arg(
        long = "oidc-issuer",
        value_name = "ISSUER",
        env = "RAPPORT_OIDC_ISSUER",
        requires_all = ["oidc_audience", "oidc_jwks_url"]
    )]
    oidc_issuer: Option<String>,
    /// The `aud` that the provider's tokens have for Rapport
    #[arg(long = "oidc-audience", value_name = "AUDIENCE", env = "RAPPORT_OIDC_AUDIENCE", requires = "oidc_issuer")]
    oidc_audience: Option<String>,
    /// Where the provider publishes its keys, such as https://login.example.com/jwks.json. Never inside: addresses of this
    /// machine and of private networks are refused
    #[arg(long = "oidc-jwks-url", value_name = "URL", env = "RAPPORT_OIDC_JWKS_URL", requires = "oidc_issuer")]
    oidc_jwks_url: Option<String>,
    /// The claim of the provider's tokens that holds the name of the workspace
    #[arg(
        long = "oidc-workspace-claim",
        value_name = "CLAIM",
        env = "RAPPORT_OIDC_WORKSPACE_CLAIM",
        default_value = "workspace"
    )]
    oidc_workspace_claim: String,
    /// Seconds during which the provider's keys are not fetched again, whatever keys tokens name
    #[arg(
        long = "oidc-refetch-after",
        value_name = "SECONDS",
        env = "RAPPORT_OIDC_REFETCH_AFTER",
        default_value = "30",
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    oidc_refetch_after: u64,
    /// Fetch the provider's keys without TLS, if they are on this machine. For tests
    #[arg(long = "oidc-insecure-loopback", env = "RAPPORT_OIDC_INSECURE_LOOPBACK")]
    oidc_insecure_loopback: bool,
}

impl OutsideIssuerOptions {
    /// The provider; none unless one was named.
    pub(crate) fn provider(&self) -> Option<OutsideOptions> {
        Some(OutsideOptions {
            issuer: self.oidc_issuer.clone()?,
            audience: self.oidc_audience.clone()?,
            jwks_url: self.oidc_jwks_url.clone()?,
            workspace_claim: self.oidc_workspace_claim.clone(),
            refetch_after: Duration::from_secs(self.oidc_refetch_after),
            insecure_loopback: self.oidc_insecure_loopback,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct WorkerOptions {
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
    #[command(flatten)]
    pub(crate) feed: FeedOptions,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", env = "RAPPORT_LOG_FORMAT", default_value = "pretty")]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateOptions {
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
    /// Only say what was applied and what is pending
    #[arg(long, env = "RAPPORT_STATUS")]
    pub(crate) status: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportOptions {
    /// What the rows of the file are
    pub(crate) kind: TableKind,
    /// CSV file in UTF-8 or Latin-1, separated by commas, semicolons or tabs, with the names of its columns in the first
    /// line
    #[arg(value_name = "FILE.csv")]
    pub(crate) file: PathBuf,
    /// Name of the workspace; not needed while there is only one
    #[arg(long, value_name = "NAME", env = "RAPPORT_WORKSPACE")]
    pub(crate) workspace: Option<String>,
    /// Take this column for this field, whatever its name: --map Firma=job_title. Repeat for several; a wrong field
    /// lists those there are
    #[arg(long = "map", value_name = "COLUMN=FIELD", env = "RAPPORT_MAP", value_parser = column_and_field)]
    pub(crate) map: Vec<(String, String)>,
    /// Update the record with the same e-mail address or external id instead of creating a second one
    #[arg(long = "match", value_name = "BY", env = "RAPPORT_MATCH")]
    pub(crate) match_by: Option<ImportMatch>,
    /// Say what would happen, and change nothing
    #[arg(long, env = "RAPPORT_DRY_RUN")]
    pub(crate) dry_run: bool,
    /// Write the rows that don't go in to this file, each with line, column and reason
    #[arg(long, value_name = "FILE", env = "RAPPORT_ERRORS")]
    pub(crate) errors: Option<PathBuf>,
    /// What to do with a row whose e-mail address or telephone number is known, without --match
    #[arg(long, value_name = "WHAT", env = "RAPPORT_ON_DUPLICATE", default_value = "refuse")]
    pub(crate) on_duplicate: ImportDuplicates,
    /// Import a file once more that was imported before, which creates every record a second time
    #[arg(long, env = "RAPPORT_AGAIN")]
    pub(crate) again: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

#[derive(Debug, Args)]
pub(crate) struct ExportOptions {
    /// What to export: all that are not deleted, the oldest first
    pub(crate) kind: TableKind,
    /// CSV file to write, in UTF-8, with the names of the fields in the first line, which `rapport import` understands.
    /// Standard output without it
    #[arg(value_name = "FILE.csv")]
    pub(crate) file: Option<PathBuf>,
    /// Name of the workspace; not needed while there is only one
    #[arg(long, value_name = "NAME", env = "RAPPORT_WORKSPACE")]
    pub(crate) workspace: Option<String>,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

/// What the rows of a file are
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableKind {
    /// People
    Contacts,
    /// Organisations
    Companies,
}

impl From<TableKind> for PeopleResource {
    fn from(kind: TableKind) -> Self {
        match kind {
            TableKind::Contacts => Self::Contacts,
            TableKind::Companies => Self::Companies,
        }
    }
}

/// By what a row is recognised as a record that is known
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum ImportMatch {
    /// The first e-mail address
    Email,
    /// The id in the system that the file comes from
    ExternalId,
}

/// What to do with somebody who is known
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportDuplicates {
    /// Leave the row out, as an error
    Refuse,
    /// Create a second record
    Allow,
}

fn public_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_sound = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['#', '?', ' ']));
    is_sound.then(|| text.to_owned()).ok_or_else(|| "write it like https://crm.example.com".to_owned())
}

fn column_and_field(text: &str) -> Result<(String, String), String> {
    let (column, field) = text.rsplit_once('=').ok_or("write it as COLUMN=FIELD, like Firma=job_title")?;
    Ok((column.to_owned(), field.to_owned()))
}

#[derive(Debug, Args)]
pub(crate) struct AdminOptions {
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Create a workspace; prints its id
    CreateWorkspace {
        /// Small letters, digits and hyphens
        name: String,
        /// Country in which telephone numbers without country code are dialled, such as DE
        #[arg(long, value_name = "CODE", env = "RAPPORT_COUNTRY")]
        country: Option<String>,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Create a user; prints the password unless one was given
    CreateUser {
        /// Name of the workspace
        #[arg(long, value_name = "NAME", env = "RAPPORT_WORKSPACE")]
        workspace: String,
        /// E-mail address with which the user signs in
        #[arg(long, value_name = "ADDRESS", env = "RAPPORT_EMAIL")]
        email: String,
        /// Name of a role of the workspace, which says what the user may do: admin, manager, agent, read_only or one of
        /// its own
        #[arg(long, env = "RAPPORT_ROLE")]
        role: String,
        /// Name to show; the e-mail address unless given
        #[arg(long, value_name = "NAME", env = "RAPPORT_NAME")]
        name: Option<String>,
        /// Read the password from the first line of standard input instead of making one
        #[arg(long, env = "RAPPORT_PASSWORD_STDIN")]
        password_stdin: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Create an API key; prints the key, which is never shown again
    CreateApiKey {
        /// Name of the workspace
        #[arg(long, value_name = "NAME", env = "RAPPORT_WORKSPACE")]
        workspace: String,
        /// What the key is for
        #[arg(long, value_name = "NAME", env = "RAPPORT_NAME")]
        name: String,
        /// What the key may do. Repeat for several; everything unless given
        #[arg(long = "scope", value_name = "SCOPE", env = "RAPPORT_SCOPE", value_delimiter = ',', value_parser = scopes())]
        scopes: Vec<String>,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Make a new key for access tokens, which all servers sign with two minutes later; prints its name
    RotateSigningKey {
        /// Forget the old keys at once, because somebody else may have them: access tokens that are out end within a minute,
        /// and clients go on with their refresh tokens
        #[arg(long, env = "RAPPORT_FORGET_OLD")]
        forget_old: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Revoke an API key, for good
    RevokeApiKey {
        /// Id of the key, which is its first part after rk_, or the whole key
        key: String,
        #[command(flatten)]
        database: DatabaseOptions,
    },
}

/// How log lines look
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Pretty,
    /// One JSON object a line, for programs
    Json,
}

fn scopes() -> PossibleValuesParser {
    PossibleValuesParser::new(Permission::ALL.iter().map(|permission| permission.scope()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_a_variable_and_a_word_of_help() {
        fn check(command: &clap::Command) {
            for option in command.get_arguments().filter(|option| option.get_long().is_some()) {
                let name = option.get_id();
                if ["help", "version"].contains(&name.as_str()) {
                    continue;
                }
                let variable = option.get_env().and_then(|variable| variable.to_str()).unwrap_or_default();
                assert!(variable.starts_with("RAPPORT_"), "{} {name} has no variable", command.get_name());
                assert!(option.get_help().is_some(), "{} {name} has no help", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
