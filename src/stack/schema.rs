//! The JSON Schema of `stack.yaml`: for editors, and for `shape.rs`, so that both say the same.
//!
//! In: the types' derives. Out: draft-07, which editors' YAML servers know best.
//! Never: a rule of its own; what the types cannot say is in `validate.rs`.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Stack;

/// What the name of a definition begins with when it may be given in part.
pub(crate) const PARTIAL: &str = "Partial";

/// The definition of one entry of `environments`.
pub(crate) const ENVIRONMENT: &str = "Environment";

/// The schema of a whole file, `environments` included.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<Stack>().to_value();
    let definitions = match schema["definitions"].take() {
        Value::Object(definitions) => definitions,
        _ => Map::new(),
    };
    let mut all = definitions.clone();
    for (name, definition) in &definitions {
        all.insert(format!("{PARTIAL}{name}"), partial(definition));
    }
    all.insert(ENVIRONMENT.to_owned(), environment(&schema));
    all.sort_keys();
    schema["title"] = json!("msgai stack");
    schema["description"] =
        json!("What a WebSocket API, its functions and its tables on AWS should be");
    schema["properties"]["environments"] = json!({
        "description": "Merged over the rest when chosen with `-e NAME` or MSGAI_ENV: maps merge, anything else replaces, and `null` takes a key away. Unless said: none.",
        "type": "object",
        "additionalProperties": { "$ref": format!("#/definitions/{ENVIRONMENT}") },
        "examples": [{ "dev": { "suffix": "-dev" } }],
    });
    schema["definitions"] = Value::Object(all);
    join_lines(&mut schema);
    schema
}

/// Doc comments are broken into lines for the source; an editor shows a description as one.
fn join_lines(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(text) if key == "description" => *text = text.replace('\n', " "),
                    _ => join_lines(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(join_lines),
        _ => {}
    }
}

/// The schema as the file at the repository's root has it.
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

fn environment(stack: &Value) -> Value {
    let mut whole = partial(stack);
    if let Some(object) = whole.as_object_mut() {
        for key in ["$schema", "definitions", "title"] {
            object.shift_remove(key);
        }
    }
    whole["description"] = json!("The same keys as the file, in part.");
    whole
}

/// The same, with nothing required and `null` allowed under every key.
fn partial(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => {
            let mut out = Map::new();
            for (key, value) in object {
                let value = match (key.as_str(), value) {
                    ("required" | "default", _) => continue,
                    ("$ref", Value::String(to)) => {
                        json!(to.replace("#/definitions/", &format!("#/definitions/{PARTIAL}")))
                    }
                    ("properties", Value::Object(properties)) => properties
                        .iter()
                        .map(|(name, property)| (name.clone(), or_null(partial(property))))
                        .collect::<Map<_, _>>()
                        .into(),
                    ("additionalProperties", Value::Object(_)) => or_null(partial(value)),
                    ("examples", _) => value.clone(),
                    _ => partial(value),
                };
                out.insert(key.clone(), value);
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(partial).collect(),
        other => other.clone(),
    }
}

fn or_null(mut schema: Value) -> Value {
    let nothing = json!("null");
    match schema.get_mut("type") {
        Some(Value::Array(types)) if types.contains(&nothing) => schema,
        Some(Value::Array(types)) => {
            types.push(nothing);
            schema
        }
        Some(one) => {
            *one = json!([one.take(), nothing]);
            schema
        }
        None => or_null_beside(schema),
    }
}

/// A reference or a choice cannot say `null` itself: put it beside, unless it is there.
fn or_null_beside(mut schema: Value) -> Value {
    let nothing = json!({ "type": "null" });
    if schema["anyOf"]
        .as_array()
        .is_some_and(|any| any.contains(&nothing))
    {
        return schema;
    }
    let description = schema
        .as_object_mut()
        .and_then(|object| object.shift_remove("description"));
    let mut beside = json!({ "anyOf": [schema, nothing] });
    if let Some(description) = description {
        beside["description"] = description;
    }
    beside
}

#[cfg(test)]
mod tests {
    use super::super::Shipped;
    use super::*;

    #[test]
    fn the_committed_schema_is_this_one() {
        let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/stack.schema.json");
        let text = std::fs::read_to_string(committed).unwrap_or_default();
        assert!(
            text == schema_text(),
            "stack.schema.json is out of date; regenerate it: msgai schema > stack.schema.json"
        );
    }

    /// `shape.rs` reads this much of JSON Schema and no more.
    #[test]
    fn only_known_words_are_used() {
        const KNOWN: &[&str] = &[
            "$ref",
            "$schema",
            "additionalProperties",
            "allOf",
            "anyOf",
            "const",
            "default",
            "definitions",
            "description",
            "enum",
            "examples",
            "format",
            "items",
            "maximum",
            "minimum",
            "oneOf",
            "pattern",
            "properties",
            "required",
            "title",
            "type",
        ];
        fn look(schema: &Value) {
            let Some(object) = schema.as_object() else {
                assert_eq!(
                    schema, false,
                    "a schema is an object, or refuses everything"
                );
                return;
            };
            for (key, value) in object {
                assert!(KNOWN.contains(&key.as_str()), "`{key}` is new to shape.rs");
                match (key.as_str(), value) {
                    ("type", Value::String(_)) => {}
                    ("type", Value::Array(types)) => assert!(types.iter().all(Value::is_string)),
                    ("type", other) => panic!("{other} is not a type"),
                    ("properties" | "definitions", Value::Object(named)) => {
                        named.values().for_each(look);
                    }
                    ("anyOf" | "allOf" | "oneOf", Value::Array(several)) => {
                        several.iter().for_each(look);
                    }
                    ("items" | "additionalProperties", one) => look(one),
                    _ => {}
                }
            }
        }
        look(&schema());
    }

    #[test]
    fn a_shipped_handler_has_one_spelling() {
        let spelled = schema()["definitions"]["Shipped"].clone();
        let words: Vec<String> = spelled["oneOf"]
            .as_array()
            .into_iter()
            .flatten()
            .chain([&spelled])
            .flat_map(|one| {
                let several = one["enum"].as_array().cloned().unwrap_or_default();
                several.into_iter().chain(one.get("const").cloned())
            })
            .map(|word| word.as_str().unwrap_or_default().to_owned())
            .collect();
        assert!(words.len() > 5, "{spelled}");
        for word in words {
            let shipped: Shipped = serde_json::from_value(word.clone().into()).unwrap();
            assert_eq!(shipped.word(), word);
        }
    }

    #[test]
    fn every_key_is_described() {
        let schema = schema();
        let mut bare = Vec::new();
        for (name, definition) in schema["definitions"].as_object().into_iter().flatten() {
            for (key, property) in definition["properties"].as_object().into_iter().flatten() {
                if !property.to_string().contains("\"description\":") {
                    bare.push(format!("{name}.{key}"));
                }
            }
        }
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            if property["description"].is_null() {
                bare.push(key.clone());
            }
        }
        assert_eq!(bare, Vec::<String>::new());
    }
}
