//! Conversations over real sockets, with the real handlers, on a stack that the ordinary deploy made.
//!
//! Every test has a local cloud of its own. Nothing sleeps: what must come is waited for, and that nothing more came
//! is known when a client has said goodbye and heard the rest.

#[path = "chat/access.rs"]
mod access;
#[path = "chat/consumed.rs"]
mod consumed;
#[path = "chat/crowd.rs"]
mod crowd;
#[path = "chat/deployed.rs"]
mod deployed;
// A script is executable by its mode.
#[cfg(unix)]
#[path = "chat/functions.rs"]
mod functions;
#[path = "chat/gateway.rs"]
mod gateway;
#[path = "chat/identity.rs"]
mod identity;
#[path = "chat/issuer.rs"]
mod issuer;
#[path = "chat/people.rs"]
mod people;
#[path = "chat/person.rs"]
mod person;
#[path = "chat/privileges.rs"]
mod privileges;
#[path = "chat/replay.rs"]
mod replay;
#[path = "chat/tables.rs"]
mod tables;
#[path = "chat/upkeep.rs"]
mod upkeep;
#[path = "chat/workers.rs"]
mod workers;

/// The stack of this repository, which serves both kinds of message.
const STACK: &str = include_str!("../stack.yaml");
