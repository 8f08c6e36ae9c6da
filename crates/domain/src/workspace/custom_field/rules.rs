//! What a custom field can be told, by its type.

use super::{
    CustomField, CustomFieldType as Type, NewCustomField,
    values::{self, MOST_INDEXED},
};
use crate::{access::ALWAYS, problem::Fields};

/// A key is no name that the resource has anyway.
pub(super) fn check_key(new: &NewCustomField, fields: &mut Fields) {
    let key = new.key.as_str();
    if new.resource.fields().contains(&key) || ALWAYS.contains(&key) || key == "deleted_at" {
        fields.refuse("/key", "reserved", format!("{} have a field {key} already.", new.resource.as_str()));
    }
    let chooses = matches!(new.kind, Type::Choice | Type::MultiChoice);
    if chooses && new.options.is_empty() {
        fields.refuse("/options", "required", "Say what can be chosen.");
    }
    if new.kind == Type::Reference && new.referenced_resource.is_none() {
        fields.refuse("/referenced_resource", "required", "Say which records are referred to.");
    }
}

/// Every rule fits the type, and they fit each other. Bounds become what values are compared with.
pub(super) fn check(field: &mut CustomField, fields: &mut Fields) {
    let kind = field.kind;
    let is_compared = matches!(kind, Type::Number | Type::Money | Type::Date | Type::Instant);
    let is_choice = matches!(kind, Type::Choice | Type::MultiChoice);
    let may_be_unique = matches!(kind, Type::Text | Type::Number | Type::Date | Type::Url | Type::Reference);
    let told = [
        ("/unique", field.unique, may_be_unique),
        ("/sorted", field.sorted, kind != Type::MultiChoice),
        ("/min_length", field.min_length.is_some(), kind == Type::Text),
        ("/max_length", field.max_length.is_some(), kind == Type::Text),
        ("/min", field.min.is_some(), is_compared),
        ("/max", field.max.is_some(), is_compared),
        ("/options", !field.options.is_empty(), is_choice),
        ("/referenced_resource", field.referenced_resource.is_some(), kind == Type::Reference),
    ];
    for (pointer, _, _) in told.into_iter().filter(|(_, is_told, fits)| *is_told && !fits) {
        fields.refuse(pointer, "not_applicable", "A field of this type can't have this. Leave it out.");
    }
    if is_compared {
        check_bounds(field, fields);
    }
    check_lengths(field, fields);
    check_options(field, fields);
}

fn check_bounds(field: &mut CustomField, fields: &mut Fields) {
    let kind = field.kind;
    for (pointer, bound) in [("/min", &mut field.min), ("/max", &mut field.max)] {
        let Some(text) = bound.as_mut() else { continue };
        match values::bound(kind, text) {
            Ok(canonical) => *text = canonical,
            Err((code, detail)) => fields.refuse(pointer, code, detail),
        }
    }
    let rank = |bound: &Option<String>| bound.as_deref().and_then(|bound| values::rank_of_bound(kind, bound));
    if let (Some(min), Some(max)) = (rank(&field.min), rank(&field.max))
        && min > max
    {
        fields.refuse("/max", "below_min", "The greatest value is less than the least.");
    }
}

fn check_lengths(field: &CustomField, fields: &mut Fields) {
    if let (Some(min), Some(max)) = (field.min_length, field.max_length)
        && min > max
    {
        fields.refuse("/max_length", "below_min", "The most characters are fewer than the fewest.");
    }
    let is_indexed = field.unique || field.sorted;
    for (pointer, length) in [("/min_length", field.min_length), ("/max_length", field.max_length)] {
        if is_indexed && length.is_some_and(|length| length > MOST_INDEXED) {
            let detail = format!("Texts that are unique or sorted have at most {MOST_INDEXED} characters.");
            fields.refuse(pointer, "out_of_range", detail);
        }
    }
}

fn check_options(field: &mut CustomField, fields: &mut Fields) {
    for index in 0..field.options.len() {
        let (known, rest) = field.options.split_at_mut(index);
        let Some(option) = rest.first_mut() else { continue };
        crate::text::tidy(&mut option.label);
        if option.label.is_empty() {
            fields.refuse(format!("/options/{index}/label"), "required", "An option needs a label.");
        }
        if known.iter().any(|other| other.key == option.key) {
            fields.refuse(format!("/options/{index}/key"), "repeated", "There is an option of this key already.");
        }
    }
}
