//! CBOR (RFC 8949), as far as AWS's protocol of that name uses it, to and from JSON values.
//!
//! A time is a number under tag 1: reading drops the tag, and writing sets it where a member is a list of times.

use minicbor::data::{Tag, Type};
use minicbor::decode::Error;
use minicbor::{Decoder, Encoder};
use serde_json::{Map, Number, Value};

/// The one member of CloudWatch's answers that holds times.
const TIMES: &str = "Timestamps";
const EPOCH: u64 = 1;

/// How deep a document may be.
const DEPTH: u8 = 32;

/// `None` for what is no CBOR, or deeper than anybody's request.
pub(crate) fn read(bytes: &[u8]) -> Option<Value> {
    let mut from = Decoder::new(bytes);
    let value = value(&mut from, DEPTH).ok()?;
    (from.position() == bytes.len()).then_some(value)
}

fn value(from: &mut Decoder<'_>, depth: u8) -> Result<Value, Error> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Error::message("too deep"));
    };
    Ok(match from.datatype()? {
        Type::Bool => from.bool()?.into(),
        Type::Null | Type::Undefined => {
            from.skip()?;
            Value::Null
        }
        Type::F16 => number(from.f16()?.into()),
        Type::F32 => number(from.f32()?.into()),
        Type::F64 => number(from.f64()?),
        Type::String | Type::StringIndef => {
            let parts: Result<String, Error> = from.str_iter()?.collect();
            parts?.into()
        }
        Type::Array | Type::ArrayIndef => Value::Array(items(from, depth)?),
        Type::Map | Type::MapIndef => Value::Object(members(from, depth)?),
        Type::Tag => {
            from.tag()?;
            value(from, depth)?
        }
        Type::Bytes | Type::BytesIndef => return Err(Error::message("bytes are not expected")),
        _ => {
            let whole = i128::from(from.int()?);
            Number::from_i128(whole).map_or(Value::Null, Value::Number)
        }
    })
}

fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn items(from: &mut Decoder<'_>, depth: u8) -> Result<Vec<Value>, Error> {
    let mut left = from.array()?;
    let mut items = Vec::new();
    while more(from, &mut left)? {
        items.push(value(from, depth)?);
    }
    Ok(items)
}

fn members(from: &mut Decoder<'_>, depth: u8) -> Result<Map<String, Value>, Error> {
    let mut left = from.map()?;
    let mut members = Map::new();
    while more(from, &mut left)? {
        let Value::String(name) = value(from, depth)? else {
            return Err(Error::message("a member's name is text"));
        };
        members.insert(name, value(from, depth)?);
    }
    Ok(members)
}

/// Whether another item comes; where nobody said how many, a break is the end.
fn more(from: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, Error> {
    if let Some(left) = left {
        let is_more = *left > 0;
        *left = left.saturating_sub(1);
        return Ok(is_more);
    }
    let is_end = from.datatype()? == Type::Break;
    if is_end {
        from.skip()?;
    }
    Ok(!is_end)
}

pub(crate) fn write(value: &Value) -> Vec<u8> {
    let mut to = Encoder::new(Vec::new());
    // A vector takes everything.
    put(&mut to, value, false).ok();
    to.into_writer()
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn put(to: &mut Encoder<Vec<u8>>, value: &Value, is_time: bool) -> Written {
    match value {
        Value::Null => to.null()?,
        Value::Bool(value) => to.bool(*value)?,
        Value::String(text) => to.str(text)?,
        Value::Number(number) => {
            if is_time {
                to.tag(Tag::new(EPOCH))?;
            }
            match number.as_i64() {
                Some(whole) => to.i64(whole)?,
                None => to.f64(number.as_f64().unwrap_or_default())?,
            }
        }
        Value::Array(items) => {
            to.array(length(items.len()))?;
            for item in items {
                put(to, item, is_time)?;
            }
            to
        }
        Value::Object(members) => {
            to.map(length(members.len()))?;
            for (name, value) in members {
                to.str(name)?;
                put(to, value, name == TIMES)?;
            }
            to
        }
    };
    Ok(())
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let value = json!({
            "Id": "m1", "Values": [1, 2.5, -7, 1e300], "Timestamps": [1_700_000_000], "More": null,
            "Deep": { "er": [[true, false], {}] }, "Text": "ä\u{1f600}",
        });
        assert_eq!(read(&write(&value)), Some(value));
    }

    #[test]
    fn times_have_their_tag_and_other_numbers_none() {
        let times = write(&json!({ "Timestamps": [1] }));
        assert_eq!(times, b"\xa1\x6aTimestamps\x81\xc1\x01");
        assert_eq!(write(&json!({ "Values": [1] })), b"\xa1\x66Values\x81\x01");
    }

    /// The examples are of RFC 8949, Appendix A.
    #[test]
    fn every_form_of_length_and_number_is_read() {
        let cases: [(&[u8], Value); 8] = [
            (
                b"\xbf\x61a\x01\x61b\x9f\x02\x03\xff\xff",
                json!({"a": 1, "b": [2, 3]}),
            ),
            (b"\x7f\x65strea\x64ming\xff", json!("streaming")),
            (b"\xc1\x1a\x51\x4b\x67\xb0", json!(1_363_896_240)),
            (
                b"\xc1\xfb\x41\xd4\x52\xd9\xec\x20\x00\x00",
                json!(1_363_896_240.5),
            ),
            (b"\xf9\x3e\x00", json!(1.5)),
            (b"\x38\x63", json!(-100)),
            (b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", json!(u64::MAX)),
            (b"\xf7", Value::Null),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(bytes), Some(expected), "{bytes:x?}");
        }
    }

    #[test]
    fn what_is_not_whole_or_too_deep_is_refused() {
        for bytes in [
            &b""[..],
            b"\xa1",
            b"\x81",
            b"\x01\x01",
            b"\xa1\x01\x01",
            b"\x41a",
            b"\xff",
        ] {
            assert_eq!(read(bytes), None, "{bytes:x?}");
        }
        let mut deep = vec![0x81; 100_000];
        deep.push(1);
        assert_eq!(read(&deep), None);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            read(&bytes);
        }
    }
}
