//! `rapport admin`

use std::io::stdin;

use rapport_domain::{
    record::Source,
    standards,
    workspace::{api_key::NewApiKey, user::NewUser},
};
use rapport_http::auth::{api_key, password, signing};
use rapport_persistence::{
    Db, Scope,
    workspace::{
        api_keys, roles,
        signing_keys::Old,
        users,
        workspaces::{self, Workspace},
    },
};

use super::block_on;
use crate::{
    cli::{AdminCommand, AdminOptions, DatabaseOptions},
    database::Database,
    failure::Failure,
    terminal,
};

/// Manages workspaces, users and keys. What was made is printed alone on standard output.
pub(crate) fn run(options: AdminOptions) -> Result<(), Failure> {
    let made = match options.command {
        AdminCommand::CreateWorkspace { name, country, database } => {
            with_database(&database, async |db| create_workspace(db, &name, country.as_deref()).await)?
        }
        AdminCommand::CreateUser { workspace, email, role, name, password_stdin, database } => {
            if !standards::is_email(&email) {
                return Err(Failure::said(format!("{email} is not an e-mail address: write it like anna@example.com")));
            }
            let given = if password_stdin { Some(read_password()?) } else { None };
            let name = name.unwrap_or_else(|| email.clone());
            with_database(&database, async |db| {
                create_user(db, &workspace, &role, NewUser { email, name, ..NewUser::default() }, given).await
            })?
        }
        AdminCommand::CreateApiKey { workspace, name, scopes, database } => {
            with_database(&database, async |db| create_api_key(db, &workspace, &name, &scopes).await.map(Some))?
        }
        AdminCommand::RotateSigningKey { forget_old, database } => {
            let old = if forget_old { Old::Forget } else { Old::Keep };
            with_database(&database, async |db| Ok(Some(signing::rotate(db, old).await?.to_string())))?
        }
        AdminCommand::RevokeApiKey { key, database } => {
            with_database(&database, async |db| revoke_api_key(db, &key).await.map(|()| None))?
        }
    };
    if let Some(made) = made {
        terminal::result(&made);
    }
    Ok(())
}

fn with_database<T>(
    options: &DatabaseOptions,
    work: impl AsyncFnOnce(&Db) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let database = Database::for_command(options)?;
    database.make_current()?;
    let done = block_on(async {
        let db = database.open(Some(2)).await?;
        work(&db).await
    });
    database.close()?;
    done
}

async fn create_workspace(db: &Db, name: &str, country: Option<&str>) -> Result<Option<String>, Failure> {
    if let Some(country) = country.filter(|country| !standards::is_country(country)) {
        return Err(Failure::said(format!("{country} is not a country: write its ISO 3166-1 code, like DE")));
    }
    Ok(Some(workspaces::create(db, name, country).await?.id.to_string()))
}

/// Creates a user, and says the password if it was made here.
async fn create_user(
    db: &Db,
    workspace: &str,
    role: &str,
    mut new: NewUser,
    given: Option<String>,
) -> Result<Option<String>, Failure> {
    let workspace = find_workspace(db, workspace).await?;
    let scope = Scope::of_system(workspace.id, Source::Api, workspace.country.clone());
    let password = match &given {
        Some(password) => password.clone(),
        None => api_key::random_text().map_err(Failure::said)?,
    };
    let password_hash = password::hash(&password).map_err(Failure::said)?;
    let role = role.to_owned();
    let created = db.write(&scope, move |writer| {
        let Some(found) = roles::find(writer, &role)? else { return Ok(Err(roles::names(writer)?)) };
        new.role_ids = vec![found.id];
        users::create_active(writer, new, password_hash).map(Ok)
    });
    created.await?.map_err(|names| Failure::said(format!("there is no such role; there are: {}", names.join(", "))))?;
    Ok(given.is_none().then_some(password))
}

/// Creates an API key for a workspace and gives it, the only time that it can be seen.
pub(crate) async fn create_api_key(db: &Db, workspace: &str, name: &str, scopes: &[String]) -> Result<String, Failure> {
    let workspace = find_workspace(db, workspace).await?;
    let scope = Scope::of_system(workspace.id, Source::Api, workspace.country.clone());
    let api_key::Minted { id, key, secret_hash } = api_key::mint().map_err(Failure::said)?;
    let scopes = (!scopes.is_empty()).then(|| scopes.to_vec());
    let new = NewApiKey { name: name.to_owned(), scopes, ..NewApiKey::default() };
    db.write(&scope, move |writer| api_keys::create(writer, new, id, secret_hash)).await?;
    Ok(key)
}

/// Ends a key for good.
async fn revoke_api_key(db: &Db, key: &str) -> Result<(), Failure> {
    let id = api_key::id_in(key)
        .ok_or_else(|| Failure::said("this is no API key: give its id, or the whole key, which begins with rk_"))?;
    let workspace = api_keys::workspace_of(db, id)
        .await?
        .ok_or_else(|| Failure::said(format!("there is no API key with the id {id}")))?;
    let scope = Scope::of_system(workspace, Source::Api, None);
    let revoked = db.write(&scope, move |writer| api_keys::revoke(writer, id, None)).await?;
    terminal::note(&format!("The key \"{}\" is revoked. Servers notice within five seconds.", revoked.name));
    Ok(())
}

/// The workspace of this name, or a sentence that names those there are.
pub(crate) async fn find_workspace(db: &Db, name: &str) -> Result<Workspace, Failure> {
    if let Some(workspace) = workspaces::find(db, name).await? {
        return Ok(workspace);
    }
    let names = workspaces::names(db).await?;
    let known = match names.as_slice() {
        [] => "there is none yet: create one with `rapport admin create-workspace NAME`".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    };
    Err(Failure::said(format!("there is no workspace {name}; {known}")))
}

fn read_password() -> Result<String, Failure> {
    let mut line = String::new();
    stdin().read_line(&mut line).map_err(|error| Failure::said(format!("the password can't be read: {error}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.chars().count() < 12 {
        return Err(Failure::said("a password needs at least 12 characters"));
    }
    Ok(password.to_owned())
}
