//! Importing contacts.

use rapport_domain::{
    people::{
        contact::{Contact, ContactPatch},
        import,
    },
    problem::Invalid,
    record::Stamp,
};

use crate::{
    StoreError, Writer,
    import::{Draft, Imported, MatchBy, Rules, Verdict, apply},
};

/// Keeps others from giving anybody the mailboxes and lines of a chunk. Goes into the transaction that writes it.
pub fn reserve(
    writer: &mut Writer<'_>,
    drafts: &[Draft<Contact, ContactPatch>],
    rules: &Rules,
) -> Result<(), StoreError> {
    crate::import::reserve(writer, drafts, rules)
}

/// Writes a chunk of rows, and says in their order what came of each. Goes into a transaction with the step of the run.
pub fn import(
    writer: &mut Writer<'_>,
    drafts: &[Draft<Contact, ContactPatch>],
    rules: &Rules,
) -> Result<Vec<Verdict>, StoreError> {
    apply(writer, drafts, rules)
}

impl Imported for Contact {
    fn imported(
        &self,
        patch: &ContactPatch,
        stamp: Stamp,
        country: Option<&str>,
        match_by: Option<MatchBy>,
    ) -> Result<Self, Invalid> {
        let mut after = self.patch(patch.clone(), stamp, country)?;
        import::keep_emails(&mut after.emails, &self.emails, match_by == Some(MatchBy::Email));
        import::keep_phones(&mut after.phones, &self.phones);
        import::keep_addresses(&mut after.addresses, &self.addresses);
        import::keep_profiles(&mut after.social_profiles, &self.social_profiles);
        Ok(after)
    }
}
