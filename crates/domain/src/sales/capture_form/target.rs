//! What the field of a form can be of a lead.

use crate::text;

/// The fields of leads that forms ask for, each with its place in a new lead.
const OWN: &[(&str, &str)] = &[
    ("salutation", "/salutation"),
    ("first_name", "/first_name"),
    ("middle_name", "/middle_name"),
    ("last_name", "/last_name"),
    ("job_title", "/job_title"),
    ("company_name", "/company_name"),
    ("email", "/emails/0/address"),
    ("phone", "/phones/0/number"),
    ("street", "/addresses/0/street"),
    ("city", "/addresses/0/city"),
    ("region", "/addresses/0/region"),
    ("postal_code", "/addresses/0/postal_code"),
    ("country", "/addresses/0/country"),
    ("website", "/website"),
    ("industry", "/industry"),
    ("employee_range", "/employee_range"),
];

/// By which of them a lead is known.
const NAMES: &[&str] = &["first_name", "last_name", "company_name", "email", "phone"];

/// What the field of a form is of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'t> {
    /// One of those that all leads have: its name here, and its place in a new lead.
    Own(&'static str, &'static str),
    /// One that the workspace has added, by its key.
    Custom(&'t str),
}

impl<'t> Target<'t> {
    /// The one of this name, if forms ask for it.
    pub(super) fn of(name: &'t str) -> Option<Self> {
        if let Some(key) = name.strip_prefix("custom.") {
            return text::is_key(key).then_some(Self::Custom(key));
        }
        OWN.iter().find(|(own, _)| *own == name).map(|(own, place)| Self::Own(own, place))
    }

    /// The names of those that all leads have.
    pub(super) fn names() -> String {
        OWN.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Its place in a new lead, as a JSON Pointer.
    pub(super) fn place(self) -> String {
        match self {
            Self::Own(_, place) => place.to_owned(),
            Self::Custom(key) => format!("/custom/{key}"),
        }
    }

    /// The field of the lead that it belongs to, which a role may close.
    pub(super) fn record_field(self) -> &'static str {
        match self {
            Self::Own(_, place) => place[1..].split('/').next().unwrap_or_default(),
            Self::Custom(_) => "custom",
        }
    }

    /// Whether a lead is known by it.
    pub(super) fn names_somebody(self) -> bool {
        matches!(self, Self::Own(name, _) if NAMES.contains(&name))
    }
}
