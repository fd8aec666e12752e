//! What may stand in a request: known members, their types and sizes; and how a PATCH changes an object.

use serde_json::Value;

use super::bad;
use crate::local::refusal::Refusal;
use crate::local::wire::Object;

/// What a member must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Is {
    /// From and to so many characters.
    Text(usize, usize),
    OneOf(&'static [&'static str]),
    Bool,
    Integer(i64, i64),
    Number,
    Texts,
    TextMap,
    Object(&'static [Member]),
    ObjectList(&'static [Member]),
    /// Any keys, each value an object.
    Objects(&'static [Member]),
}

pub(super) type Member = (&'static str, Is);

/// A body as an object; an empty one has no members.
pub(super) fn object(body: &[u8]) -> Result<Object, Refusal> {
    if body.is_empty() {
        return Ok(Object::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(serialization("the body is not a JSON object")),
    }
}

/// The known members of `body`, checked. Unknown ones and nulls are ignored, as AWS does.
pub(super) fn take(body: &Object, members: &[Member]) -> Result<Object, Refusal> {
    let mut taken = Object::new();
    for (name, is) in members {
        if let Some(value) = body.get(*name).filter(|value| !value.is_null()) {
            taken.insert((*name).to_owned(), check(name, value, *is)?);
        }
    }
    Ok(taken)
}

/// `take`, with members that must be there.
pub(super) fn take_with(
    body: &Object,
    members: &[Member],
    required: &[&str],
) -> Result<Object, Refusal> {
    let taken = take(body, members)?;
    match required.iter().find(|name| !taken.contains_key(**name)) {
        Some(missing) => Err(bad(format!("Missing required member: {missing}"))),
        None => Ok(taken),
    }
}

/// Members that are of HTTP APIs only.
pub(super) fn refuse_http_only(body: &Object, names: &[&str]) -> Result<(), Refusal> {
    let given = |name: &&&str| body.get(**name).is_some_and(|value| !value.is_null());
    match names.iter().find(given) {
        Some(name) => Err(bad(format!("{name} is only supported for HTTP APIs"))),
        None => Ok(()),
    }
}

fn check(name: &str, value: &Value, is: Is) -> Result<Value, Refusal> {
    let mistyped = || serialization(&format!("member {name} has the wrong type"));
    match is {
        Is::Text(least, most) => {
            let length = value.as_str().ok_or_else(mistyped)?.chars().count();
            if length < least || length > most {
                return Err(bad(format!(
                    "Invalid value for {name}: its length must be between {least} and {most}"
                )));
            }
        }
        Is::OneOf(choices) => {
            let given = value.as_str().ok_or_else(mistyped)?;
            if !choices.contains(&given) {
                let choices = choices.join(", ");
                return Err(bad(format!(
                    "Invalid value for {name}: {given} is not one of [{choices}]"
                )));
            }
        }
        Is::Bool => {
            value.as_bool().ok_or_else(mistyped)?;
        }
        Is::Integer(least, most) => {
            let given = value.as_i64().ok_or_else(mistyped)?;
            if given < least || given > most {
                return Err(bad(format!(
                    "Invalid value for {name}: {given} must be between {least} and {most}"
                )));
            }
        }
        Is::Number => {
            if value.as_f64().ok_or_else(mistyped)? < 0.0 {
                return Err(bad(format!(
                    "Invalid value for {name}: must not be negative"
                )));
            }
        }
        Is::Texts => {
            let items = value.as_array().ok_or_else(mistyped)?;
            if !items.iter().all(Value::is_string) {
                return Err(mistyped());
            }
        }
        Is::TextMap => {
            let items = value.as_object().ok_or_else(mistyped)?;
            if !items.values().all(Value::is_string) {
                return Err(mistyped());
            }
        }
        Is::Object(members) => {
            return Ok(take(value.as_object().ok_or_else(mistyped)?, members)?.into());
        }
        Is::ObjectList(members) => {
            let items = value.as_array().ok_or_else(mistyped)?.iter();
            let items = items.map(|item| check(name, item, Is::Object(members)));
            return Ok(items.collect::<Result<Vec<_>, _>>()?.into());
        }
        Is::Objects(members) => return objects(value.as_object().ok_or_else(mistyped)?, members),
    }
    Ok(value.clone())
}

fn objects(given: &Object, members: &'static [Member]) -> Result<Value, Refusal> {
    let mut taken = Object::new();
    for (key, value) in given {
        taken.insert(key.clone(), check(key, value, Is::Object(members))?);
    }
    Ok(taken.into())
}

/// What a member of a PATCH does to the object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Patch {
    Set,
    /// An empty text removes it.
    Clear,
    /// An empty text changes nothing.
    Keep,
    /// Keys are merged; an empty text removes its key.
    Keys,
    /// Objects are merged member by member.
    Deep,
}

/// A PATCH is a merge: what is absent stays. Members without a rule are set.
pub(super) fn merge(target: &mut Object, patch: Object, rules: &[(&str, Patch)]) {
    for (name, value) in patch {
        let rule = rules
            .iter()
            .find(|(member, _)| *member == name)
            .map_or(Patch::Set, |(_, rule)| *rule);
        let empty = value.as_str() == Some("");
        match rule {
            Patch::Clear if empty => {
                target.remove(&name);
            }
            Patch::Keep if empty => {}
            Patch::Keys => merge_keys(target, &name, value),
            Patch::Deep => {
                let slot = target.entry(name).or_insert_with(|| Object::new().into());
                merge_deep(slot, value);
            }
            Patch::Set | Patch::Clear | Patch::Keep => {
                target.insert(name, value);
            }
        }
    }
}

fn merge_keys(target: &mut Object, name: &str, patch: Value) {
    let (Some(slot), Value::Object(patch)) = (
        target
            .entry(name)
            .or_insert_with(|| Object::new().into())
            .as_object_mut(),
        patch,
    ) else {
        return;
    };
    for (key, value) in patch {
        if value.as_str() == Some("") {
            slot.remove(&key);
        } else {
            slot.insert(key, value);
        }
    }
}

fn merge_deep(slot: &mut Value, patch: Value) {
    match (slot, patch) {
        (Value::Object(slot), Value::Object(patch)) => {
            for (name, value) in patch {
                merge_deep(slot.entry(name).or_insert(Value::Null), value);
            }
        }
        (slot, patch) => *slot = patch,
    }
}

fn serialization(message: &str) -> Refusal {
    Refusal::new(400, "SerializationException", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: Value) -> Object {
        let Value::Object(object) = value else {
            panic!("an object");
        };
        object
    }

    #[test]
    fn unknown_members_are_ignored_and_wrong_types_are_refused() {
        const MEMBERS: &[Member] = &[("name", Is::Text(1, 3)), ("on", Is::Bool)];
        let taken = take(&of(json!({"name": "abc", "else": 1, "on": null})), MEMBERS).unwrap();
        assert_eq!(taken, of(json!({"name": "abc"})));
        for (body, code) in [
            (json!({"name": 1}), "SerializationException"),
            (json!({"on": "true"}), "SerializationException"),
            (json!({"name": "abcd"}), "BadRequestException"),
            (json!({"name": ""}), "BadRequestException"),
        ] {
            let refusal = take(&of(body.clone()), MEMBERS).unwrap_err();
            assert_eq!(
                (refusal.status, refusal.code.as_ref()),
                (400, code),
                "{body}"
            );
        }
    }

    #[test]
    fn a_patch_merges_by_its_rules() {
        let mut target = of(json!({
            "a": "1", "b": "2", "c": "3", "keys": {"x": "1", "y": "2"}, "deep": {"k": {"p": 1, "q": 2}}
        }));
        let patch = of(json!({
            "a": "", "b": "", "c": "", "keys": {"x": "", "z": "3"}, "deep": {"k": {"q": 3}, "l": {"p": 4}}
        }));
        merge(
            &mut target,
            patch,
            &[
                ("b", Patch::Clear),
                ("c", Patch::Keep),
                ("keys", Patch::Keys),
                ("deep", Patch::Deep),
            ],
        );
        let expected = json!({
            "a": "", "c": "3", "keys": {"y": "2", "z": "3"},
            "deep": {"k": {"p": 1, "q": 3}, "l": {"p": 4}}
        });
        assert_eq!(target, of(expected));
    }
}
