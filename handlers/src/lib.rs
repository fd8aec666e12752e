//! One chat over a WebSocket API: who is connected, what was said, who hears it.
//!
//! In: an API Gateway event, two `DynamoDB` tables, the `@connections` endpoint.
//! Out: a proxy [`reply::Response`], frames to clients, one [`log::Record`] for each event.
//! Never: a message's text or a token in a log; a decision in the code that talks to AWS.
//!
//! The shipped handlers are [`connect`], [`disconnect`], [`send`], [`typing`], [`presence`] and, for `$default`,
//! [`unknown`]; `main.rs` picks one by `_HANDLER`.
//! The rest is a small library for handlers of your own. This is a whole one, `{"action":"nudge"}`, which tells the
//! others in the sender's group:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use handlers::{Refusal, Room, frame, run};
//! use serde_json::json;
//!
//! async fn nudge(room: &mut Room<'_>) -> Result<&'static str, Refusal> {
//!     let sender = room.sender().await?;
//!     let group = [sender.group()?];
//!     let frame = frame("nudge", &json!({"senderId": sender.user_id}));
//!     room.tell_others(&sender, &group, &frame).await?;
//!     Ok("nudged")
//! }
//!
//! fn main() -> ExitCode {
//!     run(nudge)
//! }
//! ```
//!
//! [`run`] does what every handler needs: clients and settings once, the Runtime API's loop, the time that is left, the
//! `error` frame for what is refused, the line in the log. [`Room`] is the event with whom it can reach: what was
//! [said](room::Room::said), who its [sender](room::Room::sender) is, [telling](room::Room::tell) people and
//! [answering](room::Room::reply). A handler that stores what is said, or whose events are not a WebSocket API's, takes
//! the same steps itself: [`runtime::serve`] is the loop, [`aws::Aws`] has the tables, and [`send::Chat`] is how the
//! shipped `send` puts them together.

pub mod attribute;
pub mod authorize;
pub mod aws;
pub mod broadcast;
pub mod call;
pub mod catch_up;
pub mod connect;
pub mod connections;
pub mod deliver;
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
pub mod pace;
pub mod presence;
pub mod reply;
pub mod room;
pub mod runtime;
pub mod send;
pub mod shard;
pub mod spread;
mod tell;
pub mod timeline;
pub mod typing;
pub mod unknown;

pub use aws::Room;
pub use reply::{Refusal, frame};
pub use runtime::run;

#[cfg(test)]
mod double;
#[cfg(test)]
mod laws;
