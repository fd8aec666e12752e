//! The grammar of `${…}`, and the variables whose values come only with a deploy.
//!
//! In: a text of the file. Out: its pieces. Never: a value; `interpolate.rs` fills in what is known
//! when the file is read, and whoever knows the cloud fills in the rest through [`expand`].

use std::fmt;

/// A piece of a text with variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    /// `$${`, which stands for the two characters `${`.
    Escaped,
    /// What is between `${` and `}`; and the byte where the dollar is.
    Variable {
        inside: &'a str,
        at: usize,
    },
    /// A `${` without its `}`.
    Unclosed {
        at: usize,
    },
}

const OPEN: &str = "${";
const ESCAPED: &str = "$${";

pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    while let Some(found) = text[from..].find(OPEN) {
        let open = from + found;
        let escaped = text[from..open].ends_with('$');
        let plain = &text[from..if escaped { open - 1 } else { open }];
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        let inner = open + OPEN.len();
        if escaped {
            pieces.push(Piece::Escaped);
            from = inner;
            continue;
        }
        let Some(length) = text[inner..].find('}') else {
            pieces.push(Piece::Unclosed { at: open });
            return pieces;
        };
        pieces.push(Piece::Variable {
            inside: &text[inner..inner + length],
            at: open,
        });
        from = inner + length + 1;
    }
    if from < text.len() {
        pieces.push(Piece::Text(&text[from..]));
    }
    pieces
}

/// The text that reads as itself when its variables are filled in.
pub(crate) fn escape(text: &str) -> String {
    text.replace(OPEN, ESCAPED)
}

/// A variable that is known only when the stack meets an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Late<'a> {
    /// `${api.url}`: the address that clients connect to.
    ApiUrl,
    /// `${api.id}`
    ApiId,
    /// `${tables.K.name}`: the physical name.
    TableName(&'a str),
    /// `${functions.K.name}`: the physical name.
    FunctionName(&'a str),
    /// `${functions.K.arn}`
    FunctionArn(&'a str),
}

impl<'a> Late<'a> {
    /// What is between the braces; `None` when it is none of these.
    pub fn parse(inside: &'a str) -> Option<Self> {
        let parts: Vec<&str> = inside.split('.').collect();
        match parts.as_slice() {
            ["api", "url"] => Some(Self::ApiUrl),
            ["api", "id"] => Some(Self::ApiId),
            ["tables", key, "name"] if !key.is_empty() => Some(Self::TableName(key)),
            ["functions", key, "name"] if !key.is_empty() => Some(Self::FunctionName(key)),
            ["functions", key, "arn"] if !key.is_empty() => Some(Self::FunctionArn(key)),
            _ => None,
        }
    }
}

impl fmt::Display for Late<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiUrl => f.write_str("api.url"),
            Self::ApiId => f.write_str("api.id"),
            Self::TableName(key) => write!(f, "tables.{key}.name"),
            Self::FunctionName(key) => write!(f, "functions.{key}.name"),
            Self::FunctionArn(key) => write!(f, "functions.{key}.arn"),
        }
    }
}

/// A piece of an `outputs` value or of a function's `environment` value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    Text(&'a str),
    Late(Late<'a>),
}

/// The pieces of such a value, as a loaded [`Stack`](super::Stack) holds it: text, `$${` for `${`,
/// and late variables.
pub fn parts(value: &str) -> Vec<Part<'_>> {
    pieces(value)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => Part::Text(text),
            Piece::Escaped => Part::Text(OPEN),
            Piece::Variable { inside, at } => Late::parse(inside).map_or_else(
                || Part::Text(&value[at..=at + OPEN.len() + inside.len()]),
                Part::Late,
            ),
            Piece::Unclosed { at } => Part::Text(&value[at..]),
        })
        .collect()
}

/// Such a value with its late variables filled in.
pub fn expand(value: &str, mut fill: impl FnMut(Late<'_>) -> String) -> String {
    parts(value)
        .into_iter()
        .map(|part| match part {
            Part::Text(text) => text.to_owned(),
            Part::Late(late) => fill(late),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_text() {
        assert_eq!(
            pieces("$connect and $request.body.action"),
            [Piece::Text("$connect and $request.body.action")]
        );
        assert_eq!(
            pieces("a${x}b$${y}c${z"),
            [
                Piece::Text("a"),
                Piece::Variable { inside: "x", at: 1 },
                Piece::Text("b"),
                Piece::Escaped,
                Piece::Text("y}c"),
                Piece::Unclosed { at: 12 },
            ]
        );
        assert_eq!(pieces(""), []);
        assert_eq!(
            pieces("$$${x}"),
            [Piece::Text("$"), Piece::Escaped, Piece::Text("x}")]
        );
    }

    #[test]
    fn escaped_text_expands_to_itself() {
        for text in ["${api.url}", "$${api.url}", "a$b${", "$$$${{}}", "ü${ü}"] {
            assert_eq!(
                expand(&escape(text), |_| unreachable!("nothing is late here")),
                text
            );
        }
    }

    #[test]
    fn late_variables_are_filled_in() {
        let value = "url=${api.url} t=${tables.messages.name} $${api.id} ${other}";
        let filled = expand(value, |late| format!("<{late}>"));
        assert_eq!(
            filled,
            "url=<api.url> t=<tables.messages.name> ${api.id} ${other}"
        );
        assert_eq!(Late::parse("functions.a.arn"), Some(Late::FunctionArn("a")));
        assert_eq!(Late::parse("tables..name"), None);
        assert_eq!(Late::parse("tables.a.arn"), None);
    }
}
