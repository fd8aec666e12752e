//! `$connect`: writes down who is connected, or says why not.
//!
//! In: the query string or the authorizer's word. Out: 200, 400, 403 or 500, which is how the handshake ends.
//! Never: a frame; a post to a connection that is not yet open fails.

use serde_json::Value;

use crate::call::Call;
use crate::connections::{
    Connection, Connections, GROUP_ID_BYTES, LIFETIME_SECONDS, PARTITION_KEY_BYTES, key_problem,
};
use crate::env::Door;
use crate::event::Event;
use crate::log::{Handled, Record};
use crate::reply::{Code, Refusal, Response};

/// Handles one CONNECT event.
pub async fn handle<C: Connections>(
    connections: &C,
    door: &Door,
    event: &Event,
    call: &Call,
) -> Handled {
    let mut record = Record::of(event);
    let row = admitted(door, event).and_then(|()| connection(event, call));
    let response = match row {
        Err(refusal) => {
            record.outcome = refusal.code.as_str();
            let status = match refusal.code {
                Code::Forbidden => 403,
                _ => 400,
            };
            Response::refuse(status, &refusal)
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

/// Whether anybody may come in this way, whoever it is.
fn admitted(door: &Door, event: &Event) -> Result<(), Refusal> {
    let forbidden = |message: &str| Err(Refusal::new(Code::Forbidden, message));
    if !door.origins.admit(event.header("Origin")) {
        return forbidden("this page may not connect; add its origin to `auth.origins`");
    }
    if door.requires_principal && event.request_context.principal_id().is_none() {
        return forbidden("no authorizer has said who this is; deploy the stack's `auth` again");
    }
    Ok(())
}

/// The row of a connection, from what the event says.
fn connection(event: &Event, call: &Call) -> Result<Connection, Refusal> {
    let context = &event.request_context;
    let connected_at = context.connected_at.unwrap_or(call.now);
    let lasts = connected_at / 1000 + LIFETIME_SECONDS;
    Ok(Connection {
        connection_id: context.connection_id.clone(),
        user_id: user_id(event)?,
        group_id: match event.query("groupId") {
            Some(id) => Some(joinable(event, usable("groupId", id, GROUP_ID_BYTES)?)?),
            None => None,
        },
        connected_at,
        // Who is not believed any more is not found any more, and hears nothing.
        ttl: context
            .expires()
            .map_or(lasts, |expires| expires.min(lasts)),
    })
}

fn joinable(event: &Event, group_id: String) -> Result<String, Refusal> {
    if event.request_context.may_join(&group_id) {
        return Ok(group_id);
    }
    let message = "`groupId` is not one of the groups in the token";
    Err(Refusal::new(Code::Forbidden, message))
}

/// The authorizer's word, and only without an authorizer the client's.
fn user_id(event: &Event) -> Result<String, Refusal> {
    match event.request_context.principal_id() {
        Some(Value::String(id)) => usable("principalId", id, PARTITION_KEY_BYTES),
        Some(_) => Err(Refusal::invalid("`principalId` is not a string")),
        None => match event.query("userId") {
            Some(id) => usable("userId", id, PARTITION_KEY_BYTES),
            None => Err(Refusal::invalid(
                "`userId` is missing from the query string; connect with ?userId=…",
            )),
        },
    }
}

fn usable(name: &str, id: &str, most_bytes: usize) -> Result<String, Refusal> {
    match key_problem(id, most_bytes) {
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
        block_on(handle(double, &Door::default(), &event, &call))
    }

    fn connect_by(door: &Door, more: Value) -> (Handled, Option<Connection>) {
        let double = Double::new();
        let event = event("$connect", "c1=", more);
        let call = Call::new(NOW, "fresh", Duration::from_secs(10));
        let handled = block_on(handle(&double, door, &event, &call));
        (handled, block_on(double.get("c1=")).unwrap())
    }

    /// What an authorizer said, for a client that would like to be in ward-3.
    fn authorized(context: Value) -> Value {
        let mut context = context;
        context["principalId"] = json!("alice");
        json!({
            "queryStringParameters": {"groupId": "ward-3"},
            "requestContext": {"authorizer": context, "connectedAt": CONNECTED_AT},
        })
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
            query(&json!({"userId": "alice", "groupId": "x".repeat(2045)})),
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
    fn a_row_ends_with_the_token() {
        let last = CONNECTED_AT / 1000 + LIFETIME_SECONDS;
        let soon = CONNECTED_AT / 1000 + 60;
        for (exp, ttl) in [
            (json!(soon.to_string()), soon),
            (json!(soon), soon),
            (json!((last + 1).to_string()), last),
            // What cannot be read was long ago.
            (json!("tomorrow"), 0),
            (json!(true), 0),
        ] {
            let (_, row) = connect_by(&Door::default(), authorized(json!({"exp": exp})));
            assert_eq!(row.unwrap().ttl, ttl, "{exp}");
        }
    }

    #[test]
    fn a_group_is_joined_by_who_is_in_it() {
        for (groups, status) in [
            (json!({"groups": r#"["ward-1","ward-3"]"#}), 200),
            (json!({}), 200),
            (json!({"groups": r#"["ward-1"]"#}), 403),
            (json!({"groups": "[]"}), 403),
            // Not a list of names.
            (json!({"groups": "ward-3"}), 403),
            (json!({"groups": r#"["ward-3",7]"#}), 403),
            (json!({"groups": ["ward-3"]}), 403),
            (json!({"groups": null}), 403),
        ] {
            let (handled, row) = connect_by(&Door::default(), authorized(groups.clone()));
            assert_eq!(handled.response.status_code, status, "{groups}");
            assert_eq!(row.is_some(), status == 200);
        }
        let (handled, _) = connect_by(&Door::default(), authorized(json!({"groups": "[]"})));
        assert_eq!(body(&handled)["code"], "forbidden");
        assert_eq!(handled.record.outcome, "forbidden");
    }

    #[test]
    fn a_page_that_is_not_listed_stays_outside() {
        let door = Door {
            origins: crate::origin::Origins::parse("https://app.example.com"),
            ..Door::default()
        };
        for (headers, status) in [
            (json!({"Origin": "https://app.example.com"}), 200),
            (json!({"origin": "https://evil.example"}), 403),
            (json!({"Origin": "null"}), 403),
            (json!({}), 200),
        ] {
            let mut event = query(&json!({"userId": "alice"}));
            event["headers"] = headers;
            let (handled, row) = connect_by(&door, event);
            assert_eq!(handled.response.status_code, status);
            assert_eq!(row.is_some(), status == 200);
        }
    }

    /// A route that lost its authorizer lets nobody in.
    #[test]
    fn the_query_string_is_no_principal() {
        let door = Door {
            requires_principal: true,
            ..Door::default()
        };
        let (handled, row) = connect_by(&door, query(&json!({"userId": "alice"})));
        assert_eq!((handled.response.status_code, row), (403, None));
        let (handled, _) = connect_by(&door, authorized(json!({})));
        assert_eq!(handled.response.status_code, 200);
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
