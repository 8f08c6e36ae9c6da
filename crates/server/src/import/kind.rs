//! What is different about importing contacts and companies.

use rapport_domain::{
    id::{CompanyId, ContactId},
    people::{
        company::{Company, CompanyPatch, NewCompany},
        contact::{Contact, ContactPatch, NewContact},
        contact_point::{EmailAddress, email_key},
        import::Row,
    },
    problem::FieldProblem,
    record::Stamp,
};
use rapport_persistence::{
    StoreError, Writer,
    import::{Draft, Rules, Verdict},
    people::{companies, contacts},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Check;

/// By what rows are judged before they get to the database.
pub(super) struct Judge {
    pub(super) check: Check,
    /// Country in which telephone numbers without country code are dialled.
    pub(super) country: Option<String>,
    /// Whether rows may be changes to known records.
    pub(super) matches: bool,
}

/// A kind of record that can be imported.
pub(super) trait Kind {
    type Record: Send;
    type Patch: Send;

    /// What a row would become. The error is what is wrong with the row whatever it means.
    fn draft(row: Row, judge: &Judge, stamp: Stamp) -> Result<Draft<Self::Record, Self::Patch>, Vec<FieldProblem>>;

    /// The match keys of a draft as a new record.
    fn keys(draft: &Draft<Self::Record, Self::Patch>) -> Vec<String>;

    /// Keeps others from taking the match keys of a chunk.
    fn reserve(
        writer: &mut Writer<'_>,
        drafts: &[Draft<Self::Record, Self::Patch>],
        rules: &Rules,
    ) -> Result<(), StoreError>;

    /// Writes a chunk.
    fn import(
        writer: &mut Writer<'_>,
        drafts: &[Draft<Self::Record, Self::Patch>],
        rules: &Rules,
    ) -> Result<Vec<Verdict>, StoreError>;
}

pub(super) struct Contacts;

impl Kind for Contacts {
    type Record = Contact;
    type Patch = ContactPatch;

    fn draft(mut row: Row, judge: &Judge, stamp: Stamp) -> Result<Draft<Contact, ContactPatch>, Vec<FieldProblem>> {
        refuse((judge.check)(&mut row.value))?;
        let patch: ContactPatch = if judge.matches { read(&row.value)? } else { ContactPatch::default() };
        let new: NewContact = read(&row.value)?;
        let email_key = first_email(&new.emails);
        let fresh = Contact::create(new, ContactId::mint(), stamp, judge.country.as_deref());
        Ok(Draft { fresh, patch, email_key, external_id: row.external_id })
    }

    fn keys(draft: &Draft<Contact, ContactPatch>) -> Vec<String> {
        draft.fresh.as_ref().map_or_else(|_| Vec::new(), Contact::match_keys)
    }

    fn reserve(
        writer: &mut Writer<'_>,
        drafts: &[Draft<Contact, ContactPatch>],
        rules: &Rules,
    ) -> Result<(), StoreError> {
        contacts::reserve(writer, drafts, rules)
    }

    fn import(
        writer: &mut Writer<'_>,
        drafts: &[Draft<Contact, ContactPatch>],
        rules: &Rules,
    ) -> Result<Vec<Verdict>, StoreError> {
        contacts::import(writer, drafts, rules)
    }
}

pub(super) struct Companies;

impl Kind for Companies {
    type Record = Company;
    type Patch = CompanyPatch;

    fn draft(mut row: Row, judge: &Judge, stamp: Stamp) -> Result<Draft<Company, CompanyPatch>, Vec<FieldProblem>> {
        // A row that changes a known company needs no name; whether a new one has its name is for its own rules to say.
        match row.value.get("name") {
            Some(_) => refuse((judge.check)(&mut row.value))?,
            None => {
                let mut named = row.value.clone();
                named["name"] = json!("-");
                refuse((judge.check)(&mut named))?;
            }
        }
        let patch: CompanyPatch = if judge.matches { read(&row.value)? } else { CompanyPatch::default() };
        let new: NewCompany = read(&row.value)?;
        let email_key = first_email(&new.emails);
        let fresh = Company::create(new, CompanyId::mint(), stamp, judge.country.as_deref());
        Ok(Draft { fresh, patch, email_key, external_id: row.external_id })
    }

    fn keys(draft: &Draft<Company, CompanyPatch>) -> Vec<String> {
        draft.fresh.as_ref().map_or_else(|_| Vec::new(), Company::match_keys)
    }

    fn reserve(
        writer: &mut Writer<'_>,
        drafts: &[Draft<Company, CompanyPatch>],
        rules: &Rules,
    ) -> Result<(), StoreError> {
        companies::reserve(writer, drafts, rules)
    }

    fn import(
        writer: &mut Writer<'_>,
        drafts: &[Draft<Company, CompanyPatch>],
        rules: &Rules,
    ) -> Result<Vec<Verdict>, StoreError> {
        companies::import(writer, drafts, rules)
    }
}

fn refuse(problems: Vec<FieldProblem>) -> Result<(), Vec<FieldProblem>> {
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Vec<FieldProblem>> {
    T::deserialize(value)
        .map_err(|error| vec![FieldProblem::at("", "unparsable_row", format!("The row can't be read: {error}."))])
}

fn first_email(emails: &[EmailAddress]) -> Option<String> {
    emails.first().map(|email| email_key(&email.address))
}
