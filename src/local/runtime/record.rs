//! What a call leaves in the logs: the platform's lines, the function's own, and the tail for the caller.

use std::fmt::{self, Write as _};
use std::sync::{Mutex, Weak};
use std::time::Duration;

use crate::local::locked;
use crate::local::{Happening, World, ids};

/// What `X-Amz-Log-Type: Tail` returns at most.
const TAIL: usize = 4096;

/// One environment's log stream.
#[derive(Debug)]
pub(super) struct Record {
    world: Weak<World>,
    function: String,
    group: String,
    pub(super) stream: String,
    tail: Mutex<String>,
}

/// The end of one call.
pub(super) struct Report<'a> {
    pub(super) request_id: &'a str,
    pub(super) took: Duration,
    pub(super) memory: u64,
    /// Megabytes, where the system tells.
    pub(super) peak: Option<u64>,
    pub(super) init: Option<Duration>,
    pub(super) timed_out: bool,
    pub(super) error: Option<&'a str>,
}

impl Record {
    pub(super) fn new(world: Weak<World>, function: &str, group: &str, stream: String) -> Self {
        Self {
            world,
            function: function.to_owned(),
            group: group.to_owned(),
            stream,
            tail: Mutex::default(),
        }
    }

    /// A line that the function wrote.
    pub(super) fn line(&self, line: &str) {
        self.put(line);
        if let Some(world) = self.world.upgrade() {
            world.tell(Happening::Log {
                function: self.function.clone(),
                line: line.to_owned(),
            });
        }
    }

    fn put(&self, line: &str) {
        let mut tail = locked(&self.tail);
        tail.push_str(line);
        tail.push('\n');
        if tail.len() > TAIL {
            let cut = tail.len() - TAIL;
            let cut = tail.ceil_char_boundary(cut);
            tail.drain(..cut);
        }
        drop(tail);
        if let Some(world) = self.world.upgrade() {
            let now = world.clock.millis();
            world.logs.put(&self.group, &self.stream, now, line);
        }
    }

    pub(super) fn start(&self, request_id: &str, version: &str) {
        locked(&self.tail).clear();
        self.put(&format!("START RequestId: {request_id} Version: {version}"));
    }

    pub(super) fn end(&self, report: &Report<'_>) {
        let id = report.request_id;
        if report.timed_out {
            let now = self.world.upgrade().map_or(0, |w| w.clock.millis());
            let seconds = report.took.as_secs_f64();
            self.line(&format!(
                "{} {id} Task timed out after {seconds:.2} seconds",
                ids::iso(now)
            ));
        }
        self.put(&format!("END RequestId: {id}"));
        self.put(&report.line());
    }

    pub(super) fn init_failed(&self, took: Duration, status: &str, kind: Option<&str>) {
        let kind = kind.map_or_else(String::new, |k| format!("\tError Type: {k}"));
        self.line(&format!(
            "INIT_REPORT Init Duration: {:.2} ms\tPhase: init\tStatus: {status}{kind}",
            millis(took)
        ));
    }

    /// The last 4 KB since the call began.
    pub(super) fn tail(&self) -> String {
        locked(&self.tail).clone()
    }
}

impl Report<'_> {
    fn line(&self) -> String {
        let took = millis(self.took);
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {took:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB\t",
            self.request_id,
            took.ceil(),
            self.memory,
        );
        if let Some(peak) = self.peak {
            let _: fmt::Result = write!(line, "Max Memory Used: {peak} MB\t");
        }
        if let Some(init) = self.init {
            let _: fmt::Result = write!(line, "Init Duration: {:.2} ms\t", millis(init));
        }
        if self.timed_out {
            line += "Status: timeout";
        } else if let Some(kind) = self.error {
            let _: fmt::Result = write!(line, "Status: error\tError Type: {kind}");
        }
        line
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
