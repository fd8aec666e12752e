//! msgai: one file, one command, one WebSocket chat on AWS.

pub mod apply;
pub mod cli;
pub mod cloud;
pub mod command;
pub mod describe;
pub mod error;
pub mod local;
pub mod names;
pub mod observe;
pub mod package;
pub mod plan;
pub mod report;
pub mod resource;
pub mod stack;
pub mod talk;
