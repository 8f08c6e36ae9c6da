//! What an import leaves alone: a file replaces a list, but what it says nothing of stays known of the items that it
//! repeats. Above all an import never takes back that somebody wants no advertising.

use crate::people::contact_point::{
    AddressType, ContactPointType, EmailAddress, PhoneNumber, PostalAddress, SocialProfile, email_key,
};

/// Addresses that were known keep their type, unless they are given one, and their marks. Those that want no advertising stay,
/// and so do all others where the row has but one that was known: then it may only tell who is meant, as `tells_who` says.
pub fn keep_emails(emails: &mut Vec<EmailAddress>, known: &[EmailAddress], tells_who: bool) {
    let is_same = |one: &EmailAddress, other: &EmailAddress| email_key(&one.address) == email_key(&other.address);
    for email in emails.iter_mut() {
        if let Some(old) = known.iter().find(|old| is_same(old, email)) {
            keep(&mut email.kind, old.kind);
            email.invalid |= old.invalid;
            email.opted_out |= old.opted_out;
        }
    }
    if tells_who
        && let [only] = emails.as_slice()
        && known.iter().any(|old| is_same(old, only))
    {
        *emails = known.iter().map(|old| if is_same(old, only) { only.clone() } else { old.clone() }).collect();
        return;
    }
    let stays = |old: &&EmailAddress| old.opted_out && !emails.iter().any(|email| is_same(old, email));
    let staying: Vec<_> = known.iter().filter(stays).cloned().collect();
    emails.extend(staying);
}

/// Numbers that were known keep their type, unless they are given one, and their marks. Those that want no advertising stay.
pub fn keep_phones(phones: &mut Vec<PhoneNumber>, known: &[PhoneNumber]) {
    for phone in phones.iter_mut().filter(|phone| phone.e164.is_some()) {
        if let Some(old) = known.iter().find(|old| old.e164 == phone.e164) {
            keep(&mut phone.kind, old.kind);
            phone.invalid |= old.invalid;
            phone.opted_out |= old.opted_out;
        }
    }
    let is_there = |old: &PhoneNumber| phones.iter().any(|phone| phone.e164.is_some() && phone.e164 == old.e164);
    let staying: Vec<_> = known.iter().filter(|old| old.opted_out && !is_there(old)).cloned().collect();
    phones.extend(staying);
}

/// Addresses that contradict a known one in nothing are that one, with all that is known of it.
pub fn keep_addresses(addresses: &mut [PostalAddress], known: &[PostalAddress]) {
    for address in addresses {
        if let Some(old) = known.iter().find(|old| is_part_of(address, old)) {
            *address = old.clone();
        }
    }
}

/// Profiles that were known keep their label, unless they are given one.
pub fn keep_profiles(profiles: &mut [SocialProfile], known: &[SocialProfile]) {
    for profile in profiles.iter_mut().filter(|profile| profile.label.is_none()) {
        let old = known.iter().find(|old| old.network == profile.network && old.profile == profile.profile);
        profile.label = old.and_then(|old| old.label.clone());
    }
}

fn keep(kind: &mut ContactPointType, old: ContactPointType) {
    if *kind == ContactPointType::default() {
        *kind = old;
    }
}

fn is_part_of(address: &PostalAddress, old: &PostalAddress) -> bool {
    fn agrees<T: PartialEq>(new: &Option<T>, old: &Option<T>) -> bool {
        new.is_none() || new == old
    }
    (address.kind == AddressType::default() || address.kind == old.kind)
        && agrees(&address.street, &old.street)
        && agrees(&address.city, &old.city)
        && agrees(&address.region, &old.region)
        && agrees(&address.postal_code, &old.postal_code)
        && agrees(&address.country, &old.country)
        && agrees(&address.latitude, &old.latitude)
        && agrees(&address.longitude, &old.longitude)
}
