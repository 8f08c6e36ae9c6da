//! Headings of columns, as address books, shops and other CRMs write them.

use super::target::{self, Target};
use crate::{people::PeopleResource, text};

/// What a heading says.
#[derive(Debug)]
pub(super) struct Heading {
    pub(super) target: &'static Target,
    /// What the heading itself says of the item that its cells are in: that `Mobile` is a number of type `mobile`.
    pub(super) marks: &'static [(&'static str, &'static str)],
    /// The 2 of `E-Mail 2`; 1 where there is no number.
    pub(super) number: usize,
}

/// A heading without what does not matter: case, accents, spaces and punctuation.
pub(super) fn normal(heading: &str) -> String {
    let mut folded = text::fold(heading);
    folded.retain(char::is_alphanumeric);
    folded
}

/// What a heading means, when that is known.
pub(super) fn recognise(kind: PeopleResource, heading: &str) -> Option<Heading> {
    let name = normal(heading);
    if let Some(found) = look_up(kind, &name, 1) {
        return Some(found);
    }
    let stem = name.trim_end_matches(|character: char| character.is_ascii_digit());
    let number = name[stem.len()..].parse().ok().filter(|number| (1..=20).contains(number))?;
    look_up(kind, stem, number).filter(|found| found.target.list().is_some())
}

fn look_up(kind: PeopleResource, name: &str, number: usize) -> Option<Heading> {
    let own = match kind {
        PeopleResource::Contacts => OF_CONTACTS,
        PeopleResource::Companies => OF_COMPANIES,
    };
    let (_, target, marks) = own.iter().chain(OF_BOTH).find(|(names, ..)| names.contains(&name))?;
    Some(Heading { target: target::find(kind, target)?, marks, number })
}

/// Normal headings, the field they mean, and what they say of it.
type Known = (&'static [&'static str], &'static str, &'static [(&'static str, &'static str)]);

const OF_CONTACTS: &[Known] = &[
    (&["salutation", "anrede", "prefix", "nameprefix", "titel", "formofaddress"], "salutation", &[]),
    (&["firstname", "givenname", "forename", "vorname", "prenom", "christianname"], "first_name", &[]),
    (&["middlename", "middlenames", "additionalname", "zweitername", "secondname"], "middle_name", &[]),
    (&["lastname", "surname", "familyname", "nachname", "familienname"], "last_name", &[]),
    (&["jobtitle", "job", "position", "function", "funktion", "beruf", "organizationtitle"], "job_title", &[]),
    (&["companyid"], "company_id", &[]),
    (&["birthday", "dateofbirth", "birthdate", "dob", "geburtsdatum", "geburtstag"], "birthday", &[]),
    (&["locale", "language", "lang", "sprache", "preferredlanguage"], "locale", &[]),
    (&["timezone", "tz", "zeitzone"], "time_zone", &[]),
    (&["preferredchannel", "preferredcontactmethod"], "preferred_channel", &[]),
    (&["donotcall", "nocalls", "donotphone"], "do_not_call", &[]),
];

const OF_COMPANIES: &[Known] = &[
    (
        &["name", "company", "companyname", "organisation", "organization", "organisationname", "organizationname"],
        "name",
        &[],
    ),
    (&["firma", "firmenname", "unternehmen", "account", "accountname"], "name", &[]),
    (&["legalname", "registeredname", "firmierung"], "legal_name", &[]),
    (&["domain", "domainname", "companydomain", "companydomainname"], "domain", &[]),
    (&["website", "web", "url", "websiteurl", "homepage", "webseite", "internet"], "website", &[]),
    (&["type", "companytype", "kind", "accounttype"], "type", &[]),
    (&["industry", "branche", "sector", "lineofbusiness"], "industry", &[]),
    (&["industrycode", "nace", "nacecode", "naics", "naicscode", "sic", "siccode"], "industry_code", &[]),
    (&["employees", "employeerange", "numberofemployees", "employeecount", "headcount"], "employee_range", &[]),
    (&["noofemployees", "companysize", "mitarbeiter", "mitarbeiterzahl"], "employee_range", &[]),
    (&["annualrevenue", "annualrevenueamount", "revenue", "turnover", "umsatz"], "annual_revenue_amount", &[]),
    (&["annualrevenuecurrency", "revenuecurrency"], "annual_revenue_currency", &[]),
    (&["taxid", "vatid", "vat", "vatnumber", "taxnumber", "ustid", "ustidnr", "steuernummer"], "tax_id", &[]),
    (&["parentid", "parentcompanyid"], "parent_id", &[]),
    (&["territory", "salesterritory", "vertriebsgebiet"], "territory", &[]),
    (&["currency", "defaultcurrency", "wahrung", "currencycode"], "default_currency", &[]),
];

const OF_BOTH: &[Known] = &[
    (&["externalid", "recid", "recordid", "id", "customerid", "kundennummer", "customernumber"], "external_id", &[]),
    (&["ownerid"], "owner_id", &[]),
    (&["sourcechannel", "channel"], "source_channel", &[]),
    (&["lifecyclestage", "stage"], "lifecycle_stage", &[]),
    (&["tags", "tag", "labels", "keywords", "schlagworte"], "tags", &[]),
    (&["email", "emailaddress", "mail", "mailaddress", "emailadresse", "primaryemail"], "emails.address", &[]),
    (&["workemail", "emailwork", "businessemail", "companyemail"], "emails.address", &[("type", "work")]),
    (&["homeemail", "emailhome", "personalemail", "privateemail"], "emails.address", &[("type", "home")]),
    (&["phone", "phonenumber", "telephone", "telephonenumber", "tel", "telefon"], "phones.number", &[]),
    (&["primaryphone", "telefonnummer"], "phones.number", &[]),
    (&["mobile", "mobilephone", "mobilenumber", "mobilephonenumber"], "phones.number", &[("type", "mobile")]),
    (&["cell", "cellphone", "handy", "mobil", "mobiltelefon"], "phones.number", &[("type", "mobile")]),
    (&["workphone", "phonework", "businessphone", "officephone"], "phones.number", &[("type", "work")]),
    (&["homephone", "phonehome", "privatephone"], "phones.number", &[("type", "home")]),
    (&["streetnumber", "housenumber", "hausnummer", "streetno", "houseno"], "addresses.street_number", &[]),
    (&["street", "streetaddress", "strasse", "address", "adresse", "addressline"], "addresses.street", &[]),
    (&["address1", "addressline1", "street1", "streetaddress1", "streetline1"], "addresses.street", &[]),
    (&["address2", "addressline2", "street2", "streetaddress2", "streetline2"], "addresses.street", &[]),
    (&["address3", "addressline3", "street3", "streetaddress3", "streetline3"], "addresses.street", &[]),
    (&["city", "suburb", "town", "locality", "ort", "stadt", "cityname"], "addresses.city", &[]),
    (&["region", "state", "province", "county", "stateregion", "stateprovince"], "addresses.region", &[]),
    (&["bundesland", "kanton"], "addresses.region", &[]),
    (
        &["postcode", "postalcode", "zip", "zipcode", "zippostalcode", "plz", "postleitzahl"],
        "addresses.postal_code",
        &[],
    ),
    (&["country", "countrycode", "land", "countryregion"], "addresses.country", &[]),
    (&["latitude", "lat", "breitengrad"], "addresses.latitude", &[]),
    (&["longitude", "lon", "lng", "long", "langengrad"], "addresses.longitude", &[]),
    (&["linkedin", "linkedinurl", "linkedinprofile"], "social_profiles.profile", &[("network", "linkedin")]),
    (&["twitter", "twitterhandle", "twitterusername"], "social_profiles.profile", &[("network", "twitter")]),
    (&["facebook", "facebookurl"], "social_profiles.profile", &[("network", "facebook")]),
    (&["instagram", "instagramhandle"], "social_profiles.profile", &[("network", "instagram")]),
    (&["xing", "xingprofile"], "social_profiles.profile", &[("network", "xing")]),
];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(kind: PeopleResource, heading: &str) -> Option<&'static str> {
        recognise(kind, heading).map(|found| found.target.name)
    }

    #[test]
    fn usual_headings_are_recognised() {
        let usual = [
            ("First Name", "first_name"),
            ("given_name", "first_name"),
            ("Vorname", "first_name"),
            ("surname", "last_name"),
            ("Last Name", "last_name"),
            ("\u{feff}E-mail", "emails.address"),
            ("email address", "emails.address"),
            ("E-Mail 2", "emails.address"),
            ("Mobile", "phones.number"),
            ("address_1", "addresses.street"),
            ("street_number", "addresses.street_number"),
            ("Straße", "addresses.street"),
            ("suburb", "addresses.city"),
            ("Ort", "addresses.city"),
            ("PLZ", "addresses.postal_code"),
            ("dob", "birthday"),
            ("rec_id", "external_id"),
            ("lifecycle_stage", "lifecycle_stage"),
            ("Längengrad", "addresses.longitude"),
        ];
        for (heading, expected) in usual {
            assert_eq!(field(PeopleResource::Contacts, heading), Some(expected), "{heading}");
        }
        assert_eq!(field(PeopleResource::Companies, "Company"), Some("name"));
        assert_eq!(field(PeopleResource::Companies, "VAT ID"), Some("tax_id"));
        assert_eq!(field(PeopleResource::Contacts, "Company"), None);
        assert_eq!(field(PeopleResource::Contacts, "soc_sec_id"), None);
        assert_eq!(recognise(PeopleResource::Contacts, "E-Mail 2").unwrap().number, 2);
    }

    #[test]
    fn every_field_that_a_heading_means_exists_and_no_heading_means_two() {
        for (kind, own) in [(PeopleResource::Contacts, OF_CONTACTS), (PeopleResource::Companies, OF_COMPANIES)] {
            let mut seen = Vec::new();
            for (names, name, _) in own.iter().chain(OF_BOTH) {
                assert!(target::find(kind, name).is_some(), "{name}");
                for heading in *names {
                    assert!(!seen.contains(heading), "{heading}");
                    assert_eq!(normal(heading), *heading);
                    seen.push(heading);
                }
            }
        }
    }

    #[test]
    fn every_field_without_a_list_is_recognised_by_its_own_name() {
        for kind in [PeopleResource::Contacts, PeopleResource::Companies] {
            for target in target::all(kind).filter(|target| target.list().is_none()) {
                assert_eq!(field(kind, target.name), Some(target.name));
            }
        }
    }

    proptest! {
        #[test]
        fn case_spaces_and_hyphens_do_not_matter(
            words in proptest::sample::select(vec!["first name", "e mail", "street number", "date of birth", "do not call"]),
            joint in proptest::sample::select(vec![" ", "_", "-", "", " - "]),
            upper in any::<bool>(),
        ) {
            let heading = words.replace(' ', joint);
            let heading = if upper { heading.to_uppercase() } else { heading };
            prop_assert_eq!(field(PeopleResource::Contacts, &heading), field(PeopleResource::Contacts, words));
            prop_assert!(field(PeopleResource::Contacts, &heading).is_some());
        }

        #[test]
        fn no_heading_is_too_odd(heading in "\\PC{0,30}") {
            let _ = recognise(PeopleResource::Contacts, &heading);
        }
    }
}
