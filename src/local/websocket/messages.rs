//! One frame from a client, and the end of a connection: which function hears of it, what the client hears back.

use std::sync::Arc;

use serde_json::Value;

use super::access_log::Line;
use super::integration::{Called, Errand};
use super::{Connection, Farewell, notice, served};
use crate::local::apigateway::{Served, ServedRoute};
use crate::local::console::{Detail, From, Text};
use crate::local::events::{Caller, Moment};
use crate::local::selection::{self, DEFAULT, DISCONNECT};
use crate::local::{Happening, World, ids};

const FORBIDDEN: &str = "Forbidden";
const BAD_BODY: &str = "Bad request body";
const INTERNAL: &str = "Internal server error";
const THROTTLED: &str = "Too Many Requests";

/// Routes one message by what the stage serves now; sockets see a new deployment at once.
pub(super) async fn received(world: &Arc<World>, connection: &Connection, text: &str) {
    let caller = &connection.caller;
    let moment = Moment::new(world.clock.millis());
    let Some(served) = served(world, &caller.api_id, &caller.stage) else {
        refuse(world, connection, FORBIDDEN, &moment, moment.id()).await;
        return;
    };
    let message_id = ids::gateway_id();
    world.count_message(&caller.api_id, &caller.stage);
    world.show(|| frame(connection, From::Client, Some(&moment.request_id), text));
    let key = selection::route_key(&served.select, text);
    let found = [key.as_str(), DEFAULT]
        .into_iter()
        .find_map(|k| Some((k, served.routes.get(k)?)));
    let (key, route) = found.unwrap_or((&key, &NOWHERE));
    let mut line = Line::new(caller, &moment, "MESSAGE", key);
    line.set("messageId", &message_id);
    let fits = |route: &ServedRoute| route.demands.as_ref().is_none_or(|d| d.are_met(text));
    let refused = if found.is_none() {
        Some((403, FORBIDDEN))
    } else if !fits(route) {
        Some((400, BAD_BODY))
    } else if world.sockets.admits(world, &served, key) {
        let event = caller.message(&moment, key, &message_id, text, &served.variables);
        deliver(world, connection, &served, key, route, &event, &mut line).await
    } else {
        Some((429, THROTTLED))
    };
    let status = refused.map_or(200, |(status, _)| status);
    world.count_refusal(&caller.api_id, &caller.stage, (400..500).contains(&status));
    line.status(status);
    if let Some((_, message)) = refused {
        line.error(message);
        // A body is refused by the name of its message.
        let id = match message {
            BAD_BODY => ("messageId", message_id.as_str()),
            _ => moment.id(),
        };
        refuse(world, connection, message, &moment, id).await;
    }
    line.write(world, &served);
}

/// Stands where no route was found; it is never called.
static NOWHERE: ServedRoute = ServedRoute {
    route_id: String::new(),
    integration_type: String::new(),
    uri: String::new(),
    timeout_ms: 0,
    authorizer: None,
    authorization: String::new(),
    needs_key: false,
    demands: None,
    replies: false,
};

async fn deliver(
    world: &Arc<World>,
    connection: &Connection,
    served: &Served,
    route_key: &str,
    route: &ServedRoute,
    event: &Value,
    line: &mut Line,
) -> Option<(u16, &'static str)> {
    let errand = Errand {
        served,
        route_key,
        connection_id: &connection.caller.connection_id,
    };
    let (called, took, request_id) = errand.run(world, route, event).await;
    line.integration(&called, took.as_millis());
    let Called::Answered(answer) = &called else {
        return Some((500, INTERNAL));
    };
    // Without a route response what the function returned is nobody's business, its status code included.
    if !route.replies {
        return None;
    }
    match (called.status(), &answer["body"]) {
        (Some(_), Value::String(body)) => {
            world.count_message(&served.api_id, &served.stage);
            world.show(|| frame(connection, From::Reply, Some(&request_id), body));
            send(connection, body.clone()).await;
            None
        }
        (Some(_), Value::Null) => None,
        _ => Some((500, INTERNAL)),
    }
}

async fn refuse(
    world: &World,
    connection: &Connection,
    message: &str,
    moment: &Moment,
    id: (&str, &str),
) {
    let text = notice(message, &connection.caller.connection_id, id);
    world.tell(Happening::Refused {
        connection_id: connection.caller.connection_id.clone(),
        message: text.clone(),
    });
    world.show(|| frame(connection, From::Gateway, Some(&moment.request_id), &text));
    send(connection, text).await;
}

fn frame<'a>(
    connection: &'a Connection,
    from: From,
    request_id: Option<&'a str>,
    body: &str,
) -> Detail<'a> {
    Detail::Frame {
        connection_id: &connection.caller.connection_id,
        from,
        request_id,
        status: None,
        body: Text::of(body),
    }
}

async fn send(connection: &Connection, frame: String) {
    // The socket may have closed meanwhile; then there is nobody to tell.
    drop(connection.out.send(frame).await);
}

/// Tells `$disconnect`, after the socket is closed; what it answers is ignored.
pub(super) async fn disconnected(world: &Arc<World>, caller: &Caller, why: &Farewell) {
    world.tell(Happening::Disconnected {
        connection_id: caller.connection_id.clone(),
        code: why.code,
        reason: why.reason.clone(),
    });
    if fastrand::u8(..100) < world.manners.lost_disconnects {
        return;
    }
    let Some(served) = served(world, &caller.api_id, &caller.stage) else {
        return;
    };
    let moment = Moment::new(world.clock.millis());
    let mut line = Line::new(caller, &moment, "DISCONNECT", DISCONNECT);
    line.set("disconnectStatusCode", &why.code.to_string());
    line.set("disconnectReason", &why.reason);
    line.status(200);
    if let Some(route) = served.routes.get(DISCONNECT) {
        let event = caller.disconnect(&moment, why.code, &why.reason, &served.variables);
        let errand = Errand {
            served: &served,
            route_key: DISCONNECT,
            connection_id: &caller.connection_id,
        };
        let (answered, took, _) = errand.run(world, route, &event).await;
        line.integration(&answered, took.as_millis());
    }
    line.write(world, &served);
}
