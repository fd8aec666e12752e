//! What all forms of a plan have in common: colours, the first line, the last line; and a plan as one JSON document.

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};

use super::value::open;
use super::{Action, Change, Danger, Plan};
use crate::names::Kind;

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
        }) || self.closes_url()
    }

    /// AWS does not say what becomes of connections through a door that closes: they are not promised to anybody.
    fn closes_url(&self) -> bool {
        let closes = |danger: &Danger| matches!(danger, Danger::ClosesUrl { .. });
        self.dangers.iter().any(closes)
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
