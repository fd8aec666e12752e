//! The events that API Gateway sends to functions, member for member.
//!
//! One difference from AWS is known: header names reach us in lower case, so `Train-Case` is restored from the name
//! alone; a client's own unusual spelling is lost.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ids;
use super::selection::{CONNECT, DISCONNECT};
use super::sts::USER_ID;

/// One connection as every one of its events describes it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) api_id: String,
    pub(crate) stage: String,
    pub(crate) domain: String,
    pub(crate) connection_id: String,
    /// Milliseconds since the epoch.
    pub(crate) connected_at: u64,
    pub(crate) source_ip: String,
    pub(crate) user_agent: Option<String>,
    /// `principalId`, the context and the latency of the authorizer that let it in.
    pub(crate) authorizer: Option<Map<String, Value>>,
    /// Who signed the handshake of a `$connect` that asks for it.
    pub(crate) signer: Option<Signer>,
}

/// A caller that IAM knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signer {
    pub(crate) account: String,
    pub(crate) key: String,
    pub(crate) arn: String,
}

/// One request of a connection: what every event has of its own.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) request_id: String,
    pub(crate) at: u64,
}

impl Moment {
    pub(crate) fn new(at: u64) -> Self {
        Self {
            request_id: ids::gateway_id(),
            at,
        }
    }

    /// As frames of the gateway name it.
    pub(crate) fn id(&self) -> (&str, &str) {
        ("requestId", &self.request_id)
    }
}

/// What the client sent to be let in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .rfind(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().rfind(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

type Variables = BTreeMap<String, String>;

impl Caller {
    pub(crate) fn connect(&self, moment: &Moment, asked: &Asked, variables: &Variables) -> Value {
        let mut event = request(asked);
        if !variables.is_empty() {
            event.insert("stageVariables".to_owned(), json!(variables));
        }
        let context = self.context(moment, CONNECT, "CONNECT", Map::new());
        event.insert("requestContext".to_owned(), context);
        event.insert("isBase64Encoded".to_owned(), json!(false));
        Value::Object(event)
    }

    pub(crate) fn authorize(
        &self,
        moment: &Moment,
        asked: &Asked,
        variables: &Variables,
        method_arn: &str,
    ) -> Value {
        let mut event = Map::new();
        event.insert("type".to_owned(), json!("REQUEST"));
        event.insert("methodArn".to_owned(), json!(method_arn));
        event.extend(request(asked));
        // Unlike in the other events, these are always there.
        for member in ["queryStringParameters", "multiValueQueryStringParameters"] {
            event.entry(member).or_insert_with(|| json!({}));
        }
        event.insert("stageVariables".to_owned(), json!(variables));
        let context = self.context(moment, CONNECT, "CONNECT", Map::new());
        event.insert("requestContext".to_owned(), context);
        Value::Object(event)
    }

    pub(crate) fn message(
        &self,
        moment: &Moment,
        route_key: &str,
        message_id: &str,
        body: &str,
        variables: &Variables,
    ) -> Value {
        let mut own = Map::new();
        own.insert("messageId".to_owned(), json!(message_id));
        let mut event = Map::new();
        let context = self.context(moment, route_key, "MESSAGE", own);
        event.insert("requestContext".to_owned(), context);
        if !variables.is_empty() {
            event.insert("stageVariables".to_owned(), json!(variables));
        }
        event.insert("body".to_owned(), json!(body));
        event.insert("isBase64Encoded".to_owned(), json!(false));
        Value::Object(event)
    }

    pub(crate) fn disconnect(
        &self,
        moment: &Moment,
        code: u16,
        reason: &str,
        variables: &Variables,
    ) -> Value {
        let headers = [
            ("Host", self.domain.as_str()),
            ("x-api-key", ""),
            ("X-Forwarded-For", ""),
            ("x-restapi", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let asked = Asked {
            headers: headers.to_vec(),
            query: Vec::new(),
        };
        let mut own = Map::new();
        own.insert("disconnectStatusCode".to_owned(), json!(code));
        own.insert("disconnectReason".to_owned(), json!(reason));
        let mut event = request(&asked);
        if !variables.is_empty() {
            event.insert("stageVariables".to_owned(), json!(variables));
        }
        let context = self.context(moment, DISCONNECT, "DISCONNECT", own);
        event.insert("requestContext".to_owned(), context);
        event.insert("isBase64Encoded".to_owned(), json!(false));
        Value::Object(event)
    }

    fn context(
        &self,
        moment: &Moment,
        route_key: &str,
        event_type: &str,
        own: Map<String, Value>,
    ) -> Value {
        let mut identity = Map::new();
        if let Some(agent) = &self.user_agent {
            identity.insert("userAgent".to_owned(), json!(agent));
        }
        identity.insert("sourceIp".to_owned(), json!(self.source_ip));
        if let Some(signer) = &self.signer {
            for (name, value) in [
                ("accessKey", signer.key.as_str()),
                ("accountId", &signer.account),
                ("caller", USER_ID),
                ("user", USER_ID),
                ("userArn", &signer.arn),
            ] {
                identity.insert(name.to_owned(), json!(value));
            }
        }
        let mut context = Map::new();
        context.insert("routeKey".to_owned(), json!(route_key));
        if let Some(authorizer) = &self.authorizer {
            context.insert("authorizer".to_owned(), json!(authorizer));
        }
        context.extend(own);
        let rest = json!({
            "eventType": event_type,
            "extendedRequestId": moment.request_id,
            "requestTime": ids::clf(moment.at),
            "messageDirection": "IN",
            "stage": self.stage,
            "connectedAt": self.connected_at,
            "requestTimeEpoch": moment.at,
            "identity": identity,
            "requestId": moment.request_id,
            "domainName": self.domain,
            "connectionId": self.connection_id,
            "apiId": self.api_id,
        });
        if let Value::Object(rest) = rest {
            context.extend(rest);
        }
        Value::Object(context)
    }
}

/// Headers and query: single values keep the last, the multi maps keep all; without a query there is none.
fn request(asked: &Asked) -> Map<String, Value> {
    let mut event = Map::new();
    let (single, multi) = both(&asked.headers);
    event.insert("headers".to_owned(), single);
    event.insert("multiValueHeaders".to_owned(), multi);
    if !asked.query.is_empty() {
        let (single, multi) = both(&asked.query);
        event.insert("queryStringParameters".to_owned(), single);
        event.insert("multiValueQueryStringParameters".to_owned(), multi);
    }
    event
}

fn both(pairs: &[(String, String)]) -> (Value, Value) {
    let (mut single, mut multi) = (Map::new(), Map::new());
    for (name, value) in pairs {
        single.insert(name.clone(), json!(value));
        let values = multi.entry(name.clone()).or_insert_with(|| json!([]));
        if let Some(values) = values.as_array_mut() {
            values.push(json!(value));
        }
    }
    (Value::Object(single), Value::Object(multi))
}

/// `sec-websocket-key` as clients spell it: `Sec-WebSocket-Key`.
pub(crate) fn train_case(name: &str) -> String {
    let words: Vec<String> = name
        .split('-')
        .map(|word| {
            if word == "websocket" {
                return "WebSocket".to_owned();
            }
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        })
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller {
            api_id: "a1b2c3".to_owned(),
            stage: "prod".to_owned(),
            domain: "a1b2c3.execute-api.us-east-1.amazonaws.com".to_owned(),
            connection_id: "TXzPWdnOjoECGjA=".to_owned(),
            connected_at: 1_708_326_702_120,
            source_ip: "127.0.0.1".to_owned(),
            user_agent: Some("test".to_owned()),
            authorizer: None,
            signer: None,
        }
    }

    fn moment() -> Moment {
        Moment {
            request_id: "TXzPWFkkjoEF92g=".to_owned(),
            at: 1_708_326_702_123,
        }
    }

    fn keys(value: &Value) -> Vec<&str> {
        let mut keys: Vec<&str> = value
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        keys
    }

    const CONTEXT: [&str; 13] = [
        "apiId",
        "connectedAt",
        "connectionId",
        "domainName",
        "eventType",
        "extendedRequestId",
        "identity",
        "messageDirection",
        "requestId",
        "requestTime",
        "requestTimeEpoch",
        "routeKey",
        "stage",
    ];

    #[test]
    fn connect_has_headers_and_query_and_no_body() {
        let asked = Asked {
            headers: vec![("Host".to_owned(), "h".to_owned())],
            query: [("userId", "a"), ("userId", "b")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .to_vec(),
        };
        let event = caller().connect(&moment(), &asked, &Variables::new());
        assert_eq!(
            keys(&event),
            [
                "headers",
                "isBase64Encoded",
                "multiValueHeaders",
                "multiValueQueryStringParameters",
                "queryStringParameters",
                "requestContext"
            ]
        );
        assert_eq!(event["queryStringParameters"], json!({ "userId": "b" }));
        assert_eq!(
            event["multiValueQueryStringParameters"],
            json!({ "userId": ["a", "b"] })
        );
        let context = &event["requestContext"];
        assert_eq!(keys(context), CONTEXT);
        assert_eq!(context["extendedRequestId"], context["requestId"]);
        assert_eq!(context["requestTime"], "19/Feb/2024:07:11:42 +0000");
        assert_eq!(context["requestTimeEpoch"], 1_708_326_702_123_u64);
        assert_eq!(context["eventType"], "CONNECT");
        assert_eq!(context["routeKey"], "$connect");
        assert_eq!(event["isBase64Encoded"], false);
    }

    #[test]
    fn without_a_query_the_query_members_are_absent() {
        let event = caller().connect(&moment(), &Asked::default(), &Variables::new());
        assert!(event.get("queryStringParameters").is_none());
        assert!(event.get("stageVariables").is_none());
        let set = Variables::from([("k".to_owned(), "v".to_owned())]);
        let event = caller().connect(&moment(), &Asked::default(), &set);
        assert_eq!(event["stageVariables"], json!({ "k": "v" }));
    }

    #[test]
    fn a_message_has_its_id_and_body_and_nothing_of_the_handshake() {
        let event = caller().message(&moment(), "send", "M1=", "{}", &Variables::new());
        assert_eq!(keys(&event), ["body", "isBase64Encoded", "requestContext"]);
        let context = &event["requestContext"];
        assert_eq!(context["messageId"], "M1=");
        assert_eq!(context["eventType"], "MESSAGE");
        assert_eq!(context["routeKey"], "send");
        assert_eq!(keys(context).len(), CONTEXT.len() + 1);
    }

    #[test]
    fn disconnect_has_its_four_headers_and_the_reason() {
        let event = caller().disconnect(&moment(), 1001, "Going away", &Variables::new());
        let context = &event["requestContext"];
        assert_eq!(context["disconnectStatusCode"], 1001);
        assert_eq!(context["disconnectReason"], "Going away");
        assert_eq!(context["routeKey"], "$disconnect");
        assert!(context.get("messageId").is_none() && event.get("body").is_none());
        assert_eq!(
            event["headers"],
            json!({"Host": caller().domain, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""})
        );
        assert_eq!(event["multiValueHeaders"]["x-restapi"], json!([""]));
    }

    #[test]
    fn an_authorizers_event_always_has_stage_variables() {
        let event = caller().authorize(&moment(), &Asked::default(), &Variables::new(), "arn:x");
        assert_eq!(event["type"], "REQUEST");
        assert_eq!(event["methodArn"], "arn:x");
        assert_eq!(event["stageVariables"], json!({}));
        assert_eq!(event["requestContext"]["eventType"], "CONNECT");
    }

    #[test]
    fn an_authorised_connection_carries_its_authorizer() {
        let mut caller = caller();
        caller.authorizer = json!({ "principalId": "alice" }).as_object().cloned();
        let event = caller.message(&moment(), "send", "M1=", "{}", &Variables::new());
        assert_eq!(
            event["requestContext"]["authorizer"]["principalId"],
            "alice"
        );
    }

    #[test]
    fn a_signed_connection_says_who_signed() {
        let mut caller = caller();
        let arn = "arn:aws:sts::000000000000:assumed-role/r/s";
        caller.signer = Some(Signer {
            account: "000000000000".to_owned(),
            key: "ASIA1".to_owned(),
            arn: arn.to_owned(),
        });
        let event = caller.disconnect(&moment(), 1000, "", &Variables::new());
        let identity = &event["requestContext"]["identity"];
        assert_eq!(
            keys(identity),
            [
                "accessKey",
                "accountId",
                "caller",
                "sourceIp",
                "user",
                "userAgent",
                "userArn"
            ]
        );
        assert_eq!(
            (&identity["userArn"], &identity["accessKey"]),
            (&json!(arn), &json!("ASIA1"))
        );
    }

    #[test]
    fn header_names_are_spelt_as_clients_spell_them() {
        for (lower, name) in [
            ("sec-websocket-key", "Sec-WebSocket-Key"),
            ("host", "Host"),
            ("user-agent", "User-Agent"),
            ("x-my-thing", "X-My-Thing"),
        ] {
            assert_eq!(train_case(lower), name);
        }
    }
}
