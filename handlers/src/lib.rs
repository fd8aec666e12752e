//! One chat over a WebSocket API: who is connected, what was said, who hears it.
//!
//! In: an API Gateway event, two `DynamoDB` tables, the `@connections` endpoint.
//! Out: a proxy [`reply::Response`], frames to clients, one [`log::Record`] for each event.
//! Never: a message's text or a token in a log; a decision in the code that talks to AWS.
//!
//! The shipped handlers are [`connect`], [`disconnect`], [`send`], [`typing`], [`presence`] and, for `$default`,
//! [`unknown`]; `main.rs` picks one by `_HANDLER`.
//! The rest is a small library for handlers of your own. This one tells a group that somebody types:
//!
//! ```no_run
//! use handlers::aws::Aws;
//! use handlers::broadcast::broadcast;
//! use handlers::call::Call;
//! use handlers::connections::{Audience, Connections};
//! use handlers::env::Settings;
//! use handlers::event::Event;
//!
//! async fn typing(aws: &Aws, settings: &Settings, event: &Event, call: &Call) -> usize {
//!     let connections = aws.connections(settings.connections().unwrap());
//!     let sockets = aws.sockets(&settings.endpoint.url(&event.request_context));
//!     let id = &event.request_context.connection_id;
//!     let Ok(Some(sender)) = connections.get(id).await else {
//!         return 0;
//!     };
//!     let Some(group) = sender.group_id else {
//!         return 0;
//!     };
//!     let frame = br#"{"type":"typing"}"#;
//!     let group = [Audience::Group(group)];
//!     broadcast(&connections, &sockets, &group, frame, call).await.delivered
//! }
//! ```

pub mod attribute;
pub mod authorize;
pub mod aws;
pub mod broadcast;
pub mod call;
pub mod catch_up;
pub mod connect;
pub mod connections;
pub mod disconnect;
pub mod env;
pub mod event;
pub mod fault;
pub mod http;
pub mod jwks;
pub mod jwt;
pub mod log;
pub mod mark_read;
pub mod messages;
pub mod origin;
pub mod presence;
pub mod reply;
pub mod room;
pub mod runtime;
pub mod send;
mod tell;
pub mod timeline;
pub mod typing;
pub mod unknown;

#[cfg(test)]
mod double;
#[cfg(test)]
mod laws;
