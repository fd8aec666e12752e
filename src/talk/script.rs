//! A conversation, written down: who connects, who says what, who must hear what.
//!
//! In: a text, one statement a line. Out: a [`Script`], or every line that is wrong.
//! Never: a socket.
//!
//! ```text
//! # lines that start with # are comments
//! alice connects ?userId=alice
//! eve is refused 400 ?groupId=x
//! alice sends {"action":"sendMessage","recipientId":"bob","messageId":"${id}-1"}
//! alice sends text not json
//! bob receives {"type":"message","data":{"senderId":"alice","timestamp":"*"}}
//! bob receives nothing
//! bob leaves
//! bob vanishes
//! carol connects ?token=${token:carol}
//! ```

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::pattern::Pattern;

/// A conversation that can be played.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    pub(super) statements: Vec<Statement>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) line: usize,
    pub(super) person: String,
    pub(super) act: Act,
}

/// What a person does, or what must happen to them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    Connects {
        query: String,
    },
    Refused {
        status: u16,
        query: String,
    },
    /// The very text, `${id}` not yet filled in.
    Sends(String),
    Receives(Pattern),
    ReceivesNothing,
    Leaves,
    Vanishes,
}

impl Act {
    fn verb(&self) -> &'static str {
        match self {
            Self::Connects { .. } => "connects",
            Self::Refused { .. } => "is refused",
            Self::Sends(_) => "sends",
            Self::Receives(_) => "receives",
            Self::ReceivesNothing => "receives nothing",
            Self::Leaves => "leaves",
            Self::Vanishes => "vanishes",
        }
    }
}

/// What is wrong with a script, line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    pub problems: Vec<(usize, String)>,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (line, problem)) in self.problems.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}line {line}: {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ScriptError {}

impl Script {
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut statements = Vec::new();
        let mut problems = Vec::new();
        let mut connected = BTreeSet::new();
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let statement = statement(line_number, line)
                .and_then(|statement| follows(statement, &mut connected));
            match statement {
                Ok(statement) => statements.push(statement),
                Err(problem) => problems.push((line_number, problem)),
            }
        }
        if statements.is_empty() && problems.is_empty() {
            problems.push((1, "nobody says anything in this script".to_owned()));
        }
        if problems.is_empty() {
            Ok(Self { statements })
        } else {
            Err(ScriptError { problems })
        }
    }

    /// Each statement's line, and in a few words what it is.
    pub fn outline(&self) -> impl Iterator<Item = (usize, String)> {
        self.statements.iter().map(|statement| {
            let Statement { line, person, act } = statement;
            (*line, format!("line {line}: {person} {}", act.verb()))
        })
    }

    /// What stands in query strings as `${…}` for somebody else to fill in; `${id}` is the player's own.
    pub fn placeholders(&self) -> BTreeSet<String> {
        let queries = self.statements.iter().filter_map(|said| match &said.act {
            Act::Connects { query } | Act::Refused { query, .. } => Some(query),
            _ => None,
        });
        let inside = |query: &String| -> Vec<String> {
            let after = query.split("${").skip(1);
            let names = after.filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()));
            names.filter(|name| name != "id").collect()
        };
        queries.flat_map(inside).collect()
    }

    /// Everybody who takes part, sorted.
    pub fn people(&self) -> BTreeSet<&str> {
        self.statements
            .iter()
            .map(|statement| statement.person.as_str())
            .collect()
    }
}

fn statement(line: usize, text: &str) -> Result<Statement, String> {
    let (person, act) = word(text);
    let is_name = person
        .chars()
        .all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    if !is_name || act.is_empty() {
        return Err(format!("expected a name and what they do, found `{text}`"));
    }
    Ok(Statement {
        line,
        person: person.to_owned(),
        act: self::act(act)?,
    })
}

fn act(text: &str) -> Result<Act, String> {
    let (verb, rest) = word(text);
    match verb {
        "connects" => Ok(Act::Connects {
            query: query(rest)?,
        }),
        "is" => refused(rest),
        "sends" => sends(rest),
        "receives" => receives(rest),
        "leaves" => alone(verb, rest, Act::Leaves),
        "vanishes" => alone(verb, rest, Act::Vanishes),
        _ => Err(format!(
            "unknown verb `{verb}`: expected connects, is refused, sends, receives, leaves or vanishes"
        )),
    }
}

fn refused(text: &str) -> Result<Act, String> {
    let (verb, rest) = word(text);
    if verb != "refused" {
        return Err(format!(
            "expected `is refused STATUS ?QUERY`, found `is {text}`"
        ));
    }
    let (status, rest) = word(rest);
    match status.parse() {
        Ok(status @ 300..=599) => Ok(Act::Refused {
            status,
            query: query(rest)?,
        }),
        _ => Err(format!(
            "expected the handshake's status, such as 400, found `{status}`"
        )),
    }
}

fn sends(text: &str) -> Result<Act, String> {
    if let Some(raw) = raw_text(text) {
        return Ok(Act::Sends(raw.to_owned()));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(_) => Ok(Act::Sends(text.to_owned())),
        Err(error) => Err(format!(
            "what is sent is not JSON: {error} (`sends text …` sends anything)"
        )),
    }
}

fn receives(text: &str) -> Result<Act, String> {
    if text == "nothing" {
        return Ok(Act::ReceivesNothing);
    }
    if let Some(raw) = raw_text(text) {
        return Ok(Act::Receives(Pattern::Text(raw.to_owned())));
    }
    match serde_json::from_str(text) {
        Ok(value) => Ok(Act::Receives(Pattern::Json(value))),
        Err(error) => Err(format!(
            "what is received is not JSON: {error} (or `receives nothing`, or `receives text …`)"
        )),
    }
}

fn raw_text(text: &str) -> Option<&str> {
    text.strip_prefix("text ")
        .or_else(|| (text == "text").then_some(""))
}

fn query(text: &str) -> Result<String, String> {
    if text.is_empty() || (text.starts_with('?') && !text.contains(char::is_whitespace)) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "expected a query such as ?userId=alice, found `{text}`"
    ))
}

fn alone(verb: &str, rest: &str, act: Act) -> Result<Act, String> {
    if rest.is_empty() {
        Ok(act)
    } else {
        Err(format!("nothing may follow `{verb}`, found `{rest}`"))
    }
}

/// The first word, and the rest without the space between.
fn word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(first, rest)| (first, rest.trim_start()))
}

/// Only who is connected can speak, and only who is not can connect.
fn follows(statement: Statement, connected: &mut BTreeSet<String>) -> Result<Statement, String> {
    let person = &statement.person;
    let is_connected = connected.contains(person);
    match &statement.act {
        Act::Connects { .. } | Act::Refused { .. } if is_connected => Err(format!(
            "{person} is connected already; give a second connection a name of its own"
        )),
        Act::Connects { .. } => {
            connected.insert(person.clone());
            Ok(statement)
        }
        Act::Refused { .. } => Ok(statement),
        _ if !is_connected => Err(format!("{person} is not connected")),
        Act::Leaves | Act::Vanishes => {
            connected.remove(person);
            Ok(statement)
        }
        Act::Sends(_) | Act::Receives(_) | Act::ReceivesNothing => Ok(statement),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(usize, String)> {
        Script::parse(text).unwrap_err().problems
    }

    #[test]
    fn every_statement_is_read() {
        let text = "# a comment\n\n alice connects ?userId=alice \nbob connects\n\
            eve is refused 400 ?groupId=x\nalice sends {\"a\":1}\nalice sends text not json\n\
            bob receives {\"b\":\"*\"}\nbob receives text hi  there\nbob receives nothing\n\
            bob leaves\nalice vanishes";
        let script = Script::parse(text).unwrap();
        let acts: Vec<(usize, &str, &Act)> = script
            .statements
            .iter()
            .map(|s| (s.line, s.person.as_str(), &s.act))
            .collect();
        let receives = |pattern| Act::Receives(pattern);
        assert_eq!(
            acts,
            [
                (
                    3,
                    "alice",
                    &Act::Connects {
                        query: "?userId=alice".to_owned()
                    }
                ),
                (
                    4,
                    "bob",
                    &Act::Connects {
                        query: String::new()
                    }
                ),
                (
                    5,
                    "eve",
                    &Act::Refused {
                        status: 400,
                        query: "?groupId=x".to_owned()
                    }
                ),
                (6, "alice", &Act::Sends("{\"a\":1}".to_owned())),
                (7, "alice", &Act::Sends("not json".to_owned())),
                (
                    8,
                    "bob",
                    &receives(Pattern::Json(serde_json::json!({"b": "*"})))
                ),
                (9, "bob", &receives(Pattern::Text("hi  there".to_owned()))),
                (10, "bob", &Act::ReceivesNothing),
                (11, "bob", &Act::Leaves),
                (12, "alice", &Act::Vanishes),
            ]
        );
        assert_eq!(Vec::from_iter(script.people()), ["alice", "bob", "eve"]);
    }

    #[test]
    fn the_examples_are_scripts() {
        for (name, text) in [
            (
                "messageai",
                include_str!("../../examples/messageai/conversation.txt"),
            ),
            (
                "nursify",
                include_str!("../../examples/nursify/conversation.txt"),
            ),
            ("reference", include_str!("../../examples/reference.txt")),
        ] {
            let script = Script::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(script.people().len() >= 2, "{name}");
        }
    }

    #[test]
    fn what_others_fill_in_is_named_once() {
        let text = "a connects ?token=${token:a}&x=${id}\nb is refused 401 ?token=${env:T}\n\
            c connects ?token=${token:a}\nc sends {\"x\":\"${token:c}\"}";
        let script = Script::parse(text).unwrap();
        assert_eq!(Vec::from_iter(script.placeholders()), ["env:T", "token:a"]);
    }

    #[test]
    fn every_wrong_line_is_told() {
        let text = "alice connects userId=alice\nalice shouts\nbob connects\nbob sends {\"a\"\n\
            bob receives\neve is refused soon\neve is late\nbob leaves now\n?";
        let told = problems(text);
        let lines: Vec<usize> = told.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 4, 5, 6, 7, 8, 9]);
        assert!(told[0].1.starts_with("expected a query"), "{told:?}");
        assert!(told[1].1.starts_with("unknown verb `shouts`"), "{told:?}");
        assert!(told[2].1.contains("`sends text …`"), "{told:?}");
        assert!(told[4].1.contains("found `soon`"), "{told:?}");
    }

    #[test]
    fn only_who_is_connected_can_talk() {
        assert_eq!(
            problems("bob sends {}"),
            [(1, "bob is not connected".to_owned())]
        );
        assert_eq!(
            problems("bob connects\nbob leaves\nbob receives {}")[0].0,
            3
        );
        assert_eq!(problems("bob connects\nbob connects")[0].0, 2);
        assert_eq!(problems("bob connects\nbob is refused 400")[0].0, 2);
        assert!(Script::parse("bob connects\nbob vanishes\nbob connects").is_ok());
        assert_eq!(problems("# only a comment")[0].0, 1);
    }
}
