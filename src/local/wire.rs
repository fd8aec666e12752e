//! The four protocols' answers: rest-json, awsJson, query XML and CBOR, from a value or a [`Refusal`].
//!
//! In: what a service decided. Out: the bytes AWS's own clients parse. Never: a decision.

use std::time::Duration;

use aws_smithy_xml::encode::{ScopeWriter, XmlWriter};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::cbor;
use super::refusal::Refusal;

/// A JSON object, as every service but IAM speaks.
pub(crate) type Object = Map<String, Value>;

/// A service's "yes": a status and, mostly, a body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Value>) -> Self {
        Self::new(200, body)
    }

    pub(crate) fn new(status: u16, body: impl Into<Value>) -> Self {
        Self {
            status,
            body: Some(body.into()),
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, body: None }
    }
}

/// What requests and answers in CBOR call their protocol.
pub(crate) const RPC: &str = "rpc-v2-cbor";

/// How a service spells its answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Protocol {
    Rest,
    /// awsJson with its version.
    Json(&'static str),
    /// Query, with the namespace of its XML.
    Query(&'static str),
    /// RPC v2, where requests and answers are CBOR.
    Cbor,
}

impl Protocol {
    pub(crate) fn reply(self, operation: &str, request_id: &str, reply: &Reply) -> Response {
        match self {
            Self::Rest => json(reply.status, "application/json", reply.body.as_ref()),
            Self::Json(version) => json(
                reply.status,
                &format!("application/x-amz-json-{version}"),
                reply.body.as_ref(),
            ),
            Self::Query(namespace) => {
                let body = query_reply(namespace, operation, request_id, reply.body.as_ref());
                respond(reply.status, "text/xml", body)
            }
            Self::Cbor => cbor(reply.status, reply.body.as_ref().unwrap_or(&Value::Null)),
        }
    }

    pub(crate) fn refuse(self, request_id: &str, refusal: &Refusal) -> Response {
        match self {
            Self::Rest => rest_json(refusal),
            Self::Json(version) => json_refusal(version, refusal),
            Self::Query(namespace) => {
                let body = query_refusal(namespace, request_id, refusal);
                respond(refusal.status, "text/xml", body)
            }
            Self::Cbor => cbor_refusal(refusal),
        }
    }
}

/// A refusal as rest-json services give it: the code in a header, the message in the body.
pub(crate) fn rest_json(refusal: &Refusal) -> Response {
    let mut body = Object::clone(&refusal.more);
    if !body.contains_key("Message") {
        body.insert("message".to_owned(), refusal.message.clone().into());
    }
    let mut response = json(refusal.status, "application/json", Some(&body.into()));
    if let Ok(code) = HeaderValue::from_str(&refusal.code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

fn json_refusal(version: &str, refusal: &Refusal) -> Response {
    let mut body = Object::new();
    body.insert("__type".to_owned(), refusal.code.as_ref().into());
    if !refusal.message.is_empty() {
        body.insert("message".to_owned(), refusal.message.clone().into());
    }
    body.extend(Object::clone(&refusal.more));
    let kind = format!("application/x-amz-json-{version}");
    json(refusal.status, &kind, Some(&body.into()))
}

/// The code is in a header, too, for clients that knew the service by the query protocol.
fn cbor_refusal(refusal: &Refusal) -> Response {
    let body = json!({ "__type": refusal.code, "message": refusal.message });
    let mut response = cbor(refusal.status, &body);
    let fault = if refusal.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    if let Ok(code) = HeaderValue::from_str(&format!("{};{fault}", refusal.code)) {
        response.headers_mut().insert("x-amzn-query-error", code);
    }
    response
}

fn cbor(status: u16, body: &Value) -> Response {
    let mut response = respond(status, "application/cbor", cbor::write(body));
    let protocol = HeaderValue::from_static(RPC);
    response.headers_mut().insert("smithy-protocol", protocol);
    response
}

fn json(status: u16, kind: &str, body: Option<&Value>) -> Response {
    respond(
        status,
        kind,
        body.map(ToString::to_string).unwrap_or_default(),
    )
}

fn respond(status: u16, kind: &str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(kind) = HeaderValue::from_str(kind) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

fn query_reply(namespace: &str, operation: &str, request_id: &str, body: Option<&Value>) -> String {
    let mut text = String::new();
    let mut doc = XmlWriter::new(&mut text);
    let (outer, inner) = (format!("{operation}Response"), format!("{operation}Result"));
    let mut root = doc.start_el(&outer).write_ns(namespace, None).finish();
    if let Some(body) = body {
        element(&mut root, &inner, body);
    }
    let mut about = root.start_el("ResponseMetadata").finish();
    leaf(&mut about, "RequestId", request_id);
    about.finish();
    root.finish();
    text
}

fn query_refusal(namespace: &str, request_id: &str, refusal: &Refusal) -> String {
    let sender = if refusal.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let mut text = String::new();
    let mut doc = XmlWriter::new(&mut text);
    let mut root = doc
        .start_el("ErrorResponse")
        .write_ns(namespace, None)
        .finish();
    let mut error = root.start_el("Error").finish();
    leaf(&mut error, "Type", sender);
    leaf(&mut error, "Code", &refusal.code);
    leaf(&mut error, "Message", &refusal.message);
    error.finish();
    leaf(&mut root, "RequestId", request_id);
    root.finish();
    text
}

fn leaf(scope: &mut ScopeWriter<'_, '_>, name: &str, text: &str) {
    let mut scope = scope.start_el(name).finish();
    scope.data(text);
    scope.finish();
}

/// A value as the query protocol nests it: objects as elements, lists as `member`s, and maps as `entry`s, each of
/// which stands for itself.
fn element(scope: &mut ScopeWriter<'_, '_>, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            let mut scope = scope.start_el(name).finish();
            for (name, value) in members {
                element(&mut scope, name, value);
            }
            scope.finish();
        }
        Value::Array(entries) if name == "entry" => {
            for entry in entries {
                element(scope, name, entry);
            }
        }
        Value::Array(items) => {
            let mut scope = scope.start_el(name).finish();
            for item in items {
                element(&mut scope, "member", item);
            }
            scope.finish();
        }
        Value::String(text) => leaf(scope, name, text),
        Value::Bool(_) | Value::Number(_) => leaf(scope, name, &value.to_string()),
    }
}

/// An ISO 8601 time, to the second as API Gateway and IAM write it.
pub(crate) fn iso(time: Duration) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}

/// A request id in AWS's shape, a UUID.
pub(crate) fn request_id() -> String {
    let bits = format!("{:032x}", fastrand::u128(..));
    format!(
        "{}-{}-4{}-a{}-{}",
        &bits[..8],
        &bits[8..12],
        &bits[13..16],
        &bits[17..20],
        &bits[20..]
    )
}

/// An id of lower-case letters and digits, as API Gateway gives them.
pub(crate) fn short_id(length: usize) -> String {
    std::iter::once(fastrand::lowercase())
        .chain(std::iter::repeat_with(|| {
            char::from_digit(fastrand::u32(..36), 36).expect("a digit of base 36")
        }))
        .take(length)
        .collect()
}

/// A state that could not be saved is not a change that was made.
pub(crate) fn unsaved(error: &std::io::Error) -> Refusal {
    Refusal::new(
        500,
        "InternalFailure",
        format!("the local cloud could not save its state: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_nests_objects_and_lists_and_escapes_text() {
        let body =
            json!({"Role": {"Name": "a<b", "Tags": [{"Key": "k", "Value": ""}], "Gone": null}});
        assert_eq!(
            query_reply("urn:x", "GetRole", "id", Some(&body)),
            "<GetRoleResponse xmlns=\"urn:x\"><GetRoleResult><Role><Name>a&lt;b</Name>\
             <Tags><member><Key>k</Key><Value></Value></member></Tags></Role></GetRoleResult>\
             <ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetRoleResponse>"
        );
    }

    #[test]
    fn a_map_is_its_entries() {
        let body = json!({"Map": {"entry": [{"key": "a", "value": 1}, {"key": "b", "value": 2}]}});
        let text = query_reply("urn:x", "Get", "id", Some(&body));
        let map = "<Map><entry><key>a</key><value>1</value></entry><entry><key>b</key><value>2</value></entry></Map>";
        assert!(text.contains(map), "{text}");
    }

    #[test]
    fn times_and_ids_look_like_amazons() {
        assert_eq!(
            iso(Duration::from_secs(1_700_000_000)),
            "2023-11-14T22:13:20Z"
        );
        assert_eq!(request_id().len(), 36);
        assert_eq!(short_id(10).len(), 10);
    }
}
