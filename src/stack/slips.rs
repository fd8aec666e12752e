//! Slips of the pen in YAML, traced back from where the scanner stumbled to where they were made.
//!
//! In: the scanner's sentence, where it was, and the text. Out: a complaint at the slip, with a next step.
//! Never: a second reading of the file; lines and brackets before the place are enough.

use super::problem::Found;
use super::tree::Mark;

/// The scanner's complaint in our words, at the slip where that can be told.
pub(super) fn trace(sentence: &str, at: Option<Mark>, text: &str) -> Found {
    let sentence = sentence.split(" at line ").next().unwrap_or(sentence);
    let seen = at.clone().and_then(|at| slip(sentence, &at, text));
    seen.unwrap_or_else(|| {
        let (message, hint) = elsewhere(sentence);
        Found::error(at, message).maybe(hint.map(str::to_owned))
    })
}

/// Where a value cannot be told from structure.
const QUOTES: &str = "put the value in quotes, or check the indentation";

const OPEN_QUOTE: &str = "this quote is not closed";

/// Slips that are told by the sentence alone: how it goes on, what we say, the next step.
const SENTENCES: &[(&str, &str, &str)] = &[
    ("tabs disallowed", "a tab cannot indent", "use spaces"),
    ("found a tab", "a tab cannot stand here", "use spaces"),
    (
        "mapping values are not allowed",
        "a `:` where no key can be",
        QUOTES,
    ),
    (
        "block sequence entries are not allowed",
        "a `-` where no list can be",
        "begin the list on a line of its own, or write `[a, b]`",
    ),
    (
        "invalid trailing content",
        "a value ends before this",
        "put the whole value in quotes",
    ),
    (
        "comments must be separated",
        "a comment needs a space before it",
        "write ` #`",
    ),
    (
        "simple key",
        "a key needs a colon after it",
        "write `KEY: value`",
    ),
    (
        "escape character",
        "in double quotes `\\` begins an escape, and this is none",
        "use single quotes, or write `\\\\`",
    ),
];

fn elsewhere(sentence: &str) -> (String, Option<&'static str>) {
    if let Some(character) = sentence.strip_prefix("unexpected character: `") {
        let character = character.strip_suffix('\'').unwrap_or(character);
        return (format!("`{character}` cannot begin a value"), Some(QUOTES));
    }
    let mut known = SENTENCES.iter();
    match known.find(|(part, ..)| sentence.contains(part)) {
        Some((_, message, hint)) => ((*message).to_owned(), Some(hint)),
        None => (sentence.to_owned(), Some(QUOTES)),
    }
}

fn slip(sentence: &str, at: &Mark, text: &str) -> Option<Found> {
    let has = |part: &str| sentence.contains(part);
    if has("mapping values are not allowed") {
        colon(at, text)
    } else if has("unexpected character") {
        fence(at, text)
    } else if has("unknown anchor") {
        alias(at, text)
    } else if has("unclosed quote") {
        Some(told(at.clone(), OPEN_QUOTE, "close it on its line"))
    } else if has("multiline quoted scalar") || has("unexpected document indicator") {
        let open = text.get(..at.start)?.rfind(['"', '\''])?;
        let mark = open..open + 1;
        Some(told(mark, OPEN_QUOTE, "close it on its line"))
    } else if has("misplaced bracket") {
        let bracket = text.get(at.start..)?.chars().next();
        let bracket = bracket.filter(|c| matches!(c, ']' | '}'))?;
        let message = format!("this `{bracket}` closes nothing");
        Some(told(at.start..at.start + 1, message, "take it away"))
    } else if has("expected ',' or")
        || has("unclosed bracket")
        || has("a flow")
        || has("flow construct")
    {
        bracket(at, text)
    } else if has("did not find expected key") || has("expected '-' indicator") {
        indentation(at, text)
    } else {
        None
    }
}

fn told(at: Mark, message: impl Into<String>, hint: impl Into<String>) -> Found {
    Found::error(Some(at), message).maybe(Some(hint.into()))
}

/// A line of the text: where it begins, and what is on it.
fn line_of(text: &str, byte: usize) -> Option<(usize, &str)> {
    let start = text
        .get(..byte)?
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    Some((start, text.get(start..)?.lines().next().unwrap_or_default()))
}

/// A key where a value goes on: the line before has lost its colon, or the space after it.
fn colon(at: &Mark, text: &str) -> Option<Found> {
    let (start, line) = line_of(text, at.start)?;
    if line.get(..at.start - start)?.contains(": ") {
        return None;
    }
    let (from, slip) = line_before(text, start)?;
    let words = slip.trim();
    let from = from + slip.len() - slip.trim_start().len();
    let mark = from..from + words.len();
    if words.starts_with(['-', '"', '\'', '[', '{']) || words.contains(": ") {
        return None;
    }
    if let Some((key, value)) = words.split_once(':') {
        let hint = format!("write `{key}: {value}`");
        return Some(told(mark, "a colon needs a space after it", hint));
    }
    let written = words.split_once(' ').map_or_else(
        || format!("{words}:"),
        |(key, value)| format!("{key}: {}", value.trim()),
    );
    let hint = format!("write `{written}`");
    Some(told(mark, "a key needs a colon after it", hint))
}

/// The nearest line before that is neither empty nor a comment.
fn line_before(text: &str, mut start: usize) -> Option<(usize, &str)> {
    loop {
        let (begin, line) = line_of(text, start.checked_sub(1)?)?;
        if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            return Some((begin, line));
        }
        start = begin;
    }
}

/// A block that was copied with its fence.
fn fence(at: &Mark, text: &str) -> Option<Found> {
    let (start, line) = line_of(text, at.start)?;
    line.trim_start().starts_with("```").then(|| {
        told(
            start..start + line.len(),
            "a fence of Markdown is no part of a stack file",
            "take the lines with ``` away",
        )
    })
}

/// `*name` without its `&name`.
fn alias(at: &Mark, text: &str) -> Option<Found> {
    let rest = text.get(at.start..)?;
    let end = rest.find(|c: char| c.is_whitespace() || ",]}".contains(c));
    let alias = rest.get(..end.unwrap_or(rest.len()))?;
    let name = alias.strip_prefix('*')?;
    let hint = if name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    {
        format!("name its value where it stands first: `connect: &{name} {{ … }}`")
    } else {
        format!("`*` begins an alias; text goes in quotes: `\"{alias}\"`")
    };
    let message = format!("`{alias}` stands for nothing that is named before");
    Some(told(at.start..at.start + alias.len(), message, hint))
}

/// The bracket before a place that has no partner.
fn bracket(at: &Mark, text: &str) -> Option<Found> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut quote = None;
    let mut before = ' ';
    let mut comment = false;
    // One byte more: the scanner may have stopped at the bracket itself.
    let seen = text
        .char_indices()
        .take_while(|(byte, _)| *byte <= at.start);
    for (byte, c) in seen {
        match (quote, c) {
            (_, '\n') => comment = false,
            _ if comment => {}
            (Some(mark), _) if c == mark => quote = None,
            (None, '#') if before.is_whitespace() => comment = true,
            (None, '"' | '\'') if !before.is_alphanumeric() => quote = Some(c),
            (None, '{' | '[') if before != '$' => open.push((byte, c)),
            (None, '}' | ']') => {
                open.pop();
            }
            _ => {}
        }
        before = c;
    }
    let (byte, c) = open.pop()?;
    let close = if c == '{' { '}' } else { ']' };
    Some(told(
        byte..byte + 1,
        format!("this `{c}` is not closed"),
        format!("write `{close}` where it ends; entries have commas between them"),
    ))
}

/// A line whose indentation none of those above has.
fn indentation(at: &Mark, text: &str) -> Option<Found> {
    let (start, line) = line_of(text, at.start)?;
    let first = start + line.len() - line.trim_start().len();
    if first != at.start {
        return Some(told(
            at.clone(),
            "a value ends before this",
            "put the whole value in quotes",
        ));
    }
    let message = format!(
        "no line above begins at this column, {} spaces in",
        first - start
    );
    let end = first.max(start + line.trim_end().len());
    Some(told(
        first..end,
        message,
        "entries of one map begin at one column",
    ))
}

/// The line of the first of two equal keys, when the second begins at `at` and has its column.
pub(super) fn twin(key: &str, at: &Mark, text: &str) -> Option<usize> {
    let (start, _) = line_of(text, at.start)?;
    let column = at.start - start;
    let same = |line: &str| {
        let indented = line.len() - line.trim_start().len() == column;
        let name = line.trim_start().split(':').next().unwrap_or_default();
        indented && name.trim_matches(['"', '\'']) == key
    };
    let before: Vec<&str> = text.get(..start)?.lines().collect();
    let at = before.iter().rposition(|line| same(line))?;
    Some(at + 1)
}
