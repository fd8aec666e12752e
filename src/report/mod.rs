//! Between doing and showing: what happens is an [`Event`], and a [`Reporter`] makes of it what it likes.

pub mod json;
pub mod lines;
pub mod record;
pub mod terminal;

use std::time::Duration;

use crate::names::ResourceId;

/// One thing that happened while a plan was applied.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Started {
        id: ResourceId,
        symbol: &'static str,
        word: &'static str,
    },
    /// It is waiting, or trying again, because of this.
    Waiting {
        id: ResourceId,
        on: String,
    },
    Finished {
        id: ResourceId,
        took: Duration,
    },
    Failed {
        id: ResourceId,
        error: String,
        hint: Option<String>,
    },
    /// Something that it needs has failed.
    Skipped {
        id: ResourceId,
        because: ResourceId,
    },
    /// A signal came: what is under way ends, nothing more is begun.
    Stopping {
        left: usize,
    },
}

/// Consumes events as they come.
pub trait Reporter {
    /// Before the first event, with the number of changes to come.
    fn begin(&mut self, changes: usize);
    fn on(&mut self, event: &Event);
    /// A word outside any change, such as `building handlers`.
    fn note(&mut self, text: &str);
    /// After the last event.
    fn end(&mut self);
}

/// Seconds with one decimal, as all reporters spell them.
pub(crate) fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
