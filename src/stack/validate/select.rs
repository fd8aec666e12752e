//! The grammar of a route selection expression.
//!
//! In: the expression. Out: whether it reads the message at all, or why API Gateway would not take it.
//! Never: an evaluation; that is the data plane's.

/// What an expression looks at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Message,
    /// Only text: the same route for every message.
    Nothing,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

const BODY: &str = "request.body.";

/// Other things that can be read, and that say nothing of the message.
const BESIDE: [&str; 2] = ["context.", "stageVariables."];

pub(super) fn read(expression: &str) -> Result<Reads, Refusal> {
    if expression.trim().is_empty() {
        return Err(refuse(
            "`select` is empty",
            Some("the usual one is `$request.body.action`"),
        ));
    }
    let mut reads = Reads::Nothing;
    let mut rest = expression;
    while let Some(found) = rest.find(['$', '\\']) {
        rest = &rest[found..];
        if let Some(after) = rest.strip_prefix('\\') {
            rest = after.strip_prefix('$').unwrap_or(after);
            continue;
        }
        let (variable, after) = variable(&rest[1..])?;
        if check(variable)? == Reads::Message {
            reads = Reads::Message;
        }
        rest = after;
    }
    Ok(reads)
}

/// The variable after a dollar, and what follows it.
fn variable(text: &str) -> Result<(&str, &str), Refusal> {
    if let Some(inner) = text.strip_prefix('{') {
        return inner
            .split_once('}')
            .ok_or_else(|| refuse("`select` has a `${` without its `}`", None));
    }
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "_.[]".contains(c)))
        .unwrap_or(text.len());
    Ok(text.split_at(end))
}

fn check(variable: &str) -> Result<Reads, Refusal> {
    let path = |path: &str| !path.is_empty() && path.split('.').all(|part| !part.is_empty());
    if variable.strip_prefix(BODY).is_some_and(path) {
        return Ok(Reads::Message);
    }
    if BESIDE
        .iter()
        .any(|prefix| variable.strip_prefix(prefix).is_some_and(path))
    {
        return Ok(Reads::Nothing);
    }
    if variable.is_empty() || variable == "default" {
        let message = "`select` has a `$` that begins no variable";
        return Err(refuse(message, Some("`\\$` is a dollar itself")));
    }
    let last = variable
        .rsplit('.')
        .find(|part| !part.is_empty())
        .unwrap_or("action");
    let hint = format!("did you mean `${BODY}{last}`?");
    Err(refuse(
        &format!("`select` cannot read `${variable}`"),
        Some(&hint),
    ))
}

fn refuse(message: &str, hint: Option<&str>) -> Refusal {
    Refusal {
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_guide_shows_is_taken() {
        for expression in [
            "$request.body.action",
            "${request.body.action}",
            "${request.body.service}/${request.body.action}",
            "${request.body.action}-${request.body.invalidPath}",
            "$request.body.data.items[0]",
        ] {
            assert_eq!(read(expression), Ok(Reads::Message), "{expression}");
        }
        for expression in ["action", "\\$default", "$context.stage", "a\\b"] {
            assert_eq!(read(expression), Ok(Reads::Nothing), "{expression}");
        }
    }

    #[test]
    fn what_reads_nothing_known_is_refused() {
        for expression in [
            "",
            "$",
            "$default",
            "${request.body.action",
            "$.action",
            "$request.body",
            "$request.body.",
            "$body.action",
            "$request.body..a",
        ] {
            assert!(read(expression).is_err(), "{expression}");
        }
        let hint = read("$body.action").unwrap_err().hint;
        assert_eq!(
            hint.as_deref(),
            Some("did you mean `$request.body.action`?")
        );
    }
}
