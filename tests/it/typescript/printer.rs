//! JSON Schema, as far as our own types use it, as TypeScript.

use boardcast::contract::schema::USUALLY;
use serde_json::{Map, Value};

/// What references to named types begin with.
const REFERENCE: &str = "#/$defs/";

/// A comment from a description.
pub(super) fn doc(text: &str, indent: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    match lines.as_slice() {
        [] | [""] => String::new(),
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let lines = lines.iter().map(|line| format!("{indent} * {line}\n"));
            format!("{indent}/**\n{}{indent} */\n", lines.collect::<String>())
        }
    }
}

/// What is said of a schema, or else of the first type that it refers to.
pub(super) fn described<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a str {
    if let Some(text) = schema["description"].as_str() {
        return text;
    }
    let target = schema["$ref"]
        .as_str()
        .and_then(|name| name.strip_prefix(REFERENCE));
    let choices = schema["anyOf"].as_array().into_iter().flatten();
    match target {
        Some(name) => definitions
            .get(name)
            .map_or("", |found| described(found, definitions)),
        // Beside an id that stands by itself, the object says what it is for.
        None => choices
            .last()
            .map_or("", |last| described(last, definitions)),
    }
}

/// The declaration of a named type.
pub(super) fn declaration(name: &str, schema: &Value) -> String {
    let comment = doc(schema["description"].as_str().unwrap_or_default(), "");
    if schema["type"] == "object" {
        return format!("{comment}export interface {name} {}\n", members(schema, ""));
    }
    format!("{comment}export type {name} = {};\n", type_of(schema))
}

/// The type that a schema describes.
pub(super) fn type_of(schema: &Value) -> String {
    let list = |key: &str| schema[key].as_array();
    if let Some(target) = schema["$ref"].as_str() {
        return target
            .strip_prefix(REFERENCE)
            .expect("a definition")
            .to_owned();
    }
    if schema.get(USUALLY).is_some() {
        return type_of(&schema[USUALLY]);
    }
    if let Some(value) = schema.get("const") {
        return literal(value);
    }
    if let Some(values) = list("enum") {
        return union(values.iter().map(literal));
    }
    if let Some(choices) = list("anyOf").or_else(|| list("oneOf")) {
        return union(choices.iter().map(type_of));
    }
    match &schema["type"] {
        Value::Array(types) => union(types.iter().map(|name| simple(name, schema))),
        Value::Null => "unknown".to_owned(),
        name => simple(name, schema),
    }
}

fn simple(name: &Value, schema: &Value) -> String {
    match name.as_str() {
        Some("integer" | "number") => "number".to_owned(),
        Some("array") => {
            let of = type_of(&schema["items"]);
            if of.contains(' ') {
                format!("Array<{of}>")
            } else {
                format!("{of}[]")
            }
        }
        Some("object") if schema.get("properties").is_none() => {
            "Record<string, unknown>".to_owned()
        }
        Some("object") => members(schema, "  "),
        Some(name @ ("string" | "boolean" | "null")) => name.to_owned(),
        _ => panic!("no TypeScript for {schema}"),
    }
}

fn members(schema: &Value, indent: &str) -> String {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut text = "{\n".to_owned();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let optional = if required.contains(&name.as_str().into()) {
            ""
        } else {
            "?"
        };
        let comment = property["description"].as_str().unwrap_or_default();
        text.push_str(&doc(comment, &format!("{indent}  ")));
        text += &[
            indent,
            "  ",
            name,
            optional,
            ": ",
            &type_of(property),
            ";\n",
        ]
        .concat();
    }
    if schema["additionalProperties"] == true {
        text += &doc("Any field.", &format!("{indent}  "));
        text += &[indent, "  [field: string]: unknown;\n"].concat();
    }
    text + indent + "}"
}

/// Each type once, in their order.
fn union(types: impl Iterator<Item = String>) -> String {
    let mut once: Vec<String> = Vec::new();
    for name in types {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once.join(" | ")
}

/// A JSON value as its own type.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        value => value.to_string(),
    }
}
