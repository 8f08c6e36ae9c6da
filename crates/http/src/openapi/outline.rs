//! What a server has to know of the published document when it starts. As values, all of it would take ten times its size, and
//! what stays would lie scattered among what goes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{METHODS, Published};
use crate::schemas::Components;

pub(crate) struct Outline {
    /// By their addresses and methods.
    pub(crate) operations: BTreeMap<String, BTreeMap<&'static str, Described>>,
    pub(crate) components: Arc<Components>,
}

/// An operation, as far as it concerns requests.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    pub(crate) operation_id: Option<String>,
    #[serde(default)]
    pub(crate) parameters: Vec<Value>,
    pub(crate) security: Option<Vec<Value>>,
    request_body: Option<Body>,
}

#[derive(Deserialize)]
struct Body {
    content: BTreeMap<String, Media>,
}

#[derive(Deserialize)]
struct Media {
    schema: Reference,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "$ref")]
    address: Option<String>,
}

impl Outline {
    pub(crate) fn of(published: &Published) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document<'t> {
            #[serde(borrow)]
            paths: BTreeMap<String, BTreeMap<String, &'t RawValue>>,
            #[serde(borrow)]
            components: Named<'t>,
        }
        #[derive(Deserialize)]
        struct Named<'t> {
            #[serde(borrow)]
            schemas: HashMap<&'t str, &'t RawValue>,
        }
        let document: Document<'_> =
            serde_json::from_str(published.text).map_err(|error| format!("openapi/openapi.json: {error}"))?;
        let mut operations = BTreeMap::new();
        for (address, item) in document.paths {
            let described = METHODS.iter().filter_map(|method| {
                let described = serde_json::from_str(item.get(*method)?.get());
                Some(described.map(|described| (*method, described)).map_err(|error| format!("{address}: {error}")))
            });
            let described = described.collect::<Result<_, _>>()?;
            operations.insert(address, described);
        }
        Ok(Self { operations, components: Arc::new(Components(document.components.schemas)) })
    }

    /// The names of the schemas of request bodies.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &str> {
        let described = self.operations.values().flat_map(BTreeMap::values);
        let media = described.flat_map(|described| &described.request_body).flat_map(|body| body.content.values());
        media.filter_map(|media| media.schema.address.as_deref()?.rsplit('/').next())
    }
}
