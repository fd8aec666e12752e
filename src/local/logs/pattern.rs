//! Filter patterns: words that a line must or must not have, or an expression over the members of a line in JSON.

use serde_json::Value;
use wildmatch::WildMatchPattern;

use super::invalid;
use crate::local::refusal::Refusal;

const LONGEST: usize = 1024;
/// How deep parentheses may nest.
const DEEPEST: usize = 16;

#[derive(Debug)]
pub(super) enum Pattern {
    Words {
        all: Vec<String>,
        any: Vec<String>,
        none: Vec<String>,
    },
    Members(Expression),
}

#[derive(Debug)]
pub(super) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Compare(Vec<String>, Comparison, String),
    Is(Vec<String>, Value),
    NotExists(Vec<String>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Same,
    Other,
    Less,
    More,
    AtMost,
    AtLeast,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let trimmed = text.trim();
        let bad = || invalid(format!("Invalid filter pattern: {text}"));
        if text.len() > LONGEST || trimmed.starts_with('[') {
            return Err(bad());
        }
        let Some(inner) = trimmed.strip_prefix('{') else {
            return words(trimmed).ok_or_else(bad);
        };
        let inner = inner.strip_suffix('}').ok_or_else(bad)?;
        let tokens = tokens(inner).ok_or_else(bad)?;
        let mut rest = Rest(&tokens);
        let expression = rest.any(0).filter(|_| rest.0.is_empty());
        expression.map(Self::Members).ok_or_else(bad)
    }

    pub(super) fn matches(&self, line: &str) -> bool {
        match self {
            Self::Words { all, any, none } => {
                all.iter().all(|word| line.contains(word.as_str()))
                    && (any.is_empty() || any.iter().any(|word| line.contains(word.as_str())))
                    && !none.iter().any(|word| line.contains(word.as_str()))
            }
            Self::Members(expression) => serde_json::from_str(line)
                .is_ok_and(|value: Value| value.is_object() && expression.holds(&value)),
        }
    }
}

/// Plain words and quoted phrases; `?` before one asks for any of those, `-` for none.
fn words(text: &str) -> Option<Pattern> {
    let (mut all, mut any, mut none) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let list = match first {
            '?' => &mut any,
            '-' => &mut none,
            _ => &mut all,
        };
        let body = if matches!(first, '?' | '-') {
            &rest[1..]
        } else {
            rest
        };
        let (word, after) = match body.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => body.split_once(char::is_whitespace).unwrap_or((body, "")),
        };
        if !word.is_empty() {
            list.push(word.to_owned());
        }
        rest = after.trim_start();
    }
    Some(Pattern::Words { all, any, none })
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Sign(&'static str),
    /// A path such as `$.who.name`.
    Path(Vec<String>),
    Word(String),
}

const SIGNS: [&str; 10] = ["&&", "||", "!=", "<=", ">=", "=", "<", ">", "(", ")"];

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let after = if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            &rest[sign.len()..]
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (word, after) = quoted.split_once('"')?;
            tokens.push(Token::Word(word.to_owned()));
            after
        } else {
            let ends = |c: char| c.is_whitespace() || "&|!<>=()\"".contains(c);
            let (word, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
            if word.is_empty() {
                return None;
            }
            tokens.push(match word.strip_prefix('$') {
                Some(path) => Token::Path(steps(path)?),
                None => Token::Word(word.to_owned()),
            });
            after
        };
        rest = after.trim_start();
    }
    Some(tokens)
}

/// The names and places in `.a.b[0]`.
fn steps(path: &str) -> Option<Vec<String>> {
    let plain = path.replace(['[', ']'], ".");
    let steps: Vec<String> = plain
        .split('.')
        .map(|step| step.trim_matches('\'').to_owned())
        .filter(|step| !step.is_empty())
        .collect();
    (!steps.is_empty()).then_some(steps)
}

/// The tokens not read yet.
struct Rest<'a>(&'a [Token]);

impl Rest<'_> {
    fn next(&mut self) -> Option<Token> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first.clone())
    }

    fn takes(&mut self, sign: &'static str) -> bool {
        let is = self.0.first() == Some(&Token::Sign(sign));
        if is {
            self.0 = &self.0[1..];
        }
        is
    }

    fn any(&mut self, depth: usize) -> Option<Expression> {
        let mut parts = vec![self.all(depth)?];
        while self.takes("||") {
            parts.push(self.all(depth)?);
        }
        Some(Expression::Any(parts))
    }

    fn all(&mut self, depth: usize) -> Option<Expression> {
        let mut parts = vec![self.term(depth)?];
        while self.takes("&&") {
            parts.push(self.term(depth)?);
        }
        Some(Expression::All(parts))
    }

    fn term(&mut self, depth: usize) -> Option<Expression> {
        if self.takes("(") {
            let inner = (depth < DEEPEST).then(|| self.any(depth + 1))??;
            return self.takes(")").then_some(inner);
        }
        let Token::Path(path) = self.next()? else {
            return None;
        };
        match self.next()? {
            Token::Sign(sign) => {
                let comparison = comparison(sign)?;
                let Token::Word(word) = self.next()? else {
                    return None;
                };
                Some(Expression::Compare(path, comparison, word))
            }
            Token::Word(is) => self.state(path, &is),
            Token::Path(_) => None,
        }
    }

    /// `IS NULL`, `IS TRUE`, `IS FALSE`, `NOT EXISTS`.
    fn state(&mut self, path: Vec<String>, first: &str) -> Option<Expression> {
        let Token::Word(second) = self.next()? else {
            return None;
        };
        match (
            first.to_ascii_uppercase().as_str(),
            second.to_ascii_uppercase().as_str(),
        ) {
            ("IS", "NULL") => Some(Expression::Is(path, Value::Null)),
            ("IS", "TRUE") => Some(Expression::Is(path, true.into())),
            ("IS", "FALSE") => Some(Expression::Is(path, false.into())),
            ("NOT", "EXISTS") => Some(Expression::NotExists(path)),
            _ => None,
        }
    }
}

fn comparison(sign: &str) -> Option<Comparison> {
    Some(match sign {
        "=" => Comparison::Same,
        "!=" => Comparison::Other,
        "<" => Comparison::Less,
        ">" => Comparison::More,
        "<=" => Comparison::AtMost,
        ">=" => Comparison::AtLeast,
        _ => return None,
    })
}

impl Expression {
    fn holds(&self, line: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(line)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(line)),
            Self::Compare(path, comparison, wanted) => {
                at(line, path).is_some_and(|value| compare(value, *comparison, wanted))
            }
            Self::Is(path, wanted) => at(line, path) == Some(wanted),
            Self::NotExists(path) => at(line, path).is_none(),
        }
    }
}

fn at<'a>(line: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(line, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    })
}

fn compare(value: &Value, comparison: Comparison, wanted: &str) -> bool {
    let number = wanted.parse::<f64>().ok();
    if let (Some(value), Some(wanted)) = (value.as_f64(), number) {
        let order = value.total_cmp(&wanted);
        return match comparison {
            Comparison::Same => order.is_eq(),
            Comparison::Other => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::More => order.is_gt(),
            Comparison::AtMost => order.is_le(),
            Comparison::AtLeast => order.is_ge(),
        };
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return false,
    };
    // Only `*` stands for other letters here.
    let same = WildMatchPattern::<'*', '\0'>::new(wanted).matches(&text);
    match comparison {
        Comparison::Same => same,
        Comparison::Other => !same,
        Comparison::Less | Comparison::More | Comparison::AtMost | Comparison::AtLeast => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_asked_for_and_kept_out() {
        let line = "GET /chat 200 in 12 ms";
        for (pattern, holds) in [
            ("", true),
            ("GET 200", true),
            ("GET 404", false),
            ("\"200 in\"", true),
            ("\"in 200\"", false),
            ("?404 ?200", true),
            ("?404 ?500", false),
            ("GET -200", false),
            ("GET -\"300 in\"", true),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(line), holds, "{pattern}");
        }
    }

    #[test]
    fn members_are_compared() {
        let line = r#"{"level":"ERROR","time":12.5,"who":{"name":"eve","old":true},"list":[{"n":1}],"none":null}"#;
        for (pattern, holds) in [
            (r#"{ $.level = "ERROR" }"#, true),
            ("{ $.level = ERR* }", true),
            ("{ $.level != ERROR }", false),
            ("{ $.other != ERROR }", false),
            ("{ $.time > 12 && $.time <= 12.5 }", true),
            ("{ $.time < 12 || $.who.name = \"e*\" }", true),
            (
                "{ ($.time < 12 || $.who.name = eve) && $.list[0].n = 1 }",
                true,
            ),
            ("{ $.none IS NULL }", true),
            ("{ $.who.old IS TRUE }", true),
            ("{ $.who.old IS FALSE }", false),
            ("{ $.gone NOT EXISTS }", true),
            ("{ $.level NOT EXISTS }", false),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(line), holds, "{pattern}");
            assert!(!parsed.matches("plain"), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(400), ")".repeat(400));
        for pattern in [
            "{ $.a = }",
            "{ $.a }",
            "{ a = 1 }",
            "{ $.a = 1",
            "{ }",
            "{ ($.a = 1 }",
            "[ip, user]",
            "\"open",
            "{ $.a ~ 1 }",
            deep.as_str(),
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
