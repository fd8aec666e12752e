//! JSON as `DynamoDB` stores it: the conversion, and the limits that an item must keep.
//!
//! Pure. Checked here and not by the table, so that a client reads which field is wrong.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value};

use crate::reply::{Code, Refusal};

/// The largest item, in bytes, names included.
pub const ITEM_BYTES: usize = 400 * 1024;

/// How deep lists and maps may nest.
const DEPTH: usize = 32;

/// The longest name of an attribute, in bytes.
const NAME_BYTES: usize = 65_535;

/// The magnitudes that `DynamoDB`'s decimal numbers cover; JSON's go further.
const NUMBERS: std::ops::Range<f64> = 1e-130..1e126;

/// One JSON value as an attribute.
pub fn to_attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(values) => AttributeValue::L(values.iter().map(to_attribute).collect()),
        Value::Object(fields) => AttributeValue::M(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), to_attribute(value)))
                .collect(),
        ),
    }
}

/// An attribute as a JSON value; sets are lists, and what JSON has no word for is `null`.
pub fn from_attribute(attribute: &AttributeValue) -> Value {
    let texts = |values: &[String]| values.iter().cloned().map(Value::String).collect();
    match attribute {
        AttributeValue::Bool(flag) => Value::Bool(*flag),
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::N(number) => number_from(number),
        AttributeValue::L(values) => values.iter().map(from_attribute).collect(),
        AttributeValue::M(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), from_attribute(value)))
                .collect(),
        ),
        AttributeValue::Ss(values) => texts(values),
        AttributeValue::Ns(values) => values.iter().map(|number| number_from(number)).collect(),
        _ => Value::Null,
    }
}

fn number_from(text: &str) -> Value {
    serde_json::from_str::<serde_json::Number>(text).map_or(Value::Null, Value::Number)
}

/// Refuses an item that the table would refuse whatever its key.
pub fn check(item: &Map<String, Value>) -> Result<(), Refusal> {
    check_fields(item, 0)?;
    let size = fields_size(item);
    if size > ITEM_BYTES {
        return Err(Refusal::new(
            Code::TooLarge,
            format!("the message takes {size} bytes in the table; the most is {ITEM_BYTES}"),
        ));
    }
    Ok(())
}

fn check_fields(fields: &Map<String, Value>, depth: usize) -> Result<(), Refusal> {
    for (name, value) in fields {
        if name.is_empty() || name.len() > NAME_BYTES {
            let message = format!("a field's name is empty or longer than {NAME_BYTES} bytes");
            return Err(Refusal::invalid(message));
        }
        check_value(name, value, depth)?;
    }
    Ok(())
}

fn check_value(name: &str, value: &Value, depth: usize) -> Result<(), Refusal> {
    let is_nested = matches!(value, Value::Array(_) | Value::Object(_));
    if is_nested && depth == DEPTH {
        let message = format!("`{name}` nests deeper than {DEPTH} levels");
        return Err(Refusal::invalid(message));
    }
    match value {
        Value::Number(number) => {
            let size = number.as_f64().unwrap_or_default().abs();
            if size != 0.0 && !NUMBERS.contains(&size) {
                let message = format!("`{name}` holds a number that DynamoDB cannot store");
                return Err(Refusal::invalid(message));
            }
            Ok(())
        }
        Value::Array(values) => values
            .iter()
            .try_for_each(|value| check_value(name, value, depth + 1)),
        Value::Object(fields) => check_fields(fields, depth + 1),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// What an item counts against the limit, rounded up where the exact rule is not published.
fn fields_size(fields: &Map<String, Value>) -> usize {
    fields
        .iter()
        .map(|(name, value)| name.len() + value_size(value))
        .sum()
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(number) => number.to_string().len() / 2 + 2,
        Value::String(text) => text.len(),
        Value::Array(values) => 3 + values.iter().map(|v| 1 + value_size(v)).sum::<usize>(),
        Value::Object(fields) => 3 + fields.len() + fields_size(fields),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problem(item: Value) -> Option<Code> {
        let Value::Object(item) = item else {
            panic!("an item is an object")
        };
        check(&item).err().map(|refusal| refusal.code)
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!([inner]))
    }

    #[test]
    fn values_keep_their_types() {
        let value = json!({"a": ["x", 1, -2.5, true, null]});
        let AttributeValue::M(fields) = to_attribute(&value) else {
            panic!("a map")
        };
        assert_eq!(
            fields["a"],
            AttributeValue::L(vec![
                AttributeValue::S("x".into()),
                AttributeValue::N("1".into()),
                AttributeValue::N("-2.5".into()),
                AttributeValue::Bool(true),
                AttributeValue::Null(true),
            ])
        );
    }

    #[test]
    fn what_was_stored_reads_as_it_was_written() {
        let value = json!({"a": ["x", 1, -2.5, true, null, {"b": u64::MAX}]});
        assert_eq!(from_attribute(&to_attribute(&value)), value);
        let set = AttributeValue::Ss(vec!["bob".into(), "eve".into()]);
        assert_eq!(from_attribute(&set), json!(["bob", "eve"]));
    }

    #[test]
    fn what_dynamodb_cannot_store_is_refused() {
        assert_eq!(problem(json!({"a": {"": 1}})), Some(Code::Invalid));
        assert_eq!(problem(json!({"a": [1e126]})), Some(Code::Invalid));
        assert_eq!(problem(json!({"a": -1e-131})), Some(Code::Invalid));
        assert_eq!(
            problem(json!({"a": 0, "b": 9.9e125, "c": u64::MAX, "d": ""})),
            None
        );
        assert_eq!(problem(json!({"a": nested(32)})), None);
        assert_eq!(problem(json!({"a": nested(33)})), Some(Code::Invalid));
    }

    #[test]
    fn an_item_is_measured_with_its_names() {
        assert_eq!(problem(json!({"ab": "x".repeat(ITEM_BYTES - 2)})), None);
        assert_eq!(
            problem(json!({"ab": "x".repeat(ITEM_BYTES - 1)})),
            Some(Code::TooLarge)
        );
        // Tiny elements cost more in the table than in JSON.
        assert_eq!(
            problem(json!({"a": vec![json!([]); ITEM_BYTES / 4]})),
            Some(Code::TooLarge)
        );
    }
}
