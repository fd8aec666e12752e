//! What a call leaves in the logs: the platform's lines, the function's own, and the tail for the caller.

use std::fmt::{self, Write as _};
use std::sync::{Mutex, Weak};
use std::time::Duration;

use serde_json::{Value, json};

use super::Spec;
use crate::local::locked;
use crate::local::{Happening, World, ids};

/// What `X-Amz-Log-Type: Tail` returns at most.
const TAIL: usize = 4096;

/// How a function's log is to be written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Format {
    pub(crate) json: bool,
    /// The least level of the function's own lines, and of the platform's; both only with JSON.
    pub(crate) application: Option<String>,
    pub(crate) system: Option<String>,
}

/// One environment's log stream.
#[derive(Debug)]
pub(super) struct Record {
    world: Weak<World>,
    function: String,
    version: String,
    group: String,
    format: Format,
    pub(super) stream: String,
    tail: Mutex<String>,
    /// The call that is served, or was last.
    request_id: Mutex<String>,
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

/// An init that came to nothing.
pub(super) struct FailedInit<'a> {
    pub(super) took: Duration,
    /// `init`, or `invoke` when it was done again on the call's time.
    pub(super) phase: &'a str,
    pub(super) timed_out: bool,
    pub(super) error: Option<&'a str>,
}

impl Record {
    pub(super) fn new(world: Weak<World>, spec: &Spec, stream: String) -> Self {
        Self {
            world,
            function: spec.function.clone(),
            version: spec.version.clone(),
            group: spec.log_group.clone(),
            format: spec.format.clone(),
            stream,
            tail: Mutex::default(),
            request_id: Mutex::default(),
        }
    }

    /// A line that the function wrote, or one about it that a person wants to see.
    pub(super) fn line(&self, line: &str) {
        self.put(line);
        self.tell(line);
    }

    fn tell(&self, line: &str) {
        if let Some(world) = self.world.upgrade() {
            world.tell(Happening::Log {
                function: self.function.clone(),
                request_id: locked(&self.request_id).clone(),
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
            world.count_line(&self.group, line);
            world.logs.put(&self.group, &self.stream, now, line);
        }
    }

    /// The next call begins: its tail holds nothing of the one before.
    pub(super) fn turn(&self) {
        locked(&self.tail).clear();
    }

    pub(super) fn init_start(&self) {
        if self.format.json {
            let record = json!({
                "initializationType": "on-demand", "phase": "init",
                "functionName": self.function, "functionVersion": self.version,
            });
            self.platform("initStart", record, true);
        }
    }

    pub(super) fn start(&self, request_id: &str, arn: &str) {
        request_id.clone_into(&mut locked(&self.request_id));
        let version = &self.version;
        if self.format.json {
            let record = json!({ "requestId": request_id, "functionArn": arn, "version": version });
            self.platform("start", record, true);
        } else {
            self.put(&format!("START RequestId: {request_id} Version: {version}"));
        }
    }

    pub(super) fn end(&self, report: &Report<'_>) {
        let id = report.request_id;
        if report.timed_out {
            let seconds = report.took.as_secs_f64();
            let line = format!(
                "{} {id} Task timed out after {seconds:.2} seconds",
                self.now()
            );
            if self.format.json {
                self.tell(&line);
            } else {
                self.line(&line);
            }
        }
        if self.format.json {
            self.platform("report", report.record(), report.status() == "success");
        } else {
            self.put(&format!("END RequestId: {id}"));
            self.put(&report.line());
        }
    }

    /// A process that went is told once more, after the report.
    pub(super) fn exited(&self, message: &str, kind: &str) {
        let line = format!("{message}\n{kind}");
        if self.format.json {
            self.tell(&line);
        } else {
            self.line(&line);
        }
    }

    pub(super) fn init_failed(&self, init: &FailedInit<'_>) {
        let status = if init.timed_out { "timeout" } else { "error" };
        let phase = init.phase;
        if self.format.json {
            let mut record = json!({
                "initializationType": "on-demand", "phase": phase, "status": status,
                "metrics": { "durationMs": rounded(init.took) },
            });
            if let Some(kind) = init.error {
                record["errorType"] = json!(kind);
            }
            self.platform("initReport", record, false);
            return;
        }
        let kind = init
            .error
            .map_or_else(String::new, |k| format!("\tError Type: {k}"));
        self.line(&format!(
            "INIT_REPORT Init Duration: {:.2} ms\tPhase: {phase}\tStatus: {status}{kind}",
            millis(init.took)
        ));
    }

    /// What the platform itself says, in JSON; when all is well only to who wants to know that, too.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "every caller has just made it"
    )]
    fn platform(&self, kind: &str, record: Value, is_well: bool) {
        if is_well && self.format.system.as_deref() == Some("WARN") {
            return;
        }
        let whole =
            json!({ "time": self.now(), "type": format!("platform.{kind}"), "record": record });
        self.put(&whole.to_string());
    }

    fn now(&self) -> String {
        ids::iso(self.world.upgrade().map_or(0, |w| w.clock.millis()))
    }

    /// The last 4 KB since the call began.
    pub(super) fn tail(&self) -> String {
        locked(&self.tail).clone()
    }
}

impl Report<'_> {
    fn line(&self) -> String {
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB\t",
            self.request_id,
            millis(self.took),
            self.billed(),
            self.memory,
        );
        if let Some(peak) = self.peak {
            let _: fmt::Result = write!(line, "Max Memory Used: {peak} MB\t");
        }
        if let Some(init) = self.init {
            let _: fmt::Result = write!(line, "Init Duration: {:.2} ms\t", millis(init));
        }
        match (self.status(), self.error) {
            ("timeout", _) => line += "Status: timeout",
            ("error", Some(kind)) => {
                let _: fmt::Result = write!(line, "Status: error\tError Type: {kind}");
            }
            _ => {}
        }
        line
    }

    fn record(&self) -> Value {
        let mut metrics = json!({
            "durationMs": rounded(self.took),
            "billedDurationMs": self.billed(),
            "memorySizeMB": self.memory,
        });
        if let Some(peak) = self.peak {
            metrics["maxMemoryUsedMB"] = json!(peak);
        }
        if let Some(init) = self.init {
            metrics["initDurationMs"] = json!(rounded(init));
        }
        let mut record = json!({
            "requestId": self.request_id, "metrics": metrics, "status": self.status(),
        });
        if let ("error", Some(kind)) = (self.status(), self.error) {
            record["errorType"] = json!(kind);
        }
        record
    }

    fn status(&self) -> &'static str {
        match self.error {
            _ if self.timed_out => "timeout",
            Some(_) => "error",
            None => "success",
        }
    }

    /// Whole milliseconds; since August 2025 the start of an environment is paid for, too.
    fn billed(&self) -> u128 {
        (self.took + self.init.unwrap_or_default())
            .as_micros()
            .div_ceil(1000)
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Milliseconds to the hundredth.
fn rounded(time: Duration) -> f64 {
    (millis(time) * 100.0).round() / 100.0
}
