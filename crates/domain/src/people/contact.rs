//! Contacts: the people a business knows.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::{
    company::Company,
    contact_point::{self, EmailAddress, PhoneNumber, PostalAddress, SocialProfile},
};
use crate::{
    access::FieldRule,
    filter::{Filter, Node, Parameters},
    id::{CompanyId, ContactId, TeamId, UserId},
    page::{Count, RecordSort},
    problem::{Fields, Invalid},
    record::{self, Channel, CountryCode, ExternalId, LifecycleStage, Source, Stamp, Tag},
    standards, text,
    workspace::{
        custom_field::{CustomValues, folded_values, merged, values_schema, values_schema_of_patch},
        user::UserSummary,
    },
};

/// A person the business knows.
#[derive(Clone, Debug, PartialEq, Serialize, Validate, ToSchema)]
pub struct Contact {
    /// Identifies the contact for ever.
    #[schema(value_type = Uuid, example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b")]
    pub id: ContactId,
    /// Counts the changes; also the ETag.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// User or API key that created it; null when Rapport did.
    pub created_by: Option<Uuid>,
    /// User or API key that last changed it; null when Rapport did.
    pub updated_by: Option<Uuid>,
    /// When it was deleted; null while it lives.
    pub deleted_at: Option<DateTime<Utc>>,
    /// User who looks after this contact.
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<UserId>,
    /// Team that this contact belongs to.
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// How the record came to be.
    pub source: Source,
    /// Channel on which the person first came.
    pub source_channel: Option<Channel>,
    /// Free tags.
    #[schema(example = json!(["newsletter", "vip"]))]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
    /// Ids under which outside systems know the person.
    pub external_ids: Vec<ExternalId>,
    /// The name to show: made of first, middle and last name, else the first e-mail address or telephone number.
    #[schema(example = "Anna Lindt")]
    pub name: String,
    /// Form of address.
    #[schema(example = "Dr.")]
    pub salutation: Option<String>,
    /// Given name.
    #[schema(example = "Anna")]
    pub first_name: Option<String>,
    /// Middle names.
    pub middle_name: Option<String>,
    /// Family name.
    #[schema(example = "Lindt")]
    pub last_name: Option<String>,
    /// What the person does at the company.
    #[schema(example = "Head of purchasing")]
    pub job_title: Option<String>,
    /// Company the person works for.
    #[schema(value_type = Option<Uuid>)]
    pub company_id: Option<CompanyId>,
    /// E-mail addresses; the first is the primary one.
    #[validate(nested)]
    pub emails: Vec<EmailAddress>,
    /// Telephone numbers; the first is the primary one.
    pub phones: Vec<PhoneNumber>,
    /// Postal addresses; the first is the primary one.
    #[validate(nested)]
    pub addresses: Vec<PostalAddress>,
    /// Profiles in social networks.
    pub social_profiles: Vec<SocialProfile>,
    /// Date of birth.
    #[schema(example = "1984-05-17")]
    pub birthday: Option<NaiveDate>,
    /// Language and region, as BCP 47 tag.
    #[validate(custom(function = "standards::language"))]
    #[schema(example = "de-DE")]
    pub locale: Option<String>,
    /// IANA time zone.
    #[validate(custom(function = "standards::time_zone"))]
    #[schema(example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// Channel the person likes best.
    pub preferred_channel: Option<Channel>,
    /// The person does not want to be called.
    #[schema(example = false)]
    pub do_not_call: bool,
    /// Where the person stands between stranger and customer.
    pub lifecycle_stage: LifecycleStage,
    /// Related records, where `expand` asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expanded: Option<Box<ContactExpanded>>,
}

/// Records that belong to a contact. Null when there is none, when it was deleted, or when `expand` did not name it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ContactExpanded {
    #[schema(required)]
    pub company: Option<Company>,
    #[schema(required)]
    pub owner: Option<UserSummary>,
}

/// A contact to be created. A name, an e-mail address or a telephone number is needed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "first_name": "Anna", "last_name": "Lindt", "job_title": "Head of purchasing",
    "emails": [{"address": "anna.lindt@example.com", "type": "work"}],
    "phones": [{"number": "+49 30 901820", "type": "work"}],
    "addresses": [{"type": "visiting", "street": "Torstraße 1", "postal_code": "10119", "city": "Berlin", "country": "DE"}],
    "tags": ["newsletter"]
}))]
pub struct NewContact {
    /// User who looks after this contact: whoever creates it, unless said otherwise. Null for nobody.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to: the owner's main team, unless said otherwise. Null for none.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// Channel on which the person first came.
    pub source_channel: Option<Channel>,
    /// Free tags.
    #[schema(nullable = false, max_items = 100, schema_with = tags)]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
    /// Form of address.
    #[schema(min_length = 1, max_length = 50)]
    pub salutation: Option<String>,
    /// Given name.
    #[schema(min_length = 1, max_length = 100)]
    pub first_name: Option<String>,
    /// Middle names.
    #[schema(min_length = 1, max_length = 100)]
    pub middle_name: Option<String>,
    /// Family name.
    #[schema(min_length = 1, max_length = 100)]
    pub last_name: Option<String>,
    /// What the person does at the company.
    #[schema(min_length = 1, max_length = 255)]
    pub job_title: Option<String>,
    /// Company the person works for.
    #[schema(value_type = Option<Uuid>)]
    pub company_id: Option<CompanyId>,
    /// E-mail addresses; the first is the primary one.
    #[schema(max_items = 20)]
    pub emails: Vec<EmailAddress>,
    /// Telephone numbers; the first is the primary one.
    #[schema(max_items = 20)]
    pub phones: Vec<PhoneNumber>,
    /// Postal addresses; the first is the primary one.
    #[schema(max_items = 10)]
    pub addresses: Vec<PostalAddress>,
    /// Profiles in social networks.
    #[schema(max_items = 20)]
    pub social_profiles: Vec<SocialProfile>,
    /// Date of birth.
    pub birthday: Option<NaiveDate>,
    /// Language and region, as BCP 47 tag.
    #[schema(format = "language-tag", max_length = 35, example = "de-DE")]
    pub locale: Option<String>,
    /// IANA time zone.
    #[schema(format = "time-zone", max_length = 64, example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// Channel the person likes best.
    pub preferred_channel: Option<Channel>,
    /// The person does not want to be called.
    #[schema(default = false)]
    pub do_not_call: bool,
    /// Where the person stands; `lead` unless said otherwise.
    #[schema(inline = false)]
    pub lifecycle_stage: LifecycleStage,
}

/// Changes to a contact, as JSON Merge Patch: absent fields stay, null clears, lists are replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"job_title": "Director", "middle_name": null, "lifecycle_stage": "customer"}))]
pub struct ContactPatch {
    /// User who looks after this contact.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to. A new owner brings their main team along, unless a team is named.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// Channel on which the person first came.
    #[serde(with = "::serde_with::rust::double_option")]
    pub source_channel: Option<Option<Channel>>,
    /// Free tags. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(schema_with = tags_or_null)]
    pub tags: Option<Option<Vec<String>>>,
    /// Values of the workspace's own fields, by key; null clears one.
    #[schema(schema_with = values_schema_of_patch)]
    pub custom: Option<CustomValues>,
    /// Form of address.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 50)]
    pub salutation: Option<Option<String>>,
    /// Given name.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 100)]
    pub first_name: Option<Option<String>>,
    /// Middle names.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 100)]
    pub middle_name: Option<Option<String>>,
    /// Family name.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 100)]
    pub last_name: Option<Option<String>>,
    /// What the person does at the company.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 255)]
    pub job_title: Option<Option<String>>,
    /// Company the person works for.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub company_id: Option<Option<CompanyId>>,
    /// E-mail addresses; the first is the primary one. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 20)]
    pub emails: Option<Option<Vec<EmailAddress>>>,
    /// Telephone numbers; the first is the primary one. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 20)]
    pub phones: Option<Option<Vec<PhoneNumber>>>,
    /// Postal addresses; the first is the primary one. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 10)]
    pub addresses: Option<Option<Vec<PostalAddress>>>,
    /// Profiles in social networks. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 20)]
    pub social_profiles: Option<Option<Vec<SocialProfile>>>,
    /// Date of birth.
    #[serde(with = "::serde_with::rust::double_option")]
    pub birthday: Option<Option<NaiveDate>>,
    /// Language and region, as BCP 47 tag.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(format = "language-tag", max_length = 35)]
    pub locale: Option<Option<String>>,
    /// IANA time zone.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(format = "time-zone", max_length = 64)]
    pub time_zone: Option<Option<String>>,
    /// Channel the person likes best.
    #[serde(with = "::serde_with::rust::double_option")]
    pub preferred_channel: Option<Option<Channel>>,
    /// The person does not want to be called.
    #[schema(nullable = false)]
    pub do_not_call: Option<bool>,
    /// Where the person stands between stranger and customer.
    #[schema(nullable = false)]
    pub lifecycle_stage: Option<LifecycleStage>,
}

/// What a patch of a contact that is not there yet creates: null is absent there, but for owner and team.
impl From<ContactPatch> for NewContact {
    fn from(patch: ContactPatch) -> Self {
        Self {
            owner_id: patch.owner_id,
            team_id: patch.team_id,
            source_channel: patch.source_channel.flatten(),
            tags: patch.tags.flatten().unwrap_or_default(),
            custom: patch.custom.unwrap_or_default(),
            salutation: patch.salutation.flatten(),
            first_name: patch.first_name.flatten(),
            middle_name: patch.middle_name.flatten(),
            last_name: patch.last_name.flatten(),
            job_title: patch.job_title.flatten(),
            company_id: patch.company_id.flatten(),
            emails: patch.emails.flatten().unwrap_or_default(),
            phones: patch.phones.flatten().unwrap_or_default(),
            addresses: patch.addresses.flatten().unwrap_or_default(),
            social_profiles: patch.social_profiles.flatten().unwrap_or_default(),
            birthday: patch.birthday.flatten(),
            locale: patch.locale.flatten(),
            time_zone: patch.time_zone.flatten(),
            preferred_channel: patch.preferred_channel.flatten(),
            do_not_call: patch.do_not_call.unwrap_or_default(),
            lifecycle_stage: patch.lifecycle_stage.unwrap_or_default(),
        }
    }
}

impl Contact {
    /// The fields that a role may close, in their order. A test compares them with the document.
    pub const FIELDS: &[&str] = &[
        "created_by",
        "updated_by",
        "owner_id",
        "team_id",
        "source",
        "source_channel",
        "tags",
        "custom",
        "external_ids",
        "name",
        "salutation",
        "first_name",
        "middle_name",
        "last_name",
        "job_title",
        "company_id",
        "emails",
        "phones",
        "addresses",
        "social_profiles",
        "birthday",
        "locale",
        "time_zone",
        "preferred_channel",
        "do_not_call",
        "lifecycle_stage",
    ];

    /// What the name to show is made of.
    pub(crate) const NAME_SOURCES: &[&str] = &["first_name", "middle_name", "last_name", "emails", "phones"];

    /// What people are found by, as fields.
    pub const SEARCHED: &[&str] = Self::NAME_SOURCES;

    /// The contact with a name made only of what may be read.
    #[must_use]
    pub fn named_by(&self, readable: &FieldRule) -> Self {
        let mut contact = self.clone();
        let Self { first_name, middle_name, last_name, emails, phones, .. } = &mut contact;
        for (field, name) in [("first_name", first_name), ("middle_name", middle_name), ("last_name", last_name)] {
            name.take_if(|_| !readable.allows(field));
        }
        if !readable.allows("emails") {
            emails.clear();
        }
        if !readable.allows("phones") {
            phones.clear();
        }
        contact.name = contact.display_name();
        contact
    }

    /// A new contact. Numbers without country code are read as of its first address, else of `country`.
    pub fn create(new: NewContact, id: ContactId, stamp: Stamp, country: Option<&str>) -> Result<Self, Invalid> {
        let contact = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            deleted_at: None,
            owner_id: new.owner_id.flatten(),
            team_id: new.team_id.flatten(),
            source: stamp.source,
            source_channel: new.source_channel,
            tags: new.tags,
            custom: merged(&CustomValues::new(), new.custom),
            external_ids: Vec::new(),
            name: String::new(),
            salutation: new.salutation,
            first_name: new.first_name,
            middle_name: new.middle_name,
            last_name: new.last_name,
            job_title: new.job_title,
            company_id: new.company_id,
            emails: new.emails,
            phones: new.phones,
            addresses: new.addresses,
            social_profiles: new.social_profiles,
            birthday: new.birthday,
            locale: new.locale,
            time_zone: new.time_zone,
            preferred_channel: new.preferred_channel,
            do_not_call: new.do_not_call,
            lifecycle_stage: new.lifecycle_stage,
            expanded: None,
        };
        contact.checked(stamp, country, true)
    }

    /// The contact as it would be after a patch. Version and times stay: whether anything changed is yet to be seen.
    pub fn patch(&self, patch: ContactPatch, stamp: Stamp, country: Option<&str>) -> Result<Self, Invalid> {
        let phones_given = patch.phones.is_some();
        let contact = Self {
            owner_id: patch.owner_id.unwrap_or(self.owner_id),
            team_id: patch.team_id.unwrap_or(self.team_id),
            source_channel: patch.source_channel.unwrap_or(self.source_channel),
            tags: list(patch.tags, &self.tags),
            custom: merged(&self.custom, patch.custom.unwrap_or_default()),
            salutation: patch.salutation.unwrap_or_else(|| self.salutation.clone()),
            first_name: patch.first_name.unwrap_or_else(|| self.first_name.clone()),
            middle_name: patch.middle_name.unwrap_or_else(|| self.middle_name.clone()),
            last_name: patch.last_name.unwrap_or_else(|| self.last_name.clone()),
            job_title: patch.job_title.unwrap_or_else(|| self.job_title.clone()),
            company_id: patch.company_id.unwrap_or(self.company_id),
            emails: list(patch.emails, &self.emails),
            phones: list(patch.phones, &self.phones),
            addresses: list(patch.addresses, &self.addresses),
            social_profiles: list(patch.social_profiles, &self.social_profiles),
            birthday: patch.birthday.unwrap_or(self.birthday),
            locale: patch.locale.unwrap_or_else(|| self.locale.clone()),
            time_zone: patch.time_zone.unwrap_or_else(|| self.time_zone.clone()),
            preferred_channel: patch.preferred_channel.unwrap_or(self.preferred_channel),
            do_not_call: patch.do_not_call.unwrap_or(self.do_not_call),
            lifecycle_stage: patch.lifecycle_stage.unwrap_or(self.lifecycle_stage),
            external_ids: self.external_ids.clone(),
            name: String::new(),
            expanded: None,
            ..*self
        };
        contact.checked(stamp, country, phones_given)
    }

    /// The contact after a change that gave it values which were judged elsewhere.
    pub(crate) fn amended(self, stamp: Stamp) -> Result<Self, Invalid> {
        self.checked(stamp, None, false)
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// The keys by which this person is recognised.
    pub fn match_keys(&self) -> Vec<String> {
        contact_point::match_keys(&self.emails, &self.phones)
    }

    /// What the person is found by.
    pub fn search_text(&self) -> String {
        let names = [&self.first_name, &self.middle_name, &self.last_name].into_iter().flatten().map(String::as_str);
        let emails = self.emails.iter().map(|email| email.address.as_str());
        let phones = self.phones.iter().filter_map(|phone| phone.e164.as_deref()).map(|e164| &e164[1..]);
        // The name is made of these, or a number as it was written.
        text::search_text(names.chain(emails).chain(phones).chain([self.name.as_str()]))
    }

    /// Its texts as filters compare them, by field.
    pub fn folded(&self) -> BTreeMap<String, String> {
        let own = [
            ("name", Some(&self.name)),
            ("salutation", self.salutation.as_ref()),
            ("first_name", self.first_name.as_ref()),
            ("middle_name", self.middle_name.as_ref()),
            ("last_name", self.last_name.as_ref()),
            ("job_title", self.job_title.as_ref()),
        ];
        let mut folded = text::folded(own.into_iter().chain(contact_point::texts(&self.addresses)));
        folded.extend(folded_values(&self.custom));
        folded
    }

    /// What the person is sorted by: last name first, as in a telephone book.
    pub fn sort_name(&self) -> String {
        let names = [&self.last_name, &self.first_name, &self.middle_name].map(|name| name.as_deref().unwrap_or(""));
        let key = text::sort_key(names);
        if key.is_empty() { text::sort_key([self.name.as_str()]) } else { key }
    }

    /// Tidies up and judges the whole record, whichever fields were given.
    fn checked(mut self, stamp: Stamp, country: Option<&str>, phones_given: bool) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        record::tidy_tags(&mut self.tags);
        for name in [&mut self.first_name, &mut self.middle_name, &mut self.last_name].into_iter().flatten() {
            text::tidy(name);
        }
        contact_point::check_emails(&mut self.emails, &mut fields);
        if phones_given {
            let country =
                self.addresses.first().and_then(|address| address.country.clone()).or(country.map(Into::into));
            contact_point::check_phones(&mut self.phones, country.as_deref(), &mut fields);
        }
        self.name = self.display_name();
        self.rules(stamp, &mut fields);
        fields.absorb(&self);
        fields.verdict().map(|()| self)
    }

    fn rules(&self, stamp: Stamp, fields: &mut Fields) {
        if self.name.is_empty() {
            let detail = "A contact needs at least a first or last name, an e-mail address or a telephone number.";
            fields.refuse("", "nothing_to_know_by", detail);
        }
        if self.birthday.is_some_and(|day| day > stamp.at.date_naive()) {
            fields.refuse("/birthday", "in_the_future", "Nobody was born in the future. Check the year.");
        }
    }

    fn display_name(&self) -> String {
        let names = [&self.first_name, &self.middle_name, &self.last_name];
        let name = names.into_iter().flatten().map(String::as_str).filter(|name| !name.is_empty());
        let name = name.collect::<Vec<_>>().join(" ");
        let email = || self.emails.first().map(|email| email.address.clone());
        let phone = || self.phones.first().map(|phone| phone.number.clone());
        if name.is_empty() { email().or_else(phone).unwrap_or_default() } else { name }
    }
}

pub(crate) fn list<T: Clone>(patched: Option<Option<Vec<T>>>, current: &[T]) -> Vec<T> {
    match patched {
        Some(list) => list.unwrap_or_default(),
        None => current.to_vec(),
    }
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ContactQuery {
    /// Finds people by how words of name, e-mail address and company begin, and by parts of telephone numbers. Where
    /// nothing is found so, parts of words count, and then words with typing errors. Every word has to be found.
    /// Without `sort`, the best match comes first.
    #[param(min_length = 1, max_length = 200, example = "anna lindt")]
    pub q: Option<String>,
    /// Only contacts of these users. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub owner_id: Vec<UserId>,
    /// Only contacts of these teams. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub team_id: Vec<TeamId>,
    /// Only people of these companies. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub company_id: Vec<CompanyId>,
    /// Only contacts in these stages. Repeat for several.
    #[param(max_items = 10)]
    pub lifecycle_stage: Vec<LifecycleStage>,
    /// Only contacts that have one of these tags. Repeat for several.
    #[param(value_type = Vec<Tag>, max_items = 100)]
    pub tag: Vec<String>,
    /// Only who has this e-mail address.
    #[param(max_length = 254, example = "anna@lindt-daughters.example")]
    pub email: Option<String>,
    /// Only who has this telephone number.
    #[param(max_length = 50, example = "+49 30 901821")]
    pub phone: Option<String>,
    /// Only contacts whose first address is in one of these countries. Repeat for several.
    #[param(value_type = Vec<CountryCode>, max_items = 100)]
    pub country: Vec<String>,
    /// Only contacts created at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Only contacts created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Only contacts changed at this time or later.
    pub updated_after: Option<DateTime<Utc>>,
    /// Only contacts changed before this time.
    pub updated_before: Option<DateTime<Utc>>,
    /// `only` lists the deleted contacts instead of the living.
    #[param(inline = false)]
    pub deleted: DeletedInList,
    /// Order of the list; ties are broken by id. `-created_at` unless said otherwise.
    pub sort: Option<RecordSort>,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
    /// Asks for a total. Exact counts stop at 10,000.
    pub count: Option<Count>,
    /// Only these fields of each record, and its id. Repeat for several.
    #[param(max_items = 50)]
    pub fields: Vec<String>,
    /// Embeds related records under `expanded`. Repeat for several.
    #[param(max_items = 5)]
    pub expand: Vec<ContactRelation>,
}

impl ContactQuery {
    /// The fields that parameters tell of, each with the parameter. `q` looks after itself.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let used = [
            (!self.owner_id.is_empty(), "owner_id", "owner_id"),
            (!self.team_id.is_empty(), "team_id", "team_id"),
            (!self.company_id.is_empty(), "company_id", "company_id"),
            (!self.lifecycle_stage.is_empty(), "lifecycle_stage", "lifecycle_stage"),
            (!self.tag.is_empty(), "tag", "tags"),
            (self.email.is_some(), "email", "emails"),
            (self.phone.is_some(), "phone", "phones"),
            (!self.country.is_empty(), "country", "addresses"),
        ];
        let own = used.into_iter().filter(|(is_used, ..)| *is_used).map(|(_, parameter, field)| (parameter, field));
        own.chain(RecordSort::fields_used(self.sort.as_ref()))
            .chain(ContactRelation::fields_used(&self.expand))
            .collect()
    }

    /// The parameters as nodes of a filter, each with its name. `q` looks after itself.
    pub fn filter_nodes(&self) -> Vec<(&'static str, Node)> {
        Parameters::default()
            .one_of("owner_id", &self.owner_id)
            .one_of("team_id", &self.team_id)
            .one_of("company_id", &self.company_id)
            .one_of("lifecycle_stage", &self.lifecycle_stage)
            .one_among("tag", "tags", &self.tag)
            .text("email", self.email.as_ref())
            .text("phone", self.phone.as_ref())
            .one_of("country", &self.country)
            .after("created_after", "created_at", self.created_after)
            .before("created_before", "created_at", self.created_before)
            .after("updated_after", "updated_at", self.updated_after)
            .before("updated_before", "updated_at", self.updated_before)
            .into_nodes()
    }
}

/// What is searched for, and how the answer shall be.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "filter": {"version": 1, "entity": "contact", "where":
        {"type": "tags", "field": "tags", "op": "has_any", "values": ["newsletter"]}},
    "sort": "name", "limit": 20
}))]
pub struct ContactSearch {
    /// Which contacts; all where there is no filter.
    #[schema(nullable = false)]
    pub filter: Option<Filter>,
    /// Order of the list; ties are broken by id. `-created_at` unless said otherwise.
    #[schema(nullable = false)]
    pub sort: Option<RecordSort>,
    /// Most records of a page.
    #[schema(nullable = false, minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[schema(nullable = false, max_length = 2000)]
    pub cursor: Option<String>,
    /// Asks for a total. Exact counts stop at 10,000.
    #[schema(nullable = false)]
    pub count: Option<Count>,
    /// Only these fields of each record, and its id.
    #[schema(max_items = 50)]
    pub fields: Vec<String>,
    /// Embeds related records under `expanded`.
    #[schema(max_items = 5)]
    pub expand: Vec<ContactRelation>,
    /// `only` finds the deleted contacts instead of the living.
    #[schema(inline = false)]
    pub deleted: DeletedInList,
}

impl ContactSearch {
    /// The fields that its parts tell of beside the filter, each with its part.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let sort = RecordSort::fields_used(self.sort.as_ref());
        sort.into_iter().chain(ContactRelation::fields_used(&self.expand)).collect()
    }
}

/// Records that can be embedded in a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactRelation {
    Company,
    Owner,
}

impl ContactRelation {
    /// The fields that name these records.
    pub fn fields_used(expand: &[Self]) -> Vec<(&'static str, &'static str)> {
        let field = |relation: &Self| match relation {
            Self::Company => ("expand", "company_id"),
            Self::Owner => ("expand", "owner_id"),
        };
        expand.iter().map(field).collect()
    }
}

/// Whether a list shows the living or the deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeletedInList {
    #[default]
    Exclude,
    Only,
}

pub(crate) fn tags() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    tag_list(utoipa::openapi::Type::Array.into())
}

pub(crate) fn tags_or_null() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    use utoipa::openapi::{Type, schema::SchemaType};
    tag_list(SchemaType::from_iter([Type::Array, Type::Null]))
}

fn tag_list(kind: utoipa::openapi::schema::SchemaType) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Type};
    let tag = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(64));
    ArrayBuilder::new()
        .schema_type(kind)
        .items(tag)
        .max_items(Some(100))
        .description(Some("Free tags, each once."))
        .into()
}
