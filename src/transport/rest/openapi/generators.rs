//! JSON Schema can say the same in several ways, of which many programs that make clients understand one.

use serde_json::{Map, Value, json};

use crate::contract::schema::USUALLY;

/// Under these stands a schema, or a list of schemas…
const SCHEMA: [&str; 10] = [
    "schema",
    "items",
    "prefixItems",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "contains",
    "propertyNames",
    USUALLY,
];
/// … and under these some by their names.
const SCHEMAS_BY_NAME: [&str; 4] = ["properties", "patternProperties", "$defs", "schemas"];

/// Writes all schemas in a document in the way that is understood.
pub(super) fn understand(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                if SCHEMA.contains(&&**key) {
                    anything(value);
                    value
                        .as_array_mut()
                        .into_iter()
                        .flatten()
                        .for_each(anything);
                } else if SCHEMAS_BY_NAME.contains(&&**key) {
                    let named = value.as_object_mut().into_iter().flatten();
                    named.map(|(_, value)| value).for_each(anything);
                }
            }
            object.values_mut().for_each(understand);
            one_of_texts(object);
        }
        Value::Array(list) => list.iter_mut().for_each(understand),
        _ => {}
    }
}

/// `{}` instead of `true`: anything.
fn anything(schema: &mut Value) {
    if *schema == Value::Bool(true) {
        *schema = json!({});
    }
}

/// `enum` instead of several `const`: one of some texts. What each means goes into the description.
fn one_of_texts(schema: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = schema.get("oneOf") else {
        return;
    };
    let texts: Option<Vec<&str>> = variants
        .iter()
        .map(|variant| variant["const"].as_str())
        .collect();
    let Some(texts) = texts else { return };
    let mut about = vec![
        schema
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
    ];
    about.extend(variants.iter().filter_map(|variant| {
        Some(format!(
            "`{}`: {}",
            variant["const"].as_str()?,
            variant["description"].as_str()?
        ))
    }));
    let (texts, about) = (json!(texts), about.join("\n"));
    schema.remove("oneOf");
    schema.insert("type".to_owned(), "string".into());
    schema.insert("enum".to_owned(), texts);
    schema.insert("description".to_owned(), about.trim().into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_written_in_the_way_that_generators_understand() {
        let mut document = json!({
            "schema": true,
            "properties": {"a": true, "items": {"items": true, "additionalProperties": true}},
            "anyOf": [true, {"const": true}],
            "default": true,
            "code": {"description": "Why.", "oneOf": [
                {"const": "a", "type": "string", "description": "First."}, {"const": "b", "type": "string"}
            ]},
            "id": {"oneOf": [{"const": "a"}, {"type": "number"}]},
        });
        understand(&mut document);
        let expected = json!({
            "schema": {},
            "properties": {"a": {}, "items": {"items": {}, "additionalProperties": true}},
            "anyOf": [{}, {"const": true}],
            "default": true,
            "code": {"type": "string", "description": "Why.\n`a`: First.", "enum": ["a", "b"]},
            "id": {"oneOf": [{"const": "a"}, {"type": "number"}]},
        });
        assert_eq!(document, expected);
    }
}
