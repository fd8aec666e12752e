//! A plan as lines for a person, and as one JSON document.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};

use super::wrap::{COLUMNS, elide, seen, wrap};
use super::{Action, Change, Plan};
use crate::names::{Kind, ResourceId};
use crate::resource::Difference;
use crate::resource::text::{PENDING, SECRET};

/// The version of the JSON form.
pub const VERSION: u32 = 1;

/// How text looks: plain, or with colours that never carry meaning alone.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub colour: bool,
}

impl Look {
    fn paint(self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    pub fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    pub fn faint(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    pub fn of_symbol(self, symbol: &str, text: &str) -> String {
        let colour = match symbol {
            "+" | "✓" => AnsiColor::Green,
            "~" | "!" => AnsiColor::Yellow,
            _ => AnsiColor::Red,
        };
        self.paint(colour.on_default(), text)
    }

    /// In a colour that is always this name's, and perhaps another's, too.
    pub fn of_name(self, name: &str, text: &str) -> String {
        const COLOURS: [AnsiColor; 5] = [
            AnsiColor::Cyan,
            AnsiColor::Magenta,
            AnsiColor::Blue,
            AnsiColor::Green,
            AnsiColor::BrightCyan,
        ];
        let sum = name.bytes().fold(0_usize, |sum, b| {
            sum.wrapping_mul(31).wrapping_add(usize::from(b))
        });
        self.paint(COLOURS[sum % COLOURS.len()].on_default(), text)
    }
}

impl Plan {
    /// Where: the first line of every plan.
    pub fn heading(&self) -> String {
        format!(
            "{} in {}, account {}",
            self.stack, self.place.region, self.place.account
        )
    }

    /// The whole plan, for reading at 80 columns.
    pub fn text(&self, look: Look) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        writeln!(out, "{}\n", look.bold(&self.heading())).ok();
        for change in self.changes.values() {
            out.push_str(&lines(change, look));
        }
        for id in &self.kept {
            writeln!(out, "{}", kept_line(id, look)).ok();
        }
        if !self.changes.is_empty() || !self.kept.is_empty() {
            out.push('\n');
        }
        out.push_str(&self.summary());
        out.push('\n');
        out
    }

    /// The last line.
    pub fn summary(&self) -> String {
        if self.is_empty() {
            return "No changes. Stack is up to date.".to_owned();
        }
        let counts = self.counts();
        let connections = if self.drops_connections() {
            "dropped"
        } else {
            "kept"
        };
        format!(
            "Plan: {} to add, {} to change, {} to destroy. Live connections: {connections}.",
            counts.add, counts.change, counts.destroy
        )
    }

    pub fn drops_connections(&self) -> bool {
        self.changes.values().any(|change| {
            matches!(change.id.kind, Kind::Stage | Kind::Api)
                && matches!(change.action, Action::Delete { .. })
        })
    }

    /// One table, for a pull-request comment.
    pub fn markdown(&self) -> String {
        let mut out = format!("### {}\n\n", self.heading());
        if !self.is_empty() || !self.kept.is_empty() {
            out.push_str("| | resource | change |\n|---|---|---|\n");
        }
        for change in self.changes.values() {
            let what = match &change.action {
                Action::Update { because, .. } | Action::Replace { because } => because
                    .iter()
                    .map(|d| format!("`{}`: {} → {}", d.field, shown(&d.from, d), shown(&d.to, d)))
                    .collect::<Vec<_>>()
                    .join("<br>"),
                Action::Delete {
                    with: Some(parent), ..
                } => format!("goes with {parent}"),
                action => action.word().to_owned(),
            };
            let what = what.replace('|', "\\|");
            writeln!(
                out,
                "| `{}` | `{}` | {what} |",
                change.action.symbol(),
                change.id
            )
            .ok();
        }
        for id in &self.kept {
            writeln!(out, "| `=` | `{id}` | {} |", stays(id.kind)).ok();
        }
        if !self.is_empty() || !self.kept.is_empty() {
            out.push('\n');
        }
        writeln!(out, "{}", self.summary()).ok();
        out
    }

    /// The same as JSON; what may not be shown is not in it either.
    pub fn json(&self) -> Value {
        let changes: Vec<Value> = self.changes.values().map(change_json).collect();
        let dangers: Vec<Value> = self
            .dangers
            .iter()
            .map(|danger| {
                let mut value = serde_json::to_value(danger).unwrap_or_default();
                value["message"] = json!(danger.to_string());
                value["hint"] = json!(danger.hint());
                value
            })
            .collect();
        json!({
            "type": "plan",
            "version": VERSION,
            "stack": self.stack,
            "place": self.place,
            "changes": changes,
            "kept": self.kept,
            "unchanged": self.unchanged,
            "counts": self.counts(),
            "drops_connections": self.drops_connections(),
            "dangers": dangers,
            "notes": self.notes,
        })
    }
}

/// What stays although nothing declares it, or although the stack goes.
pub fn kept_line(id: &ResourceId, look: Look) -> String {
    format!("  = {id}  {}", look.faint(stays(id.kind)))
}

fn stays(kind: Kind) -> &'static str {
    match kind {
        Kind::Table => "stays, with its items",
        _ => "stays",
    }
}

fn change_json(change: &Change) -> Value {
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(change.id));
    members.insert("action".to_owned(), json!(change.action.word()));
    members.insert("after".to_owned(), json!(change.after));
    match &change.action {
        Action::Create(_) => {}
        Action::Update { because, .. } | Action::Replace { because } => {
            let because: Vec<Value> = because
                .iter()
                .map(|d| json!({ "field": d.field, "from": open(&d.from), "to": open(&d.to) }))
                .collect();
            members.insert("because".to_owned(), Value::Array(because));
        }
        Action::Delete { with, .. } => {
            members.insert("with".to_owned(), json!(with));
        }
    }
    Value::Object(members)
}

/// A value without what may not be shown.
fn open(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key(SECRET) => json!("(sensitive)"),
        Value::Object(members) if members.contains_key(PENDING) => json!("(known after apply)"),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(k, v)| (k.clone(), open(v))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(open).collect()),
        other => other.clone(),
    }
}

fn lines(change: &Change, look: Look) -> String {
    let symbol = change.action.symbol();
    let mut out = String::new();
    let with = match &change.action {
        Action::Delete {
            with: Some(parent), ..
        } => look.faint(&format!("  goes with {parent}")),
        _ => String::new(),
    };
    let head = look.of_symbol(symbol, &format!("{symbol:>3} {}", change.id));
    writeln!(out, "{}", wrap(&format!("{head}{with}"), COLUMNS)).ok();
    match &change.action {
        Action::Create(resource) => {
            if let Some(line) = highlights(resource) {
                let line = format!("      {}", look.faint(&line));
                writeln!(out, "{}", wrap(&line, COLUMNS)).ok();
            }
        }
        Action::Update { because, .. } => {
            for difference in because {
                writeln!(out, "{}", difference_lines(difference, "")).ok();
            }
        }
        Action::Replace { because } => {
            for difference in because {
                let lines = difference_lines(difference, " (needs a new one)");
                writeln!(out, "{lines}").ok();
            }
        }
        Action::Delete { .. } => {}
    }
    out
}

/// The few settings of a new resource that a reader looks for.
fn highlights(resource: &crate::resource::Resource) -> Option<String> {
    use crate::resource::Resource;
    match resource {
        Resource::Table(table) => {
            let mut parts = vec![format!("key {}", table.key.partition)];
            parts.extend(table.key.sort.iter().map(|sort| format!("sort {sort}")));
            let indexes = table.indexes.iter();
            parts.extend(indexes.map(|(name, i)| format!("index {name} ({})", i.key.partition)));
            parts.extend(table.ttl.iter().map(|ttl| format!("ttl {ttl}")));
            Some(parts.join(", "))
        }
        Resource::Function(f) => Some(format!(
            "{} {}, {} MB, {} s, {} zipped",
            f.runtime,
            f.architecture,
            f.memory,
            f.timeout,
            size(f.code.zip.len())
        )),
        Resource::Route(route) => Some(format!("to {}", route.integration)),
        Resource::Stage(stage) => Some(format!(
            "{} requests/s, burst {}",
            stage.throttle.rate, stage.throttle.burst
        )),
        _ => None,
    }
}

/// Megabytes with one decimal, or whole kilobytes.
#[expect(clippy::cast_precision_loss, reason = "a size to one decimal")]
fn size(bytes: usize) -> String {
    if bytes < 1_000_000 {
        return format!("{} KB", bytes.div_ceil(1000));
    }
    format!("{:.1} MB", bytes as f64 / 1_000_000.0)
}

/// One line, or three where that would be too long: two values under each other are easier to compare, too.
fn difference_lines(d: &Difference, because: &str) -> String {
    let (from, to) = (shown(&d.from, d), shown(&d.to, d));
    let line = format!("      {}: {from} → {to}{because}", d.field);
    if seen(&line) <= COLUMNS {
        return line;
    }
    format!("      {}:{because}\n        {from}\n      → {to}", d.field)
}

/// One value on one line; secrets, and whatever an environment held, stay hidden.
fn shown(value: &Value, difference: &Difference) -> String {
    const LONGEST: usize = 2 * COLUMNS;
    match open(value) {
        Value::Null => "(none)".to_owned(),
        Value::String(text) if text == "(sensitive)" && difference.to.is_string() => {
            "(another value)".to_owned()
        }
        Value::String(text) => elide(&text, LONGEST),
        other => elide(&other.to_string(), LONGEST),
    }
}
