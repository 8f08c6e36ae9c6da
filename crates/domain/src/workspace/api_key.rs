//! API keys: with what programs sign in.

use chrono::{DateTime, SubsecRound, Utc};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{RefOr, Schema, Type, schema::ObjectBuilder},
};
use uuid::Uuid;

use crate::{
    access::{Permission, Permissions},
    id::{ApiKeyId, UserId},
    problem::{Fields, Invalid},
    record::Stamp,
};

/// A key with which a program signs in. The key itself is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ApiKey {
    /// Identifies the key.
    #[schema(value_type = Uuid)]
    pub id: ApiKeyId,
    /// Grows by one with each change; also the ETag. Use does not count as a change.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// When the record was created.
    pub created_at: DateTime<Utc>,
    /// When the record was changed last.
    pub updated_at: DateTime<Utc>,
    /// User or API key that created the record; null for the system.
    pub created_by: Option<Uuid>,
    /// User or API key that changed the record last; null for the system.
    pub updated_by: Option<Uuid>,
    /// What the key is for.
    #[schema(example = "Web shop")]
    pub name: String,
    /// What the key may do; null for everything.
    #[schema(value_type = Option<Vec<PermissionScope>>, example = json!(["contacts:read", "contacts:write"]))]
    pub scopes: Option<Vec<String>>,
    /// User with whose rights the key acts, as far as its scopes go, for as long as the user is active. Null for a key of
    /// the workspace.
    #[schema(value_type = Option<Uuid>)]
    pub user_id: Option<UserId>,
    /// When the key ends; null for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Networks from which the key may be used; empty for all.
    #[schema(example = json!(["203.0.113.0/24", "2001:db8::/32"]))]
    pub allowed_addresses: Vec<String>,
    /// When the key was used last, to a minute; null when it never was.
    pub last_used_at: Option<DateTime<Utc>>,
    /// From where the key was used last.
    #[schema(example = "203.0.113.9")]
    pub last_used_address: Option<String>,
    /// When the key was revoked; null while it lives.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The secrets that are valid now, the newest first: two while one takes the place of the other.
    pub secrets: Vec<ApiKeySecret>,
}

/// One of the secrets of a key, without the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKeySecret {
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; null for as long as the key lives.
    #[schema(required)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key with what its program sends: shown this once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IssuedApiKey {
    #[serde(flatten)]
    pub api_key: ApiKey,
    /// The key, to be sent as `Authorization: Bearer <key>`. Keep it safe: nobody can show it again.
    #[schema(example = "rk_0197a1b23c4d7e5f8a9b0c1d2e3f4a5b_…_1f2e3d4c")]
    pub key: String,
}

/// A key to be made.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "name": "Web shop", "scopes": ["contacts:read", "contacts:write"], "allowed_addresses": ["203.0.113.0/24"]
}))]
pub struct NewApiKey {
    /// What the key is for.
    #[schema(required, min_length = 1, max_length = 200)]
    pub name: String,
    /// What the key may do; null for everything.
    #[schema(value_type = Option<Vec<PermissionScope>>, max_items = 200)]
    pub scopes: Option<Vec<String>>,
    /// User with whose rights the key acts: you, or anybody when you are an administrator. Null for a key of the
    /// workspace.
    #[schema(value_type = Option<Uuid>)]
    pub user_id: Option<UserId>,
    /// When the key ends; null for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Networks (203.0.113.0/24) or addresses from which the key may be used; empty for all.
    #[schema(value_type = Vec<NetworkText>, max_items = 50)]
    pub allowed_addresses: Vec<String>,
}

/// Changes to a key, as JSON Merge Patch: absent fields stay, null clears, lists are replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"name": "Web shop in Linz", "allowed_addresses": ["203.0.113.0/24"]}))]
pub struct ApiKeyPatch {
    /// What the key is for.
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// What the key may do; null for everything.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Vec<PermissionScope>>, max_items = 200)]
    pub scopes: Option<Option<Vec<String>>>,
    /// User with whose rights the key acts: you, or anybody when you are an administrator. Null for a key of the
    /// workspace.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub user_id: Option<Option<UserId>>,
    /// When the key ends; null for never.
    #[serde(with = "::serde_with::rust::double_option")]
    pub expires_at: Option<Option<DateTime<Utc>>>,
    /// Networks from which the key may be used. Null is an empty list, which allows all.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Vec<NetworkText>>, max_items = 50)]
    pub allowed_addresses: Option<Option<Vec<String>>>,
}

/// How a key gets a new secret.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"overlap_hours": 24}))]
pub struct ApiKeyRotation {
    /// Hours for which the secret until now stays valid beside the new one; 0 ends it at once.
    #[schema(minimum = 0, maximum = 720, default = 24)]
    pub overlap_hours: i64,
}

impl Default for ApiKeyRotation {
    fn default() -> Self {
        Self { overlap_hours: 24 }
    }
}

/// Which keys to list.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApiKeyQuery {
    /// Whether revoked keys are listed.
    #[param(inline = false)]
    pub revoked: RevokedInList,
    /// Only keys that act for this user. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub user_id: Vec<UserId>,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

/// Whether revoked keys are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevokedInList {
    /// Those that live.
    #[default]
    Exclude,
    /// Those that live and those that were revoked.
    Include,
    /// Those that were revoked.
    Only,
}

/// A scope: the schema alone.
pub struct PermissionScope;

impl PartialSchema for PermissionScope {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).description(Some("A scope, like `contacts:read`."));
        text.min_length(Some(1)).max_length(Some(64)).into()
    }
}

impl ToSchema for PermissionScope {}

/// A network: the schema alone.
pub struct NetworkText;

impl PartialSchema for NetworkText {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A network like `203.0.113.0/24` or `2001:db8::/32`, or one address."));
        text.min_length(Some(1)).max_length(Some(64)).into()
    }
}

impl ToSchema for NetworkText {}

impl ApiKey {
    /// A new key with its first secret.
    pub fn create(new: NewApiKey, id: ApiKeyId, stamp: Stamp) -> Result<Self, Invalid> {
        let key = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            name: new.name,
            scopes: new.scopes,
            user_id: new.user_id,
            expires_at: new.expires_at,
            allowed_addresses: new.allowed_addresses,
            last_used_at: None,
            last_used_address: None,
            revoked_at: None,
            secrets: vec![ApiKeySecret { created_at: stamp.at, expires_at: None }],
        };
        let ends_at_once = key.expires_at.is_some_and(|ends| ends <= stamp.at);
        let mut fields = Fields::default();
        if ends_at_once {
            fields.refuse("/expires_at", "in_the_past", "This time has passed. Name a later one, or null.");
        }
        key.checked(fields)
    }

    /// The key as it is after a patch.
    pub fn patch(&self, patch: ApiKeyPatch) -> Result<Self, Invalid> {
        let key = Self {
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            scopes: patch.scopes.unwrap_or_else(|| self.scopes.clone()),
            user_id: patch.user_id.unwrap_or(self.user_id),
            expires_at: patch.expires_at.unwrap_or(self.expires_at),
            allowed_addresses: patch
                .allowed_addresses
                .map_or_else(|| self.allowed_addresses.clone(), Option::unwrap_or_default),
            last_used_address: self.last_used_address.clone(),
            secrets: self.secrets.clone(),
            ..*self
        };
        key.checked(Fields::default())
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// What its scopes allow.
    pub fn permissions(&self) -> Permissions {
        permissions(self.scopes.as_deref())
    }

    fn checked(mut self, mut fields: Fields) -> Result<Self, Invalid> {
        self.name = self.name.trim().to_owned();
        if self.name.is_empty() {
            fields.refuse("/name", "required", "Say what the key is for.");
        }
        for (index, scope) in self.scopes.iter().flatten().enumerate() {
            if Permission::from_scope(scope).is_none() {
                let known: Vec<_> = Permission::ALL.iter().map(|permission| permission.scope()).collect();
                let detail = format!("There is no scope {scope}. There are: {}.", known.join(", "));
                fields.refuse(format!("/scopes/{index}"), "unknown_scope", detail);
            }
        }
        if let Some(scopes) = &mut self.scopes {
            tidy(scopes);
        }
        for (index, network) in self.allowed_addresses.iter_mut().enumerate() {
            match read_network(network) {
                Some(read) => *network = read.to_string(),
                None => {
                    let detail = "This is no network. Write it like 203.0.113.0/24, 2001:db8::/32 or 203.0.113.9.";
                    fields.refuse(format!("/allowed_addresses/{index}"), "invalid_network", detail);
                }
            }
        }
        tidy(&mut self.allowed_addresses);
        self.expires_at = self.expires_at.map(|ends| ends.trunc_subsecs(6));
        let last = DateTime::from_timestamp(LAST_INSTANT, 0);
        if self.expires_at > last && last.is_some() {
            fields.refuse("/expires_at", "out_of_range", "Name a time before the year 10000, or null for never.");
        }
        fields.verdict().map(|()| self)
    }
}

/// The end of the year 9999: RFC 3339 can't write more.
const LAST_INSTANT: i64 = 253_402_300_799;

/// What scopes allow; none for everything.
pub fn permissions(scopes: Option<&[String]>) -> Permissions {
    match scopes {
        None => Permission::ALL.iter().copied().collect(),
        Some(scopes) => scopes.iter().filter_map(|scope| Permission::from_scope(scope)).collect(),
    }
}

/// A network as people write it; a bare address is the network of itself. What is beside the prefix is left out.
pub fn read_network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    network.map(|network| network.trunc())
}

/// Each once, in the order given.
fn tidy(texts: &mut Vec<String>) {
    let mut seen: Vec<String> = Vec::with_capacity(texts.len());
    texts.retain(|text| {
        let is_new = !seen.contains(text);
        if is_new {
            seen.push(text.clone());
        }
        is_new
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Source;

    fn create(new: NewApiKey) -> Result<ApiKey, Invalid> {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        ApiKey::create(new, ApiKeyId::mint(), Stamp::new(at, None, Source::Api))
    }

    fn problems(new: NewApiKey) -> Vec<(String, String)> {
        let problems = create(new).unwrap_err().into_problems().into_iter();
        problems.map(|problem| (problem.pointer.unwrap(), problem.code)).collect()
    }

    #[test]
    fn networks_are_written_in_one_way() {
        let networks =
            ["203.0.113.9/24", "203.0.113.0/24", "2001:DB8::1", " 10.0.0.1 "].map(ToOwned::to_owned).to_vec();
        let key =
            create(NewApiKey { name: "x".to_owned(), allowed_addresses: networks, ..NewApiKey::default() }).unwrap();
        assert_eq!(key.allowed_addresses, ["203.0.113.0/24", "2001:db8::1/128", "10.0.0.1/32"]);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let new = NewApiKey {
            name: "  ".to_owned(),
            scopes: Some(vec!["contacts:read".to_owned(), "contacts:fly".to_owned()]),
            expires_at: DateTime::from_timestamp(1_700_000_000, 0),
            allowed_addresses: vec!["300.0.0.0/8".to_owned()],
            user_id: None,
        };
        let expected = [
            ("/expires_at", "in_the_past"),
            ("/name", "required"),
            ("/scopes/1", "unknown_scope"),
            ("/allowed_addresses/0", "invalid_network"),
        ];
        assert_eq!(problems(new), expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    }

    #[test]
    fn a_patch_keeps_what_it_does_not_name() {
        let key = create(NewApiKey { name: "x".to_owned(), scopes: Some(vec![]), ..NewApiKey::default() }).unwrap();
        let patched = key.patch(ApiKeyPatch { name: Some("y".to_owned()), ..ApiKeyPatch::default() }).unwrap();
        assert_eq!(ApiKey { name: "x".to_owned(), ..patched }, key);
        let open = key.patch(ApiKeyPatch { scopes: Some(None), ..ApiKeyPatch::default() }).unwrap();
        assert_eq!(open.permissions().scopes().len(), Permission::ALL.len());
        assert_eq!(key.permissions().scopes().len(), 0);
    }
}
