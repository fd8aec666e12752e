//! Plain lines, each complete in itself: for CI, pipes and screen readers.

use std::collections::BTreeMap;
use std::io::Write;

use super::{Event, Reporter, seconds};
use crate::names::ResourceId;

/// Writes to whatever it is given, stderr as a rule.
pub struct Lines<W> {
    out: W,
    symbols: BTreeMap<ResourceId, &'static str>,
    said: BTreeMap<ResourceId, String>,
    done: usize,
    total: usize,
    failures_only: bool,
}

impl<W: Write> Lines<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            symbols: BTreeMap::new(),
            said: BTreeMap::new(),
            done: 0,
            total: 0,
            failures_only: false,
        }
    }

    /// Says nothing of what goes well: quiet is not silent about what is wrong.
    pub fn failures(out: W) -> Self {
        Self {
            failures_only: true,
            ..Self::new(out)
        }
    }

    fn line(&mut self, text: &str) {
        // A closed pipe must not stop a deploy half way.
        writeln!(self.out, "{text}").ok();
    }

    fn symbol(&self, id: &ResourceId) -> &'static str {
        self.symbols.get(id).copied().unwrap_or(" ")
    }
}

impl<W: Write> Reporter for Lines<W> {
    fn begin(&mut self, changes: usize) {
        self.total = changes;
        self.done = 0;
    }

    fn on(&mut self, event: &Event) {
        if self.failures_only && !matches!(event, Event::Failed { .. }) {
            return;
        }
        match event {
            Event::Started { id, symbol, .. } => {
                self.symbols.insert(id.clone(), symbol);
            }
            Event::Waiting { id, on } => {
                // A poll says the same again and again; once is enough.
                if self.said.get(id) != Some(on) {
                    self.said.insert(id.clone(), on.clone());
                    self.line(&format!("    {id} waits: {on}"));
                }
            }
            Event::Finished { id, took } => {
                self.done += 1;
                let symbol = self.symbol(id);
                let (done, total) = (self.done, self.total);
                self.line(&format!(
                    "{symbol:>3} {id}  {}  {done}/{total}",
                    seconds(*took)
                ));
            }
            Event::Failed { id, error, hint } => {
                self.line(&format!("  ! {id} failed: {error}"));
                if let Some(hint) = hint {
                    self.line(&format!("    hint: {hint}"));
                }
            }
            Event::Skipped { id, because } => {
                self.line(&format!("    {id} skipped: {because} is not done"));
            }
            Event::Stopping { left } => {
                self.line(&format!("stopping: {left} changes are not begun"));
            }
        }
    }

    fn note(&mut self, text: &str) {
        if !self.failures_only {
            self.line(text);
        }
    }

    fn end(&mut self) {
        self.out.flush().ok();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::names::Kind;

    #[test]
    fn a_wait_is_told_once_and_an_end_with_its_count() {
        let mut bytes = Vec::new();
        let mut lines = Lines::new(&mut bytes);
        let id = ResourceId::new(Kind::Table, "T");
        lines.begin(1);
        lines.on(&Event::Started {
            id: id.clone(),
            symbol: "+",
            word: "create",
        });
        for _ in 0..3 {
            lines.on(&Event::Waiting {
                id: id.clone(),
                on: "table T is CREATING".to_owned(),
            });
        }
        lines.on(&Event::Finished {
            id,
            took: Duration::from_millis(1400),
        });
        lines.end();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(
            text,
            "    table/T waits: table T is CREATING\n  + table/T  1.4 s  1/1\n"
        );
    }

    #[test]
    fn a_quiet_run_still_says_what_failed() {
        let mut bytes = Vec::new();
        let mut lines = Lines::failures(&mut bytes);
        let id = ResourceId::new(Kind::Table, "T");
        lines.begin(1);
        lines.note("building handlers");
        lines.on(&Event::Waiting {
            id: id.clone(),
            on: "its role".to_owned(),
        });
        lines.on(&Event::Failed {
            id,
            error: "denied".to_owned(),
            hint: Some("ask".to_owned()),
        });
        lines.end();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, "  ! table/T failed: denied\n    hint: ask\n");
    }
}
