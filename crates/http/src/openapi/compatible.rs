//! The document in OpenAPI 3.0.3, for the generators that do not read 3.1: the same operations and fields, said in the older
//! words. What 3.0 can't say is left out, so that a document is never stricter than the server.

use serde_json::{Map, Value, json};

use super::normalise::prune;

/// Keywords of schemas that 3.0 does not have and that promise nothing a generator could use.
const UNKNOWN: &[&str] = &["contentMediaType", "contentEncoding"];

/// The document in 3.0.3.
pub(crate) fn compatible(document: &Value) -> Value {
    let mut older = document.clone();
    older["openapi"] = json!("3.0.3");
    let Some(top) = older.as_object_mut() else { return older };
    // Generators for 3.0 take webhooks for operations of the server.
    top.shift_remove("webhooks");
    prune(&mut older);
    let Some(top) = older.as_object_mut() else { return older };
    if let Some(license) = top.get_mut("info").and_then(|info| info["license"].as_object_mut())
        && license.shift_remove("identifier").is_some()
    {
        license.insert("url".to_owned(), json!("https://www.apache.org/licenses/LICENSE-2.0"));
    }
    let newer = &document["components"]["schemas"];
    for_each_schema(&mut older, "", &mut |schema| *schema = Older { newer }.schema(schema));
    for_each_security(&mut older, &mut without_permissions);
    older
}

/// Visits every schema that is not part of another one.
fn for_each_schema(value: &mut Value, place: &str, visit: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match (place, name.as_str()) {
                    (_, "schema") => visit(field),
                    (_, "example" | "examples") => {}
                    ("components", "schemas") => {
                        field.as_object_mut().into_iter().flatten().for_each(|(_, schema)| visit(schema));
                    }
                    (_, name) => for_each_schema(field, name, visit),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| for_each_schema(item, "", visit)),
        _ => {}
    }
}

/// Visits every requirement of every operation.
fn for_each_security(document: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    let items = document["paths"].as_object_mut().into_iter().flatten();
    for operation in items.filter_map(|(_, item)| item.as_object_mut()).flatten().map(|(_, operation)| operation) {
        let requirements = operation.get_mut("security").and_then(Value::as_array_mut);
        requirements.into_iter().flatten().filter_map(Value::as_object_mut).for_each(&mut *visit);
    }
}

/// Takes the permissions from the schemes to which 3.0 grants no list of them.
fn without_permissions(requirement: &mut Map<String, Value>) {
    for (scheme, permissions) in requirement {
        if scheme != "oauth2" {
            *permissions = json!([]);
        }
    }
}

/// Writes schemas in the older words.
struct Older<'d> {
    /// The components as they are in the newer document.
    newer: &'d Value,
}

impl Older<'_> {
    fn schema(&self, schema: &Value) -> Value {
        let Value::Object(fields) = schema else {
            // `true` is every value.
            return if schema == &json!(true) { json!({}) } else { schema.clone() };
        };
        let mut older = fields.clone();
        UNKNOWN.iter().for_each(|keyword| drop(older.shift_remove(*keyword)));
        if let Some(reference) = older.shift_remove("$ref") {
            return referring(reference, older);
        }
        // One-valued enumerations tell the forms of a union apart; with a discriminator besides, some generators write the tag
        // twice and others not at all.
        older.shift_remove("discriminator");
        first_example(&mut older);
        nullable_type(&mut older);
        self.forms(&mut older);
        self.parts(&mut older);
        Value::Object(older)
    }

    /// Its alternatives: null among them becomes `nullable`, and a union of plain values any value at all, because no
    /// generator for 3.0 makes a type of it that works.
    fn forms(&self, schema: &mut Map<String, Value>) {
        let Some(Value::Array(forms)) = schema.shift_remove("oneOf") else { return };
        let others: Vec<&Value> = forms.iter().filter(|form| form["type"] != "null").collect();
        if others.len() < forms.len() {
            schema.insert("nullable".to_owned(), json!(true));
        }
        match others.as_slice() {
            [one] => {
                // 3.0 heeds `nullable` beside a type only.
                if let Some(kind) = self.kind(one) {
                    schema.insert("type".to_owned(), kind);
                }
                schema.insert("allOf".to_owned(), json!([self.schema(one)]));
            }
            several if several.iter().all(|form| is_plain(form)) => {}
            several => {
                let forms: Vec<Value> = several.iter().map(|form| self.schema(form)).collect();
                schema.insert("oneOf".to_owned(), Value::Array(forms));
            }
        }
    }

    /// The type of a schema, or of that to which it refers.
    fn kind(&self, schema: &Value) -> Option<Value> {
        match schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
            Some(name) => self.kind(&self.newer[name]),
            None => schema.get("type").filter(|kind| kind.is_string()).cloned(),
        }
    }

    /// The schemas of which it is made.
    fn parts(&self, schema: &mut Map<String, Value>) {
        for (_, property) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
            *property = self.schema(property);
        }
        for keyword in ["items", "additionalProperties"] {
            if let Some(part) = schema.get_mut(keyword).filter(|part| part.is_object()) {
                *part = self.schema(part);
            }
        }
    }
}

/// A reference stands alone in 3.0: what is said beside it refers to it in its turn.
fn referring(reference: Value, mut beside: Map<String, Value>) -> Value {
    if beside.is_empty() {
        return json!({"$ref": reference});
    }
    first_example(&mut beside);
    beside.insert("allOf".to_owned(), json!([{"$ref": reference}]));
    Value::Object(beside)
}

fn first_example(schema: &mut Map<String, Value>) {
    if let Some(example) = schema.shift_remove("examples").and_then(|examples| examples.get(0).cloned()) {
        schema.entry("example").or_insert(example);
    }
}

/// A type that can be null is `nullable`.
fn nullable_type(schema: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = schema.get("type") else { return };
    let Some(kind) = types.iter().find(|kind| *kind != "null").cloned() else { return };
    schema.insert("type".to_owned(), kind);
    schema.insert("nullable".to_owned(), json!(true));
}

/// Whether a form of a union is a plain value, or a list of such.
fn is_plain(form: &Value) -> bool {
    match form["type"].as_str() {
        Some("array") => is_plain(&form["items"]),
        Some("object") | None => false,
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn older(schema: Value) -> Value {
        let newer = json!({"Tag": {"type": "string"}});
        Older { newer: &newer }.schema(&schema)
    }

    #[test]
    fn a_type_that_can_be_null_is_nullable() {
        assert_eq!(
            older(json!({"type": ["string", "null"], "maxLength": 3})),
            json!({"type": "string", "maxLength": 3, "nullable": true})
        );
        let reference = json!({"$ref": "#/components/schemas/Tag"});
        assert_eq!(
            older(json!({"oneOf": [{"type": "null"}, reference], "description": "Its tag."})),
            json!({"description": "Its tag.", "nullable": true, "type": "string", "allOf": [reference]})
        );
    }

    #[test]
    fn what_stands_beside_a_reference_is_kept() {
        let reference = json!({"$ref": "#/components/schemas/Tag"});
        assert_eq!(older(reference.clone()), reference);
        assert_eq!(
            older(json!({"$ref": "#/components/schemas/Tag", "description": "Its tag."})),
            json!({"description": "Its tag.", "allOf": [reference]})
        );
    }

    #[test]
    fn a_union_of_plain_values_is_any_value_and_one_of_objects_stays() {
        let plain = json!({"description": "A value.", "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]});
        assert_eq!(older(plain), json!({"description": "A value."}));
        let objects = json!({"oneOf": [{"$ref": "#/a"}, {"$ref": "#/b"}], "discriminator": {"propertyName": "type"}});
        assert_eq!(older(objects), json!({"oneOf": [{"$ref": "#/a"}, {"$ref": "#/b"}]}));
    }

    #[test]
    fn a_field_may_have_the_name_of_a_keyword() {
        let schema = json!({"type": "object", "properties": {"type": {"type": ["integer", "null"]}, "examples": {"type": "string"}}});
        let expected = json!({"type": "object", "properties": {"type": {"type": "integer", "nullable": true}, "examples": {"type": "string"}}});
        assert_eq!(older(schema), expected);
    }
}
