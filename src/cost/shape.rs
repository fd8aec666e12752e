//! What a stack spends on an event: how many rows, indexes and functions stand behind it.

use serde::Serialize;

use crate::stack::{Architecture, RouteDef, Shipped, Stack};

/// The table whose rows are connections, the one that keeps messages, and the one that makes a message a transaction.
const CONNECTIONS: &str = "connections";
const MESSAGES: &str = "messages";
const TIMELINE: &str = "timeline";

/// What a function has unless the file says otherwise.
const MEGABYTES: u32 = 128;

/// A shipped handler that delivers counts `Delivered`, `Stale` and `Retried`, for its function.
const COUNTED: f64 = 3.0;

/// Metrics of a route, when a stage keeps them for each.
const DETAILED: f64 = 6.0;

/// Of the stack, as far as it costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    /// Timelines that a message is written to: a group's, or one for each person; 0 without the table.
    pub timelines: f64,
    pub connection_indexes: f64,
    pub message_indexes: f64,
    /// The keys that one group's rows are spread over; 0 without groups.
    pub shards: f64,
    /// Memory of the function that messages go to, and of the one that connections go to.
    pub message_gb: f64,
    pub connect_gb: f64,
    pub arm: bool,
    /// A function is asked who connects.
    pub authorizer: bool,
    pub access_log: bool,
    pub metrics: f64,
}

impl Shape {
    /// The reference stack's.
    pub fn reference() -> Self {
        Self {
            timelines: 1.0,
            connection_indexes: 2.0,
            message_indexes: 0.0,
            shards: 1.0,
            message_gb: 0.25,
            connect_gb: 0.125,
            arm: false,
            authorizer: false,
            access_log: false,
            metrics: 6.0,
        }
    }

    pub fn of(stack: &Stack) -> Self {
        let indexes = |table: &str| {
            let table = stack.tables.get(table);
            table.map_or(0.0, |table| number(table.indexes.len()))
        };
        let has_groups = !stack.group_indexes().is_empty();
        let shards = if has_groups {
            stack.shards().unwrap_or(1)
        } else {
            0
        };
        let is_arm =
            |def: &crate::stack::FunctionDef| def.architecture == Some(Architecture::Arm64);
        Self {
            timelines: f64::from(u8::from(stack.tables.contains_key(TIMELINE))),
            connection_indexes: indexes(CONNECTIONS),
            message_indexes: indexes(MESSAGES),
            shards: f64::from(shards),
            message_gb: gigabytes(stack, message_function(stack)),
            connect_gb: gigabytes(stack, route(stack, "$connect")),
            arm: !stack.functions.is_empty() && stack.functions.values().all(is_arm),
            authorizer: stack.authorizer().is_some(),
            access_log: stack.api.logs.is_some(),
            metrics: metrics(stack),
        }
    }
}

fn route<'a>(stack: &'a Stack, key: &str) -> Option<&'a str> {
    stack.api.routes.get(key).map(RouteDef::function)
}

/// The one that the shipped handler for messages runs in, or the first that a message leads to.
fn message_function(stack: &Stack) -> Option<&str> {
    let mut functions = stack.functions.iter();
    let sends = functions.find(|(_, def)| def.handler == Some(Shipped::Send));
    let mut routes = stack.api.routes.iter();
    let first = routes.find(|(key, _)| !matches!(key.as_str(), "$connect" | "$disconnect"));
    sends
        .map(|(key, _)| key.as_str())
        .or_else(|| first.map(|(_, route)| route.function()))
}

fn gigabytes(stack: &Stack, function: Option<&str>) -> f64 {
    let def = function.and_then(|key| stack.functions.get(key));
    let megabytes = def.and_then(|def| def.memory).unwrap_or(MEGABYTES);
    f64::from(megabytes) / 1024.0
}

fn metrics(stack: &Stack) -> f64 {
    let delivers =
        |handler: &Shipped| matches!(handler, Shipped::Send | Shipped::Chat | Shipped::Deliver);
    let handlers = stack.functions.values().filter_map(|def| def.handler);
    let counting = number(handlers.filter(delivers).count());
    let routes = if stack.api.metrics {
        number(stack.api.routes.len())
    } else {
        0.0
    };
    counting * COUNTED + routes * DETAILED
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(text: &str) -> Stack {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stack.yaml");
        std::fs::write(&file, text).unwrap();
        crate::stack::load(&file, None, &|_| None).unwrap().stack
    }

    #[test]
    fn the_reference_stack_has_the_reference_shape() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/stack.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(Shape::of(&stack(&text)), Shape::reference());
    }

    #[test]
    fn what_costs_more_is_seen() {
        let shape = Shape::of(&stack(
            "name: big\nregion: us-east-1\n\
             tables:\n  connections:\n    key: connectionId\n    ttl: ttl\n    indexes:\n      userId-index: userId\n      \
             groups: { key: groupId, shards: 16 }\n  messages:\n    key: messageId\n    indexes: { talk: conversationId }\n\
             functions:\n  connect: { handler: connect, architecture: arm64 }\n  disconnect: { handler: disconnect, architecture: arm64 }\n  \
             send: { handler: send, memory: 512, architecture: arm64 }\n  deliver: { handler: deliver, architecture: arm64 }\n\
             api:\n  stage: p\n  logs: {}\n  metrics: true\n  routes: { $connect: connect, $disconnect: disconnect, send: send }\n",
        ));
        let expected = Shape {
            timelines: 0.0,
            connection_indexes: 2.0,
            message_indexes: 1.0,
            shards: 16.0,
            message_gb: 0.5,
            connect_gb: 0.125,
            arm: true,
            authorizer: false,
            access_log: true,
            metrics: 2.0 * 3.0 + 3.0 * 6.0,
        };
        assert_eq!(shape, expected);
    }
}
