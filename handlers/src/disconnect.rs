//! `$disconnect`: forgets a connection. Best effort on both sides: nobody reads the answer.

use crate::call::Call;
use crate::connections::Connections;
use crate::event::Event;
use crate::log::{Handled, Record};
use crate::reply::{Code, Response};

/// Handles one DISCONNECT event.
pub async fn handle<C: Connections>(connections: &C, event: &Event, call: &Call) -> Handled {
    let mut record = Record::of(event);
    let principal = event.request_context.principal_id();
    record.user_id = principal.and_then(|id| id.as_str()).map(str::to_owned);
    record.outcome = "disconnected";
    if let Err(fault) = connections.delete(&record.connection_id).await {
        record.outcome = Code::Storage.as_str();
        record.blame(Some(fault.to_string()));
    }
    record.duration_ms = call.millis();
    Handled {
        response: Response::ok(),
        record,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::double::{Double, NOW, block_on, event};

    fn disconnect(double: &Double) -> Handled {
        let more = json!({"requestContext": {
            "disconnectStatusCode": 1006, "disconnectReason": "", "authorizer": {"principalId": "alice"}
        }});
        let call = Call::new(NOW, "fresh", Duration::from_secs(10));
        block_on(handle(double, &event("$disconnect", "c1=", more), &call))
    }

    #[test]
    fn twice_is_as_good_as_once() {
        let double = Double::new();
        double.connect("c1=", "alice", None);
        for _ in 0..2 {
            let handled = disconnect(&double);
            assert_eq!(handled.response, Response::ok());
            assert_eq!(handled.record.outcome, "disconnected");
            assert_eq!(handled.record.user_id.as_deref(), Some("alice"));
            assert!(!double.has_row("c1="));
        }
    }

    #[test]
    fn a_table_that_fails_is_logged_and_not_told() {
        let double = Double::new();
        double.fail_writes();
        let handled = disconnect(&double);
        assert_eq!(handled.response, Response::ok());
        assert_eq!(handled.record.outcome, "storage");
        assert!(handled.record.error.is_some());
    }
}
