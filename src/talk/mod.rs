//! WebSocket clients: a scripted conversation and a person at a terminal.
//!
//! In: a URL, and what is to be said. Out: what came back, line by line.
//! Never: AWS's APIs, a stack, a clock of its own, or any other module of ours.

pub mod bench;
pub mod client;
pub mod dialect;
pub mod editor;
mod ends;
pub mod errand;
mod follow;
pub mod keyboard;
mod pattern;
pub mod play;
mod pretty;
pub mod script;
pub mod shown;
pub mod terminal;
pub mod transcript;
mod trust;
mod typed;

#[cfg(test)]
mod echo;

pub use client::{Client, Closed, ConnectError, Frame, TalkError};
pub use play::{PlayOptions, play};
pub use script::{Script, ScriptError};
pub use transcript::{Line, PlayError, Summary, What};
pub use trust::is_local;

/// Text that somebody else wrote, as it may be shown: without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || turns_text(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// Characters that turn the direction of what follows, so that a line reads otherwise than it is.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
