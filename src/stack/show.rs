//! Problems as a person reads them, and as a program does.
//!
//! In: what was found and the text it was found in. Out: lines or JSON.
//! Never: printing; `command/` does that.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::problem::{Found, Severity};
use super::tree::Mark;

/// A file's name, as it is shown, and its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A problem with its place in the file; line and column count from one, the column in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed {
    pub severity: Severity,
    pub file: String,
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(skip)]
    at: Option<Mark>,
}

/// Why a file is no stack: every problem, and the warnings beside them.
#[derive(Clone)]
pub struct Problems {
    pub all: Vec<Placed>,
    pub(crate) source: Source,
}

impl Problems {
    pub(crate) fn new(source: Source, found: Vec<Found>) -> Self {
        Self {
            all: place(&source, found),
            source,
        }
    }

    /// Every problem with its line of the file, as a terminal or a log shows it.
    pub fn render(&self, colour: bool) -> String {
        render(&self.all, &self.source, colour)
    }

    /// A list of objects: `severity`, `file`, `line`, `column`, `message`, `hint`.
    pub fn to_json(&self) -> serde_json::Value {
        to_json(&self.all)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Problems {}

/// Problems as JSON, for `--json`.
pub fn to_json(problems: &[Placed]) -> serde_json::Value {
    serde_json::to_value(problems).expect("strings and numbers are JSON")
}

/// Order by place, errors before warnings at the same one.
pub(crate) fn place(source: &Source, mut found: Vec<Found>) -> Vec<Placed> {
    found.sort_by_key(|found| (found.at.as_ref().map(|at| at.start), found.severity));
    found.dedup();
    found
        .into_iter()
        .map(|found| placed(source, found))
        .collect()
}

fn placed(source: &Source, found: Found) -> Placed {
    let spot = found.at.as_ref().map(|at| spot(&source.text, at.start));
    Placed {
        severity: found.severity,
        file: source.name.clone(),
        line: spot.map(|(line, _)| line),
        column: spot.map(|(_, column)| column),
        message: printable(&found.message),
        hint: found.hint.as_deref().map(printable),
        at: found.at,
    }
}

/// The line and the column of a byte.
fn spot(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[start..]
        .trim_start_matches('\u{feff}')
        .chars()
        .count()
        + 1;
    (line, column)
}

/// A message may quote the file; a terminal must not obey what is written there.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

pub(crate) fn render(problems: &[Placed], source: &Source, colour: bool) -> String {
    let each = problems.iter();
    each.map(|placed| {
        let snippet = snippet(placed, source, colour).unwrap_or_default();
        paragraph(placed, &snippet, colour)
    })
    .collect()
}

/// As [`render`], without the lines of the file.
pub(crate) fn brief(problems: &[Placed], colour: bool) -> String {
    let each = problems.iter();
    each.map(|placed| paragraph(placed, "", colour)).collect()
}

fn paragraph(placed: &Placed, snippet: &str, colour: bool) -> String {
    let severity = match (colour, placed.severity) {
        (false, severity) => severity.to_string(),
        (true, Severity::Error) => painted(anstyle::AnsiColor::Red, "error"),
        (true, Severity::Warning) => painted(anstyle::AnsiColor::Yellow, "warning"),
    };
    let place = match (placed.line, placed.column) {
        (Some(line), Some(column)) => format!("{}:{line}:{column}", placed.file),
        _ => placed.file.clone(),
    };
    let hint = match &placed.hint {
        Some(hint) if colour => format!("{}: {hint}\n", painted(anstyle::AnsiColor::Cyan, "hint")),
        Some(hint) => format!("hint: {hint}\n"),
        None => String::new(),
    };
    format!("{severity}: {place}: {}\n{snippet}{hint}", placed.message)
}

fn painted(colour: anstyle::AnsiColor, word: &str) -> String {
    let style = colour.on_default().bold();
    format!("{style}{word}{style:#}")
}

/// The line of the file with a mark under the place.
fn snippet(placed: &Placed, source: &Source, colour: bool) -> Option<String> {
    let at = placed.at.as_ref()?;
    let text = &source.text;
    let start = text
        .get(..at.start)?
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?;
    if line.trim().is_empty() {
        return None;
    }
    let from = (at.start - start).min(line.len());
    let to = (at.end - start).clamp(from, line.len());
    let (level, renderer) = match (placed.severity, colour) {
        (Severity::Error, true) => (Level::ERROR, Renderer::styled()),
        (Severity::Warning, true) => (Level::WARNING, Renderer::styled()),
        (_, false) => (Level::ERROR, Renderer::plain()),
    };
    let mark = AnnotationKind::Primary.span(from..to);
    let snippet = Snippet::source(line)
        .line_start(placed.line?)
        .annotation(mark);
    let drawn = renderer
        .term_width(120)
        .render(&[Group::with_level(level).element(snippet)]);
    Some(format!("{}\n", drawn.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source {
            name: "stack.yaml".to_owned(),
            text: "api:\n  routes:\n    $connect: onconect\n    ünï: x\n".to_owned(),
        }
    }

    fn wrong() -> Mark {
        let start = source().text.find("onconect").unwrap();
        start..start + "onconect".len()
    }

    fn found(at: Mark, message: &str) -> Found {
        Found::error(Some(at), message).maybe(Some("did you mean `connect`?".to_owned()))
    }

    #[test]
    fn a_problem_shows_its_line() {
        let problems = Problems::new(
            source(),
            vec![found(
                wrong(),
                "route `$connect` names function `onconect`, which is not declared",
            )],
        );
        insta::assert_snapshot!(problems.render(false), @"
        error: stack.yaml:3:15: route `$connect` names function `onconect`, which is not declared
          |
        3 |     $connect: onconect
          |               ^^^^^^^^
        hint: did you mean `connect`?
        ");
    }

    #[test]
    fn colour_only_adds_escapes() {
        let problems = Problems::new(source(), vec![found(wrong(), "wrong")]);
        let coloured = problems.render(true);
        assert!(coloured.contains("\u{1b}["));
        let plain: String = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(plain, problems.render(false));
    }

    #[test]
    fn columns_count_characters() {
        let text = source().text;
        let at = text.find("x\n").unwrap();
        assert_eq!(spot(&text, at), (4, 10));
        assert_eq!(spot(&text, text.len()), (5, 1));
        assert_eq!(spot("\u{feff}a: 1", 3), (1, 1));
    }

    #[test]
    fn a_terminal_is_not_steered_by_the_file() {
        let problems = Problems::new(source(), vec![found(0..3, "key `\u{1b}[2J` is wrong")]);
        assert!(!problems.render(false).contains('\u{1b}'));
    }

    #[test]
    fn programs_get_json() {
        let problems = Problems::new(
            source(),
            vec![found(wrong(), "wrong"), Found::error(None, "lost")],
        );
        insta::assert_snapshot!(format!("{:#}", problems.to_json()), @r#"
        [
          {
            "severity": "error",
            "file": "stack.yaml",
            "line": null,
            "column": null,
            "message": "lost"
          },
          {
            "severity": "error",
            "file": "stack.yaml",
            "line": 3,
            "column": 15,
            "message": "wrong",
            "hint": "did you mean `connect`?"
          }
        ]
        "#);
    }
}
