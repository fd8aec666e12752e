//! A statement's conditions: operators, and the keys that a request carries.
//!
//! As IAM has them: every operator, `…IfExists`, `ForAllValues:` and `ForAnyValue:`. A key that is not there makes a
//! condition false, but for the negated ones. An operator that is not known never lets anybody in.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use serde_json::Value;

use super::pattern;

/// What is known of a request, by key. Keys are the same whatever their case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.set_all(key, vec![value.into()]);
    }

    pub(crate) fn set_all(&mut self, key: &str, values: Vec<String>) {
        self.0.insert(key.to_ascii_lowercase(), values);
    }

    pub(super) fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }
}

/// What a statement's conditions come to.
#[derive(Debug, Default)]
pub(super) struct Met {
    pub(super) all: bool,
    /// Keys that were asked for and are not there.
    pub(super) missing: BTreeSet<String>,
    /// Operators that there are not.
    pub(super) unknown: BTreeSet<String>,
}

/// Holds a request against a `Condition`. `fills` is whether `${…}` means something.
pub(super) fn met(condition: Option<&Value>, context: &Context, fills: bool) -> Met {
    let mut met = Met {
        all: true,
        ..Met::default()
    };
    let operators = condition.and_then(Value::as_object);
    for (name, keys) in operators.into_iter().flatten() {
        let Some(operator) = Operator::parse(name) else {
            met.unknown.insert(name.clone());
            met.all = false;
            continue;
        };
        for (key, wanted) in keys.as_object().into_iter().flatten() {
            let given = context.get(key);
            if given.is_none() && !matches!(operator.kind, Kind::Null) {
                met.missing.insert(key.clone());
            }
            let wanted = values(wanted);
            met.all &= operator.holds(&wanted, given, fills.then_some(context));
        }
    }
    met
}

/// Whether there is an operator of this name.
pub(super) fn is_operator(name: &str) -> bool {
    Operator::parse(name).is_some()
}

/// One value or a list; numbers and booleans are as good as texts.
fn values(value: &Value) -> Vec<Cow<'_, str>> {
    match value {
        Value::String(text) => vec![Cow::Borrowed(text)],
        Value::Array(items) => items.iter().flat_map(values).collect(),
        Value::Bool(_) | Value::Number(_) => vec![Cow::Owned(value.to_string())],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    TextOfAnyCase,
    Like,
    Number(fn(Ordering) -> bool),
    Date(fn(Ordering) -> bool),
    Bool,
    Binary,
    Address,
    Arn,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Over {
    One,
    All,
    Any,
}

#[derive(Debug, Clone, Copy)]
struct Operator {
    kind: Kind,
    negated: bool,
    over: Over,
    if_exists: bool,
}

impl Operator {
    fn parse(name: &str) -> Option<Self> {
        let (over, name) = if let Some(name) = name.strip_prefix("ForAllValues:") {
            (Over::All, name)
        } else if let Some(name) = name.strip_prefix("ForAnyValue:") {
            (Over::Any, name)
        } else {
            (Over::One, name)
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (kind, negated) = kind(name)?;
        if matches!(kind, Kind::Null) && (if_exists || over != Over::One) {
            return None;
        }
        Some(Self {
            kind,
            negated,
            over,
            if_exists,
        })
    }

    fn holds(
        self,
        wanted: &[Cow<'_, str>],
        given: Option<&[String]>,
        variables: Option<&Context>,
    ) -> bool {
        if matches!(self.kind, Kind::Null) {
            let absent = given.is_none().to_string();
            return wanted.iter().any(|w| w.eq_ignore_ascii_case(&absent));
        }
        let Some(given) = given else {
            return self.if_exists
                || match self.over {
                    Over::One => self.negated,
                    Over::All => true,
                    Over::Any => false,
                };
        };
        let same = |value: &String| wanted.iter().any(|w| self.kind.same(w, value, variables));
        match self.over {
            Over::One => given.iter().any(same) != self.negated,
            Over::All => given.iter().all(|value| same(value) != self.negated),
            Over::Any => given.iter().any(|value| same(value) != self.negated),
        }
    }
}

fn kind(name: &str) -> Option<(Kind, bool)> {
    let not = |kind| Some((kind, true));
    let is = |kind| Some((kind, false));
    match name {
        "StringEquals" => is(Kind::Text),
        "StringNotEquals" => not(Kind::Text),
        "StringEqualsIgnoreCase" => is(Kind::TextOfAnyCase),
        "StringNotEqualsIgnoreCase" => not(Kind::TextOfAnyCase),
        "StringLike" => is(Kind::Like),
        "StringNotLike" => not(Kind::Like),
        "Bool" => is(Kind::Bool),
        "BinaryEquals" => is(Kind::Binary),
        "IpAddress" => is(Kind::Address),
        "NotIpAddress" => not(Kind::Address),
        // The two are the same: both take wildcards.
        "ArnEquals" | "ArnLike" => is(Kind::Arn),
        "ArnNotEquals" | "ArnNotLike" => not(Kind::Arn),
        "Null" => is(Kind::Null),
        _ => {
            if let Some(order) = name.strip_prefix("Numeric") {
                let (order, negated) = order_of(order)?;
                return Some((Kind::Number(order), negated));
            }
            let (order, negated) = order_of(name.strip_prefix("Date")?)?;
            Some((Kind::Date(order), negated))
        }
    }
}

type Order = fn(Ordering) -> bool;

/// How the request's value stands to the policy's.
fn order_of(name: &str) -> Option<(Order, bool)> {
    let order: (Order, bool) = match name {
        "Equals" => (Ordering::is_eq, false),
        "NotEquals" => (Ordering::is_eq, true),
        "LessThan" => (Ordering::is_lt, false),
        "LessThanEquals" => (Ordering::is_le, false),
        "GreaterThan" => (Ordering::is_gt, false),
        "GreaterThanEquals" => (Ordering::is_ge, false),
        _ => return None,
    };
    Some(order)
}

impl Kind {
    fn same(self, wanted: &str, given: &str, variables: Option<&Context>) -> bool {
        match self {
            Self::Text => pattern::equals(wanted, given, variables),
            Self::TextOfAnyCase => {
                pattern::equals(&wanted.to_lowercase(), &given.to_lowercase(), variables)
            }
            Self::Like => pattern::covers(wanted, given, variables),
            Self::Arn => pattern::covers_arn(wanted, given, variables),
            Self::Bool => wanted.eq_ignore_ascii_case(given),
            Self::Binary => wanted == given,
            Self::Number(order) => number(given)
                .zip(number(wanted))
                .and_then(|(given, wanted)| given.partial_cmp(&wanted))
                .is_some_and(order),
            Self::Date(order) => date(given)
                .zip(date(wanted))
                .is_some_and(|(given, wanted)| order(given.cmp(&wanted))),
            Self::Address => network(wanted)
                .zip(given.parse::<IpAddr>().ok())
                .is_some_and(|(network, address)| network.contains(&address)),
            Self::Null => false,
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// A time of ISO 8601, also a date alone, or seconds since 1970.
fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse() {
        return Timestamp::from_second(seconds).ok();
    }
    let of = |time: civil::DateTime| Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let short = || of(text.strip_suffix('Z').unwrap_or(text).parse().ok()?);
    let day = || of(text.parse::<Date>().ok()?.to_datetime(civil::Time::MIN));
    text.parse().ok().or_else(short).or_else(day)
}

/// A range of addresses, or one address.
fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context() -> Context {
        let mut context = Context::default();
        context.set("aws:PrincipalAccount", "000000000000");
        context.set("aws:SourceIp", "10.1.2.3");
        context.set("aws:SecureTransport", "true");
        context.set("aws:CurrentTime", "2026-03-01T12:00:00Z");
        context.set("aws:Size", "42");
        context.set("aws:PrincipalTag/team", "Chat*");
        context.set(
            "AWS:SourceArn",
            "arn:aws:execute-api:us-east-1:1:a1/prod/$connect",
        );
        let keys = ["team", "stage"].map(str::to_owned).to_vec();
        context.set_all("aws:TagKeys", keys);
        context.set_all("aws:NoKeys", Vec::new());
        context
    }

    fn holds(operator: &str, key: &str, wanted: &Value) -> bool {
        let condition = json!({ operator: { key: wanted } });
        met(Some(&condition), &context(), true).all
    }

    #[test]
    fn each_operator_has_its_cases() {
        let arn = "arn:aws:execute-api:us-east-1:1:a1/*";
        let cases = [
            (
                "StringEquals",
                "AWS:principalaccount",
                json!("000000000000"),
                true,
            ),
            (
                "StringEquals",
                "aws:PrincipalAccount",
                json!(["1", "000000000000"]),
                true,
            ),
            ("StringEquals", "aws:PrincipalAccount", json!("0*"), false),
            (
                "StringNotEquals",
                "aws:PrincipalAccount",
                json!(["1", "000000000000"]),
                false,
            ),
            (
                "StringNotEquals",
                "aws:PrincipalAccount",
                json!(["1", "2"]),
                true,
            ),
            (
                "StringEqualsIgnoreCase",
                "aws:PrincipalTag/team",
                json!("cHAT*"),
                true,
            ),
            (
                "StringNotEqualsIgnoreCase",
                "aws:PrincipalTag/team",
                json!("cHAT*"),
                false,
            ),
            ("StringLike", "aws:PrincipalAccount", json!("0*0"), true),
            ("StringLike", "aws:PrincipalAccount", json!("0?"), false),
            ("StringNotLike", "aws:PrincipalAccount", json!("1*"), true),
            ("NumericEquals", "aws:Size", json!(42), true),
            ("NumericEquals", "aws:Size", json!("42.0"), true),
            ("NumericNotEquals", "aws:Size", json!("42"), false),
            ("NumericLessThan", "aws:Size", json!("42"), false),
            ("NumericLessThanEquals", "aws:Size", json!("42"), true),
            ("NumericGreaterThan", "aws:Size", json!("41"), true),
            ("NumericGreaterThanEquals", "aws:Size", json!("43"), false),
            ("NumericEquals", "aws:PrincipalTag/team", json!("42"), false),
            ("DateLessThan", "aws:CurrentTime", json!("2026-03-02"), true),
            (
                "DateLessThan",
                "aws:CurrentTime",
                json!("2026-03-01T12:00Z"),
                false,
            ),
            (
                "DateLessThanEquals",
                "aws:CurrentTime",
                json!("2026-03-01T12:00:00Z"),
                true,
            ),
            (
                "DateGreaterThan",
                "aws:CurrentTime",
                json!(1_700_000_000),
                true,
            ),
            (
                "DateEquals",
                "aws:CurrentTime",
                json!("2026-03-01T13:00:00+01:00"),
                true,
            ),
            ("DateGreaterThan", "aws:CurrentTime", json!("soon"), false),
            ("Bool", "aws:SecureTransport", json!(true), true),
            ("Bool", "aws:SecureTransport", json!("False"), false),
            ("BinaryEquals", "aws:Size", json!("42"), true),
            (
                "IpAddress",
                "aws:SourceIp",
                json!(["192.168.0.0/16", "10.0.0.0/8"]),
                true,
            ),
            ("IpAddress", "aws:SourceIp", json!("10.1.2.3"), true),
            ("NotIpAddress", "aws:SourceIp", json!("10.0.0.0/8"), false),
            ("NotIpAddress", "aws:SourceIp", json!("::1/128"), true),
            ("ArnLike", "aws:SourceArn", json!(arn), true),
            ("ArnEquals", "aws:SourceArn", json!(arn), true),
            (
                "ArnLike",
                "aws:SourceArn",
                json!("arn:aws:execute-api:*:a1/*"),
                false,
            ),
            ("ArnNotLike", "aws:SourceArn", json!(arn), false),
            ("Null", "aws:SourceArn", json!("false"), true),
            ("Null", "aws:username", json!(true), true),
            ("Null", "aws:username", json!(false), false),
        ];
        for (operator, key, wanted, expected) in cases {
            let found = holds(operator, key, &wanted);
            assert_eq!(found, expected, "{operator} {key} {wanted}");
        }
    }

    #[test]
    fn a_key_that_is_not_there_is_no_match() {
        for (operator, expected) in [
            ("StringEquals", false),
            ("StringEqualsIfExists", true),
            ("StringNotEquals", true),
            ("NumericLessThan", false),
            ("NumericLessThanIfExists", true),
            ("ForAllValues:StringEquals", true),
            ("ForAllValues:StringNotEquals", true),
            ("ForAnyValue:StringEquals", false),
            ("ForAnyValue:StringNotEquals", false),
            ("ForAnyValue:StringEqualsIfExists", true),
        ] {
            assert_eq!(
                holds(operator, "aws:gone", &json!("1")),
                expected,
                "{operator}"
            );
        }
        let condition =
            json!({ "StringLike": { "aws:gone": "*" }, "Null": { "aws:away": "true" } });
        let met = met(Some(&condition), &context(), true);
        assert_eq!(met.missing, BTreeSet::from(["aws:gone".to_owned()]));
    }

    #[test]
    fn sets_are_judged_value_by_value() {
        for (operator, key, wanted, expected) in [
            (
                "ForAllValues:StringEquals",
                "aws:TagKeys",
                json!(["team", "stage", "x"]),
                true,
            ),
            (
                "ForAllValues:StringEquals",
                "aws:TagKeys",
                json!(["team"]),
                false,
            ),
            (
                "ForAllValues:StringNotEquals",
                "aws:TagKeys",
                json!(["x"]),
                true,
            ),
            (
                "ForAllValues:StringNotEquals",
                "aws:TagKeys",
                json!(["team"]),
                false,
            ),
            ("ForAnyValue:StringLike", "aws:TagKeys", json!("st*"), true),
            ("ForAnyValue:StringEquals", "aws:TagKeys", json!("x"), false),
            (
                "ForAnyValue:StringNotEquals",
                "aws:TagKeys",
                json!("team"),
                true,
            ),
            ("ForAllValues:StringEquals", "aws:NoKeys", json!("x"), true),
            ("ForAnyValue:StringEquals", "aws:NoKeys", json!("x"), false),
        ] {
            assert_eq!(
                holds(operator, key, &wanted),
                expected,
                "{operator} {wanted}"
            );
        }
    }

    #[test]
    fn an_operator_that_there_is_not_is_named_and_never_holds() {
        for operator in [
            "StringSame",
            "NullIfExists",
            "ForAllValues:Null",
            "NumericLike",
            "Date",
        ] {
            let condition = json!({ operator: { "aws:Size": "42" } });
            let met = met(Some(&condition), &context(), true);
            assert!(!met.all);
            assert_eq!(met.unknown, BTreeSet::from([operator.to_owned()]));
        }
    }

    #[test]
    fn all_conditions_must_hold() {
        let both = json!({
            "StringEquals": { "aws:PrincipalAccount": "000000000000", "aws:Size": "42" },
            "Bool": { "aws:SecureTransport": "true" },
        });
        assert!(met(Some(&both), &context(), true).all);
        let one = json!({
            "StringEquals": { "aws:PrincipalAccount": "000000000000", "aws:Size": "43" },
        });
        assert!(!met(Some(&one), &context(), true).all);
        assert!(met(None, &context(), true).all);
    }
}
