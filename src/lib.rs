//! msgai: one file, one command, one WebSocket chat on AWS.

pub mod local;
pub mod names;
pub mod package;
pub mod stack;
pub mod talk;
