//! Patterns of policies: `*`, `?`, and the variables of a request.

use std::borrow::Cow;

use super::conditions::Context;
use crate::local::lambda::glob;

/// What stands for a `*` or `?` that is no wildcard, while patterns are matched.
const PLAIN: [(char, char); 2] = [('*', '\u{e000}'), ('?', '\u{e001}')];

/// Whether a pattern covers all of a text. Without `variables`, `${…}` is text as any other.
pub(super) fn covers(pattern: &str, text: &str, variables: Option<&Context>) -> bool {
    filled(pattern, variables).is_some_and(|pattern| glob(&pattern, &plain(text)))
}

/// Whether they are the same, wildcards being ordinary characters.
pub(super) fn equals(wanted: &str, text: &str, variables: Option<&Context>) -> bool {
    filled(wanted, variables).is_some_and(|wanted| plain(&wanted) == plain(text))
}

/// As `ArnLike`: each of the six parts is matched for itself.
pub(super) fn covers_arn(pattern: &str, arn: &str, variables: Option<&Context>) -> bool {
    let Some(pattern) = filled(pattern, variables) else {
        return false;
    };
    let arn = plain(arn);
    let (pattern, arn): (Vec<_>, Vec<_>) = (
        pattern.splitn(6, ':').collect(),
        arn.splitn(6, ':').collect(),
    );
    pattern.len() == arn.len() && pattern.iter().zip(arn).all(|(p, a)| glob(p, a))
}

/// The pattern with its variables' values in their places, which are never wild. `None` when there is no value:
/// such a pattern covers nothing.
fn filled<'a>(pattern: &'a str, variables: Option<&Context>) -> Option<Cow<'a, str>> {
    let Some(context) = variables.filter(|_| pattern.contains("${")) else {
        return Some(Cow::Borrowed(pattern));
    };
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, after) = after.split_once('}')?;
        out.push_str(before);
        out.push_str(&plain(&value(variable, context)?));
        rest = after;
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// `aws:username`, `aws:username, 'nobody'`, or one of `*`, `?` and `$`.
fn value<'a>(variable: &'a str, context: &'a Context) -> Option<Cow<'a, str>> {
    if matches!(variable, "*" | "?" | "$") {
        return Some(Cow::Borrowed(variable));
    }
    let (key, default) = match variable.split_once(',') {
        Some((key, default)) => (key, Some(default)),
        None => (variable, None),
    };
    match context.get(key.trim()) {
        Some([value]) => Some(Cow::Borrowed(value)),
        // A key with several values is no variable.
        Some(_) => None,
        None => {
            let default = default?.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            Some(Cow::Borrowed(default))
        }
    }
}

fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(['*', '?']) {
        return Cow::Borrowed(text);
    }
    let mut text = text.to_owned();
    for (wild, stands_for) in PLAIN {
        text = text.replace(wild, stands_for.encode_utf8(&mut [0; 4]));
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let mut context = Context::default();
        context.set("aws:username", "alice");
        context.set("aws:PrincipalTag/team", "a*");
        context.set_all("aws:TagKeys", vec!["a".to_owned(), "b".to_owned()]);
        context
    }

    #[test]
    fn variables_are_filled_in_and_never_wild() {
        let context = context();
        for (pattern, text, covered) in [
            ("home/${aws:username}/*", "home/alice/x", true),
            ("home/${AWS:UserName}/*", "home/bob/x", false),
            ("${aws:PrincipalTag/team}", "a*", true),
            ("${aws:PrincipalTag/team}", "ab", false),
            ("${aws:gone}*", "anything", false),
            ("${aws:gone, 'x'}*", "xy", true),
            ("${aws:username,'x'}", "alice", true),
            ("${aws:gone, x}", "x", false),
            ("${aws:TagKeys}", "a", false),
            ("a${*}c", "a*c", true),
            ("a${*}c", "abc", false),
            ("a${?}${$}", "a?$", true),
            ("a${open", "a${open", false),
            ("*", "a*b?", true),
        ] {
            assert_eq!(
                covers(pattern, text, Some(&context)),
                covered,
                "{pattern} on {text}"
            );
        }
        assert!(covers("${aws:username}", "${aws:username}", None));
        assert!(equals("a*", "a*", None));
        assert!(!equals("a*", "ab", None));
        assert!(equals("a${*}", "a*", Some(&context)));
    }

    #[test]
    fn wildcards_stay_within_a_part_of_an_arn() {
        let source = "arn:aws:execute-api:us-east-1:000000000000:a1/prod/$connect";
        for (pattern, covered) in [
            ("arn:aws:execute-api:us-east-1:*:a1/*/$connect", true),
            ("arn:aws:execute-api:us-east-?:000000000000:a1/*", true),
            ("arn:aws:execute-api:*:a1/*", false),
            ("arn:aws:execute-api:us-east-1:*:a2/*", false),
            ("*", false),
        ] {
            assert_eq!(covers_arn(pattern, source, None), covered, "{pattern}");
        }
    }
}
