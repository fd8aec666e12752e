//! Keeps every event, for tests.

use super::{Event, Reporter};

#[derive(Debug, Default)]
pub struct Record {
    pub events: Vec<Event>,
    pub notes: Vec<String>,
}

impl Reporter for Record {
    fn begin(&mut self, _: usize) {}

    fn on(&mut self, event: &Event) {
        self.events.push(event.clone());
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    fn end(&mut self) {}
}
