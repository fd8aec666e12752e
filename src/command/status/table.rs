//! How each resource stands, as rows and as a table that fits.

use serde_json::{Value, json};

use crate::names::{Kind, ResourceId};
use crate::observe::Observed;
use crate::plan::render::Look;
use crate::plan::text::{GLANCE, parts};
use crate::plan::wrap::{elide, seen, wrap};
use crate::plan::{Action, Plan};

/// The longest word for how something stands.
const STANDING: usize = 9;

/// Room for a cloud's own id, such as an API's.
const ID: usize = 10;

/// How a resource stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Live,
    Drifted,
    Missing,
    /// It has a declared name and is not ours.
    Foreign,
    /// Ours, and no longer declared.
    Leftover,
    /// Ours, no longer declared, and kept for its data.
    Kept,
}

impl Standing {
    const ALL: [Self; 6] = [
        Self::Live,
        Self::Drifted,
        Self::Missing,
        Self::Foreign,
        Self::Leftover,
        Self::Kept,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Drifted => "drifted",
            Self::Missing => "missing",
            Self::Foreign => "not ours",
            Self::Leftover => "left over",
            Self::Kept => "kept",
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Live | Self::Kept => "✓",
            Self::Drifted | Self::Leftover => "!",
            Self::Missing | Self::Foreign => "✗",
        }
    }
}

pub(super) struct Row {
    pub(super) id: ResourceId,
    pub(super) standing: Standing,
    pub(super) physical: Option<String>,
    /// What it is doing, or which settings differ.
    pub(super) detail: String,
    differences: Value,
}

impl Row {
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "standing": self.standing.word(),
            "physical_id": self.physical,
            "detail": self.detail,
            "differences": self.differences,
        })
    }

    /// What a person cannot read off the name: which API, which version serves.
    fn object(&self) -> String {
        let at = self.physical.as_deref().unwrap_or_default();
        match self.id.kind {
            Kind::Api | Kind::Deployment => at.to_owned(),
            Kind::Alias if !at.is_empty() => format!("→ {at}"),
            Kind::Version if !at.is_empty() => format!("no. {at}"),
            _ => String::new(),
        }
    }

    fn is_at_rest(&self) -> bool {
        self.standing == Standing::Live && self.detail.is_empty()
    }
}

pub(super) fn rows(plan: &Plan, observed: &Observed) -> Vec<Row> {
    let foreign = observed.objects.values().filter(|found| !found.ours);
    let mut ids: Vec<&ResourceId> = plan
        .unchanged
        .iter()
        .chain(plan.changes.keys())
        .chain(&plan.kept)
        .chain(foreign.map(|found| &found.id))
        .collect();
    ids.sort();
    ids.dedup();
    let planned = plan.json();
    ids.into_iter()
        .map(|id| row(id, plan, &planned, observed))
        .collect()
}

fn row(id: &ResourceId, plan: &Plan, planned: &Value, observed: &Observed) -> Row {
    let found = observed.objects.get(id);
    let action = plan.changes.get(id).map(|change| &change.action);
    let standing = match (action, found) {
        _ if plan.kept.contains(id) => Standing::Kept,
        (_, Some(found)) if !found.ours => Standing::Foreign,
        (None, _) => Standing::Live,
        (Some(Action::Create(_)), _) => Standing::Missing,
        (Some(Action::Update { .. } | Action::Replace { .. }), _) => Standing::Drifted,
        (Some(Action::Delete { .. }), _) => Standing::Leftover,
    };
    let state = found.and_then(|found| found.state.clone());
    let fields = match action {
        Some(Action::Update { because, .. } | Action::Replace { because }) => {
            let fields: Vec<&str> = because.iter().map(|d| d.field.as_str()).collect();
            Some(fields.join(", "))
        }
        _ => None,
    };
    let of_plan = planned["changes"].as_array().into_iter().flatten();
    let differences = of_plan
        .filter(|change| change["id"] == id.to_string())
        .map(|change| change["because"].clone())
        .next()
        .unwrap_or(Value::Null);
    let detail: Vec<String> = [state, fields].into_iter().flatten().collect();
    Row {
        id: id.clone(),
        standing,
        physical: found.map(|found| found.at.id.clone()),
        detail: detail.join("; "),
        differences,
    }
}

/// A line a row; `lead` makes the name of a row lead to its page.
pub(super) fn table(
    rows: &[&Row],
    look: Look,
    width: usize,
    lead: impl Fn(&Row, &str) -> String,
) -> String {
    let longest = rows.iter().map(|row| row.id.to_string().chars().count());
    // Symbol, standing and the cloud's id keep their room; a long name loses its middle.
    let room = width.saturating_sub("  ✓ ".chars().count() + 2 + STANDING + 2 + ID);
    let column = longest.max().unwrap_or(0).min(room);
    let line = |row: &Row| {
        let name = elide(&row.id.to_string(), column);
        let pad = " ".repeat(column - seen(&name));
        let symbol = row.standing.symbol();
        let symbol = look.of_symbol(symbol, symbol);
        let standing = format!("{:<STANDING$}", row.standing.word());
        let line = format!("  {symbol} {}{pad}  {standing}", lead(row, &name));
        beside(&line, row, look, width)
    };
    let ids = rows.iter().map(|row| &row.id);
    let has_titles = rows.len() > GLANCE;
    let mut out = String::new();
    for (title, ids) in parts(ids) {
        if has_titles {
            let blank = if out.is_empty() { "" } else { "\n" };
            out.push_str(&format!("{blank}{}\n", look.bold(title)));
        }
        for row in ids
            .iter()
            .filter_map(|id| rows.iter().find(|row| row.id == **id))
        {
            out.push_str(&line(row));
            out.push('\n');
        }
    }
    out
}

/// The cloud's id and what there is to say, beside the row where they fit, else beneath.
fn beside(line: &str, row: &Row, look: Look, width: usize) -> String {
    let mut line = line.to_owned();
    let mut beneath = String::new();
    for more in [row.object(), row.detail.clone()] {
        if more.is_empty() {
            continue;
        }
        if beneath.is_empty() && seen(&line) + 2 + seen(&more) <= width {
            line.push_str(&format!("  {}", look.faint(&more)));
        } else {
            beneath.push_str(&format!("\n      {}", look.faint(&more)));
        }
    }
    wrap(&format!("{}{beneath}", line.trim_end()), width)
}

/// The rows that a person has to look at.
pub(super) fn restless(rows: &[Row]) -> Vec<&Row> {
    rows.iter().filter(|row| !row.is_at_rest()).collect()
}

/// What a person does about it.
pub(super) fn next_step(rows: &[Row]) -> Option<&'static str> {
    let is = |row: &Row, all: &[Standing]| all.contains(&row.standing);
    if rows
        .iter()
        .all(|row| is(row, &[Standing::Missing, Standing::Kept]))
    {
        return Some("nothing is deployed here; `msgai deploy` makes it");
    }
    let off = [Standing::Missing, Standing::Drifted, Standing::Leftover];
    let some = rows.iter().any(|row| is(row, &off));
    some.then_some("`msgai diff` shows what a deploy would change")
}

/// `12 live, 1 drifted`.
pub(super) fn summary(rows: &[Row]) -> String {
    let count = |standing: Standing| rows.iter().filter(|row| row.standing == standing).count();
    let parts: Vec<String> = Standing::ALL
        .into_iter()
        .map(|standing| (count(standing), standing))
        .filter(|(n, _)| *n > 0)
        .map(|(n, standing)| format!("{n} {}", standing.word()))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: Kind, name: &str, standing: Standing, detail: &str) -> Row {
        Row {
            id: ResourceId::new(kind, name),
            standing,
            physical: Some("abcdefghij".to_owned()),
            detail: detail.to_owned(),
            differences: Value::Null,
        }
    }

    fn shown(rows: &[Row], width: usize) -> String {
        let rows: Vec<&Row> = rows.iter().collect();
        table(&rows, Look { colour: false }, width, |_, name| {
            name.to_owned()
        })
    }

    #[test]
    fn a_table_fits_and_says_what_differs() {
        let long = "chat-with-a-name-that-is-longer-than-most";
        let rows = [
            row(Kind::Api, "chat", Standing::Live, ""),
            row(
                Kind::Function,
                long,
                Standing::Drifted,
                "environment.GREETING, memory",
            ),
            row(
                Kind::Deployment,
                "production",
                Standing::Drifted,
                "snapshot",
            ),
        ];
        assert_eq!(
            shown(&rows, 60),
            "  ! function/chat-wi…longer-than-most  drifted\n      environment.GREETING, memory\n  \
               ✓ api/chat                           live       abcdefghij\n  \
               ! deployment/production              drifted    abcdefghij\n      snapshot\n"
        );
        for width in 40..=130 {
            for line in shown(&rows, width).lines() {
                assert!(seen(line) <= width, "{width}: {line}");
            }
        }
        assert!(shown(&rows, 120).contains("drifted    environment.GREETING, memory\n"));
    }
}
