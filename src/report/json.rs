//! One JSON object a line while working: `{"type":…,"at":…}`.

use std::io::Write;

use serde_json::{Value, json};

use super::{Event, Reporter};

/// Writes to whatever it is given, stdout as a rule. `at` comes from the clock that it is given.
pub struct Json<W> {
    out: W,
    now: fn() -> String,
}

impl<W: Write> Json<W> {
    pub fn new(out: W, now: fn() -> String) -> Self {
        Self { out, now }
    }

    /// One line more, with its time.
    pub fn say(&mut self, mut object: Value) {
        object["at"] = json!((self.now)());
        writeln!(self.out, "{object}").ok();
    }
}

impl<W: Write> Reporter for Json<W> {
    fn begin(&mut self, changes: usize) {
        self.say(json!({ "type": "begin", "version": 1, "changes": changes }));
    }

    fn on(&mut self, event: &Event) {
        let object = match event {
            Event::Started { id, word, .. } => {
                json!({ "type": "started", "id": id, "action": word })
            }
            Event::Waiting { id, on } => json!({ "type": "waiting", "id": id, "on": on }),
            Event::Finished { id, took } => {
                json!({ "type": "finished", "id": id, "seconds": took.as_secs_f64() })
            }
            Event::Failed { id, error, hint } => {
                json!({ "type": "failed", "id": id, "error": error, "hint": hint })
            }
            Event::Skipped { id, because } => {
                json!({ "type": "skipped", "id": id, "because": because })
            }
            Event::Stopping { left } => json!({ "type": "stopping", "left": left }),
        };
        self.say(object);
    }

    fn note(&mut self, text: &str) {
        self.say(json!({ "type": "note", "text": text }));
    }

    fn end(&mut self) {
        self.out.flush().ok();
    }
}
