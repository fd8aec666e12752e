//! An API Gateway WebSocket event, as the proxy integration hands it over.
//!
//! CONNECT has headers and perhaps a query string, MESSAGE has a body, DISCONNECT has neither worth reading.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Any of the three events.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    pub request_context: RequestContext,
    headers: Option<BTreeMap<String, String>>,
    query_string_parameters: Option<BTreeMap<String, String>>,
    pub body: Option<String>,
    #[serde(default)]
    pub is_base64_encoded: bool,
    /// What an authorizer is asked to allow; there in its events only.
    pub method_arn: Option<String>,
}

/// Where the event comes from and, with an authorizer, from whom.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestContext {
    pub connection_id: String,
    pub route_key: String,
    pub request_id: String,
    pub domain_name: String,
    pub stage: String,
    pub api_id: String,
    /// Milliseconds since the Unix epoch.
    pub connected_at: Option<u64>,
    /// There only when an authorizer ran; it stays with the connection.
    pub authorizer: Option<Map<String, Value>>,
}

impl Event {
    /// A parameter of the query string; the key is compared as it is.
    pub fn query(&self, name: &str) -> Option<&str> {
        let parameters = self.query_string_parameters.as_ref()?;
        parameters.get(name).map(String::as_str)
    }

    /// A header; clients spell names in any case, and the event keeps their spelling.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.headers.as_ref()?;
        let found = headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl RequestContext {
    /// Whom the authorizer says the client is. `Some` even if it says nonsense: the caller must not fall back then.
    pub fn principal_id(&self) -> Option<&Value> {
        self.authorizer.as_ref()?.get("principalId")
    }

    /// Until when the authorizer believes that, in seconds since the Unix epoch; what cannot be read is long ago.
    pub fn expires(&self) -> Option<u64> {
        let exp = self.authorizer.as_ref()?.get("exp")?;
        let number = match exp {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        Some(number.unwrap_or_default())
    }

    /// Whether the authorizer lets the client join a group: any, if it says nothing about groups.
    pub fn may_join(&self, group_id: &str) -> bool {
        let groups = self
            .authorizer
            .as_ref()
            .and_then(|context| context.get("groups"));
        let Some(groups) = groups else {
            return true;
        };
        // What is no list of names is a list of none.
        let names = groups
            .as_str()
            .and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
        names.is_some_and(|names| names.iter().any(|name| name == group_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_event_has_no_headers_and_no_query_string() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "requestContext": {
                "routeKey": "sendMessage", "messageId": "TX1", "eventType": "MESSAGE",
                "extendedRequestId": "r", "requestTime": "19/Feb/2024:07:11:42 +0000",
                "messageDirection": "IN", "stage": "production", "connectedAt": 1_708_326_702_000_u64,
                "requestTimeEpoch": 1_708_326_702_001_u64, "identity": {"sourceIp": "192.0.2.1"},
                "requestId": "r", "domainName": "a.execute-api.eu-west-1.amazonaws.com",
                "connectionId": "TXzPWdnOjoECGjA=", "apiId": "a"
            },
            "body": "{}", "isBase64Encoded": false
        }))
        .unwrap();
        assert_eq!(event.query("userId"), None);
        assert_eq!(event.header("Host"), None);
        assert_eq!(event.body.as_deref(), Some("{}"));
        assert_eq!(event.request_context.principal_id(), None);
    }

    #[test]
    fn headers_are_found_in_any_case() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "requestContext": {
                "routeKey": "$connect", "stage": "s", "requestId": "r", "domainName": "d",
                "connectionId": "c", "apiId": "a", "authorizer": {"principalId": ""}
            },
            "headers": {"sec-websocket-protocol": "chat"},
            "queryStringParameters": {"userId": "alice"}
        }))
        .unwrap();
        assert_eq!(event.header("Sec-WebSocket-Protocol"), Some("chat"));
        assert_eq!(event.query("userId"), Some("alice"));
        assert_eq!(event.query("userid"), None);
        assert!(event.request_context.principal_id().is_some());
    }
}
