//! One line of a log as a person reads it: when, who, what came of it, and the rest by name.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::plan::render::Look;
use crate::plan::wrap::{elide, wrap};

/// Longer names of functions lose their middle.
const LONGEST: usize = 24;

/// What a line is about, if it has such a member: the first of these.
const LEADS: [&str; 4] = ["outcome", "event", "message", "msg"];

/// Members that say what the time and the name before the line say, too, or that tie it to others of Lambda's.
const KNOWN: [&str; 4] = ["level", "requestId", "Function", "at"];

/// The embedded metric format: what is counted stands beside it.
const METRICS: &str = "_aws";

/// How lines are told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) look: Look,
    /// Nothing of a line is left out.
    pub(super) whole: bool,
    /// How wide the names of those who write are.
    source: usize,
    /// Where a line is folded; a file takes it as it is.
    width: Option<usize>,
}

impl Form {
    pub(super) fn new<'a>(
        look: Look,
        whole: bool,
        width: Option<usize>,
        sources: impl Iterator<Item = &'a String>,
    ) -> Self {
        let longest = sources.map(|source| source.chars().count()).max();
        let source = longest.unwrap_or(0).min(LONGEST);
        Self {
            look,
            whole,
            source,
            width,
        }
    }

    /// When, who, what; further lines of a text stand under its first.
    pub(super) fn text(&self, at: Timestamp, source: &str, text: &str) -> String {
        let time = at.strftime("%H:%M:%S%.3f").to_string();
        let indent = time.chars().count() + 2 + self.source + 2;
        let column = self.source;
        let name = elide(source, column);
        let name = self.look.of_name(source, &format!("{name:<column$}"));
        let head = format!("{}  {name}  ", self.look.faint(&time));
        let told = self.told(text);
        let mut out = String::new();
        for (n, line) in told.lines().enumerate() {
            let line = match self.width {
                Some(width) => folded(line, width.saturating_sub(indent)),
                None => line.to_owned(),
            };
            for (m, line) in line.lines().enumerate() {
                if n + m == 0 {
                    out.push_str(&format!("{head}{line}"));
                } else {
                    out.push_str(&format!("\n{:indent$}{line}", ""));
                }
            }
        }
        if out.is_empty() {
            head.trim_end().to_owned()
        } else {
            out
        }
    }

    fn told(&self, text: &str) -> String {
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(members)) => self.members(&members),
            _ => text.to_owned(),
        }
    }

    /// What came of it first; then what is not said otherwise, as `name=value`.
    fn members(&self, members: &Map<String, Value>) -> String {
        let mut words = Vec::new();
        let level = members.get("level").and_then(Value::as_str);
        let level = level.unwrap_or("info").to_ascii_lowercase();
        if matches!(level.as_str(), "error" | "fatal" | "warn" | "warning") {
            let symbol = if level.starts_with("warn") { "!" } else { "-" };
            words.push(self.look.of_symbol(symbol, &level));
        }
        let is_text = |lead: &&str| members.get(*lead).is_some_and(Value::is_string);
        let lead = LEADS.into_iter().find(is_text);
        if let Some(lead) = lead {
            words.push(self.look.bold(members[lead].as_str().unwrap_or_default()));
        }
        let counted = counted(members);
        for (name, value) in members {
            let is_said = Some(name.as_str()) == lead || is_nothing(value);
            let is_known = KNOWN.contains(&name.as_str()) || name == METRICS;
            if is_said || !self.whole && (is_known || counted.contains(&name.as_str())) {
                continue;
            }
            let name = self.look.faint(&format!("{name}="));
            words.push(format!("{name}{}", bare(value)));
        }
        words.join(" ")
    }
}

/// The metrics of a line, each of which a member of it says already.
fn counted(members: &Map<String, Value>) -> Vec<&str> {
    let all = members
        .get(METRICS)
        .and_then(|it| it["CloudWatchMetrics"].as_array());
    let metrics = all
        .into_iter()
        .flatten()
        .filter_map(|one| one["Metrics"].as_array());
    metrics
        .flatten()
        .filter_map(|metric| metric["Name"].as_str())
        .collect()
}

/// API Gateway writes `-` for what there is none of.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value == "-" || value == ""
}

/// As it is, unless it would run into what follows.
fn bare(value: &Value) -> String {
    match value {
        Value::String(text) if !text.contains(|c: char| c.is_whitespace() || c == '"') => {
            text.clone()
        }
        other => other.to_string(),
    }
}

/// Folded between words; a word that is longer than the room is left whole.
fn folded(line: &str, room: usize) -> String {
    if room < 20 {
        line.to_owned()
    } else {
        wrap(line, room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(whole: bool, width: Option<usize>) -> Form {
        let sources = ["connect".to_owned(), "send".to_owned()];
        Form::new(Look { colour: false }, whole, width, sources.iter())
    }

    fn told(form: Form, text: &str) -> String {
        let at = Timestamp::from_millisecond(1_500).unwrap();
        form.text(at, "send", text)
    }

    const HANDLER: &str = r#"{"level":"info","route":"sendMessage","connectionId":"c=","requestId":"r","userId":"ali ce","outcome":"delivered","recipients":2,"duration_ms":7,"Function":"chat-send","Delivered":2,"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"msgai","Dimensions":[["Function"]],"Metrics":[{"Name":"Delivered","Unit":"Count"}]}]}}"#;

    #[test]
    fn a_line_says_when_and_who_and_its_lines_stay_together() {
        assert_eq!(
            told(form(false, None), "one\ntwo"),
            "00:00:01.500  send     one\n                       two"
        );
        assert_eq!(told(form(false, None), ""), "00:00:01.500  send");
    }

    #[test]
    fn a_handlers_line_says_first_what_came_of_it() {
        assert_eq!(
            told(form(false, None), HANDLER),
            "00:00:01.500  send     delivered route=sendMessage connectionId=c= \
             userId=\"ali ce\" recipients=2 duration_ms=7"
        );
        let whole = told(form(true, None), HANDLER);
        assert!(
            whole.contains("requestId=r") && whole.contains("Delivered=2"),
            "{whole}"
        );
        let error =
            r#"{"level":"error","route":"$connect","outcome":"storage","error":"Query: no table"}"#;
        assert_eq!(
            told(form(false, None), error),
            "00:00:01.500  send     error storage route=$connect error=\"Query: no table\""
        );
    }

    #[test]
    fn an_access_log_leaves_out_what_there_is_none_of() {
        let line = r#"{"requestId":"r","at":"1","event":"MESSAGE","route":"say","status":"200","connectionId":"c=","messageId":"m","error":"-","integration":"200","integrationError":"-","latency":"12"}"#;
        assert_eq!(
            told(form(false, None), line),
            "00:00:01.500  send     MESSAGE route=say status=200 connectionId=c= messageId=m \
             integration=200 latency=12"
        );
    }

    #[test]
    fn a_terminal_folds_a_line_under_its_words() {
        assert_eq!(
            told(form(false, Some(60)), HANDLER),
            "00:00:01.500  send     delivered route=sendMessage\n\
             \x20                        connectionId=c= userId=\"ali ce\"\n\
             \x20                        recipients=2 duration_ms=7"
        );
    }
}
