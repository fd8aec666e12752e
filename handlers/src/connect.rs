//! `$connect`: writes down who is connected, or says why not.
//!
//! In: the query string or the authorizer's word. Out: 200, 400 or 500, which is how the handshake ends.
//! Never: a frame; a post to a connection that is not yet open fails.

use serde_json::Value;

use crate::call::Call;
use crate::connections::{
    Connection, Connections, LIFETIME_SECONDS, PARTITION_KEY_BYTES, key_problem,
};
use crate::event::Event;
use crate::log::{Handled, Record};
use crate::reply::{Code, Refusal, Response};

/// Handles one CONNECT event.
pub async fn handle<C: Connections>(connections: &C, event: &Event, call: &Call) -> Handled {
    let mut record = Record::of(event);
    let response = match connection(event, call) {
        Err(refusal) => {
            record.outcome = refusal.code.as_str();
            Response::refuse(400, &refusal)
        }
        Ok(connection) => {
            record.user_id = Some(connection.user_id.clone());
            put(connections, &connection, event, &mut record).await
        }
    };
    record.duration_ms = call.millis();
    Handled { response, record }
}

async fn put<C: Connections>(
    connections: &C,
    connection: &Connection,
    event: &Event,
    record: &mut Record,
) -> Response {
    match connections.put(connection).await {
        Ok(()) => {
            record.outcome = "connected";
            Response::accept(event)
        }
        Err(fault) => {
            record.outcome = Code::Storage.as_str();
            record.blame(Some(fault.to_string()));
            let message = "the connection could not be stored; connect again";
            Response::refuse(500, &Refusal::new(Code::Storage, message))
        }
    }
}

/// The row of a connection, from what the event says.
fn connection(event: &Event, call: &Call) -> Result<Connection, Refusal> {
    let context = &event.request_context;
    let connected_at = context.connected_at.unwrap_or(call.now);
    Ok(Connection {
        connection_id: context.connection_id.clone(),
        user_id: user_id(event)?,
        group_id: match event.query("groupId") {
            Some(id) => Some(usable("groupId", id)?),
            None => None,
        },
        connected_at,
        ttl: connected_at / 1000 + LIFETIME_SECONDS,
    })
}

/// The authorizer's word, and only without an authorizer the client's.
fn user_id(event: &Event) -> Result<String, Refusal> {
    match event.request_context.principal_id() {
        Some(Value::String(id)) => usable("principalId", id),
        Some(_) => Err(Refusal::invalid("`principalId` is not a string")),
        None => match event.query("userId") {
            Some(id) => usable("userId", id),
            None => Err(Refusal::invalid(
                "`userId` is missing from the query string; connect with ?userId=…",
            )),
        },
    }
}

fn usable(name: &str, id: &str) -> Result<String, Refusal> {
    match key_problem(id, PARTITION_KEY_BYTES) {
        Some(problem) => Err(Refusal::invalid(format!("`{name}` {problem}"))),
        None => Ok(id.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::double::{Double, NOW, block_on, event};

    const CONNECTED_AT: u64 = 1_708_326_702_123;

    fn connect(double: &Double, more: Value) -> Handled {
        let event = event("$connect", "c1=", more);
        let call = Call::new(NOW, "fresh", Duration::from_secs(10));
        block_on(handle(double, &event, &call))
    }

    fn query(parameters: &Value) -> Value {
        json!({"queryStringParameters": parameters, "requestContext": {"connectedAt": CONNECTED_AT}})
    }

    fn body(handled: &Handled) -> Value {
        serde_json::from_str(handled.response.body.as_ref().unwrap()).unwrap()
    }

    #[test]
    fn a_connection_is_written_down_for_a_day() {
        let double = Double::new();
        let handled = connect(
            &double,
            query(&json!({"userId": "alice", "groupId": "ward-3"})),
        );
        assert_eq!(handled.response, Response::ok());
        assert_eq!(handled.record.outcome, "connected");
        assert_eq!(
            block_on(double.get("c1=")).unwrap().unwrap(),
            Connection {
                connection_id: "c1=".into(),
                user_id: "alice".into(),
                group_id: Some("ward-3".into()),
                connected_at: CONNECTED_AT,
                ttl: CONNECTED_AT / 1000 + 86_400,
            }
        );
    }

    #[test]
    fn without_a_user_the_handshake_ends_with_400() {
        for event in [
            json!({}),
            query(&json!({"userid": "alice"})),
            query(&json!({"userId": ""})),
            query(&json!({"userId": "a\nb"})),
            query(&json!({"userId": "x".repeat(2049)})),
            query(&json!({"userId": "alice", "groupId": ""})),
        ] {
            let double = Double::new();
            let handled = connect(&double, event);
            assert_eq!(handled.response.status_code, 400);
            assert_eq!(body(&handled)["code"], "invalid");
            assert_eq!(handled.record.outcome, "invalid");
            assert!(!double.has_row("c1="));
        }
        let handled = connect(&Double::new(), json!({}));
        assert!(
            body(&handled)["message"]
                .as_str()
                .unwrap()
                .contains("userId")
        );
    }

    #[test]
    fn the_authorizer_wins_and_its_nonsense_is_not_a_way_around_it() {
        let with_principal = |principal: Value| {
            json!({
                "queryStringParameters": {"userId": "mallory"},
                "requestContext": {"authorizer": {"principalId": principal}}
            })
        };
        let double = Double::new();
        connect(&double, with_principal(json!("alice")));
        assert_eq!(
            block_on(double.get("c1=")).unwrap().unwrap().user_id,
            "alice"
        );
        for nonsense in [json!(""), json!(7), json!(null)] {
            let handled = connect(&Double::new(), with_principal(nonsense));
            assert_eq!(handled.response.status_code, 400);
        }
        // An authorizer that names nobody leaves the client's word.
        let double = Double::new();
        let event = json!({
            "queryStringParameters": {"userId": "alice"},
            "requestContext": {"authorizer": {"tier": "free"}}
        });
        connect(&double, event);
        assert_eq!(
            block_on(double.get("c1=")).unwrap().unwrap().user_id,
            "alice"
        );
    }

    #[test]
    fn a_table_that_fails_ends_the_handshake_with_500() {
        let double = Double::new();
        double.fail_writes();
        let handled = connect(&double, query(&json!({"userId": "alice"})));
        assert_eq!(handled.response.status_code, 500);
        assert_eq!(body(&handled)["code"], "storage");
        assert!(handled.record.error_line().unwrap().contains("PutItem"));
        assert!(!handled.response.body.unwrap().contains("PutItem"));
    }

    #[test]
    fn an_offered_protocol_comes_back_only_with_success() {
        let offer = |user: &str| {
            json!({
                "headers": {"Sec-WebSocket-Protocol": "bearer, secret"},
                "queryStringParameters": {"userId": user}
            })
        };
        let accepted = connect(&Double::new(), offer("alice"));
        assert_eq!(
            accepted.response.headers["Sec-WebSocket-Protocol"],
            "bearer"
        );
        let refused = connect(&Double::new(), offer(""));
        assert!(
            !refused
                .response
                .headers
                .contains_key("Sec-WebSocket-Protocol")
        );
        assert!(!accepted.record.line("f", NOW).contains("secret"));
    }
}
