//! A plan as the comment of a pull request: one table, and behind a fold what differs in each resource.
//!
//! Its first line is a comment that nobody sees and a workflow finds, so that the next plan takes this one's place.

use std::fmt::Write as _;

use super::inside::{self, Marked};
use super::text::{Told, aside, stays};
use super::value::both;
use super::wrap::elide;
use super::{Action, Change, Plan};
use crate::names::ResourceId;
use crate::resource::{Difference, is_fixed};

/// `GitHub` takes 65,536 characters; the rest is for what a workflow writes beside the plan.
const LONGEST: usize = 60_000;

/// How much of it the table may take.
const TABLE: usize = 40_000;

/// Of each value, in the table.
const VALUE: usize = 40;

/// Differences of one resource, in the table.
const FIELDS: usize = 4;

impl Plan {
    /// One table and its details, for a pull-request comment.
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "<!-- msgai:{} -->\n### {}\n\n{}\n",
            self.stack,
            text(&self.heading()),
            text(&self.summary())
        );
        for danger in &self.dangers {
            let (what, hint) = (danger.to_string(), danger.hint());
            write!(
                out,
                "\n> [!WARNING]\n> {}\\\n> {}\n",
                text(&what),
                text(&hint)
            )
            .ok();
        }
        for note in &self.notes {
            write!(out, "\n> [!NOTE]\n> {}\n", text(note)).ok();
        }
        if !self.changes.is_empty() || !self.kept.is_empty() {
            out.push_str("\n| | resource | change |\n|---|---|---|\n");
            self.table(&mut out);
        }
        self.details(&mut out);
        out
    }

    fn table(&self, out: &mut String) {
        let changes = self.told().into_iter().map(|change| self.row(change));
        let kept = self.kept.iter().map(kept_row);
        let rows: Vec<String> = changes.chain(kept).collect();
        for (n, row) in rows.iter().enumerate() {
            if out.len() + row.len() > TABLE {
                let more = rows.len() - n;
                writeln!(out, "| | | and {more} more, which `msgai diff` shows |").ok();
                return;
            }
            out.push_str(row);
        }
    }

    fn row(&self, change: &Change) -> String {
        let told = self.differences(change);
        let mut what: Vec<String> = told
            .iter()
            .take(FIELDS)
            .map(|told| match told {
                Told::Value(difference) => self.cell(change, difference),
                Told::Policy(field, lines) => format!("{}: {}", code(field), counted(lines)),
            })
            .collect();
        if told.len() > FIELDS {
            what.push(format!("and {} more", told.len() - FIELDS));
        }
        if what.is_empty() {
            what.push(
                aside(&change.action).map_or_else(|| change.action.word().to_owned(), |s| text(&s)),
            );
        }
        let (symbol, id) = (change.action.symbol(), code(&change.id.to_string()));
        format!("| `{symbol}` | {id} | {} |\n", what.join("<br>"))
    }

    fn cell(&self, change: &Change, difference: &Difference) -> String {
        let (from, to) = both(difference, &self.place);
        let because = match change.action {
            Action::Replace { .. } if is_fixed(change.id.kind, &difference.field) => {
                " (needs a new one)"
            }
            _ => "",
        };
        format!(
            "{}: {} → {}{because}",
            code(&difference.field),
            text(&elide(&from, VALUE)),
            text(&elide(&to, VALUE))
        )
    }

    /// Every difference whole, as far as there is room, folded away.
    fn details(&self, out: &mut String) {
        let mut body = String::new();
        let told = self.told();
        let blocks: Vec<String> = told
            .iter()
            .filter_map(|change| self.block(change))
            .collect();
        let mut left_out = 0;
        for block in &blocks {
            if out.len() + body.len() + block.len() > LONGEST {
                left_out += 1;
            } else {
                body.push_str(block);
            }
        }
        if blocks.is_empty() {
            return;
        }
        let fence = fence(&body);
        let of = match blocks.len() {
            1 => "1 resource".to_owned(),
            n => format!("{n} resources"),
        };
        write!(
            out,
            "\n<details><summary>What differs in {of}</summary>\n\n"
        )
        .ok();
        if !body.is_empty() {
            write!(out, "{fence}diff\n{body}{fence}\n\n").ok();
        }
        if left_out > 0 {
            let what = "too long for a comment; `msgai diff` shows them";
            write!(out, "The differences of {left_out} more are {what}.\n\n").ok();
        }
        out.push_str("</details>\n");
    }

    /// What differs in one resource, as a diff that `GitHub` colours; nothing where the table says it all.
    fn block(&self, change: &Change) -> Option<String> {
        let told = self.differences(change);
        if told.len() <= FIELDS && told.iter().all(|told| self.is_in_table(told)) {
            return None;
        }
        let mut out = format!("  {}\n", change.id);
        for one in &told {
            let (field, lines) = match one {
                Told::Policy(field, lines) => (*field, lines.clone()),
                Told::Value(d) => (d.field.as_str(), self.lines(d)),
            };
            writeln!(out, "    {field}:").ok();
            for Marked { mark, depth, text } in lines {
                // A tilde colours nothing; an exclamation mark does.
                let mark = if mark == "~" { "!" } else { mark };
                writeln!(out, "{mark:1}     {:indent$}{text}", "", indent = 2 * depth).ok();
            }
        }
        Some(out)
    }

    /// The table has no room for a policy, nor for long values.
    fn is_in_table(&self, told: &Told<'_>) -> bool {
        match told {
            Told::Policy(..) => false,
            Told::Value(difference) => {
                let (from, to) = both(difference, &self.place);
                from.chars().count().max(to.chars().count()) <= VALUE
            }
        }
    }

    fn lines(&self, difference: &Difference) -> Vec<Marked> {
        if let Some(lines) = inside::lines(difference) {
            return lines;
        }
        let (from, to) = both(difference, &self.place);
        let line = |mark, text| Marked {
            mark,
            depth: 0,
            text,
        };
        let both = [("-", from, &difference.from), ("+", to, &difference.to)];
        let both = both.into_iter().filter(|(_, _, value)| !value.is_null());
        both.map(|(mark, text, _)| line(mark, text)).collect()
    }
}

fn kept_row(id: &ResourceId) -> String {
    let id_text = code(&id.to_string());
    format!("| `=` | {id_text} | {} |\n", stays(id.kind))
}

/// `2 added, 1 removed`.
fn counted(lines: &[Marked]) -> String {
    let count = |mark: &str| lines.iter().filter(|line| line.mark == mark).count();
    let all = [(count("+"), "added"), (count("-"), "removed")];
    let all = all.iter().filter(|(n, _)| *n > 0);
    let all: Vec<String> = all.map(|(n, word)| format!("{n} {word}")).collect();
    all.join(", ")
}

/// Text in which nothing means anything to Markdown, HTML or a table.
fn text(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            c if c.is_alphanumeric() || " .,;/-()→…='\"%+:".contains(c) => out.push(c),
            c => out.push_str(&format!("&#{};", u32::from(c))),
        }
    }
    // No address becomes a link.
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// In the type of code; between backticks where that is safe.
fn code(plain: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || " .,;/-()=%+:$@_[]".contains(c);
    if !plain.is_empty() && plain.trim() == plain && plain.chars().all(is_safe) {
        format!("`{plain}`")
    } else {
        format!("<code>{}</code>", text(plain))
    }
}

/// More backticks than there are in a row inside.
fn fence(body: &str) -> String {
    let longest = body
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_means_anything() {
        assert_eq!(
            text("a|b `c` <i>&\n@you https://x [l](u)"),
            "a&#124;b &#96;c&#96; &#60;i&#62;&#38; &#64;you https&#58;//x &#91;l&#93;(u)"
        );
        assert_eq!(code("route/$connect"), "`route/$connect`");
        assert_eq!(code("route/a`|"), "<code>route/a&#96;&#124;</code>");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fence("a"), "```");
        assert_eq!(fence("a ``` b ```` c"), "`````");
    }
}
