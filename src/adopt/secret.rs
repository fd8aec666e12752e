//! Which values of an environment nobody should read in a file.
//!
//! In: a variable's name and value. Out: whether it looks secret. When in doubt it does: a person who sees
//! `${env:NAME}` can write the value, but a secret that was committed stays known.

/// Parts of names, between underscores or at a change of case.
const NAMES: &[&str] = &[
    "AUTH",
    "CERT",
    "CREDENTIAL",
    "CREDENTIALS",
    "DSN",
    "KEY",
    "PASS",
    "PASSPHRASE",
    "PASSWORD",
    "PASSWD",
    "PRIVATE",
    "PW",
    "PWD",
    "SALT",
    "SECRET",
    "SECRETS",
    "SIGNATURE",
    "SIGNING",
    "TOKEN",
    "TOKENS",
    "WEBHOOK",
];

/// Words that are written together with others.
const WITHIN: &[&str] = &[
    "ACCESSKEY",
    "APIKEY",
    "CREDENTIAL",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PRIVATEKEY",
    "SECRET",
    "TOKEN",
];

/// How well-known tokens and keys begin.
const PREFIXES: &[&str] = &[
    "-----BEGIN",
    "AKIA",
    "ASIA",
    "AIza",
    "Basic ",
    "Bearer ",
    "eyJ",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "npm_",
    "pk_live",
    "rk_live",
    "SG.",
    "sk-",
    "sk_",
    "whsec_",
    "xox",
];

/// From here on, a text of letters and digits mixed is more likely drawn by lot than written by a person.
const LONG: usize = 20;

pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    if value.is_empty() {
        return false;
    }
    is_name_of_secret(name)
        || PREFIXES.iter().any(|prefix| value.starts_with(prefix))
        || has_user_info(value)
        || has_secret_part(value)
        || is_drawn_by_lot(value)
        || is_uuid(value)
}

fn is_name_of_secret(name: &str) -> bool {
    let whole = name.to_ascii_uppercase();
    let spaced = split_case(name).to_ascii_uppercase();
    let mut parts = spaced.split(|c: char| !c.is_ascii_alphanumeric());
    parts.any(|part| NAMES.contains(&part)) || WITHIN.iter().any(|word| whole.contains(word))
}

/// `apiKey` → `api_Key`.
fn split_case(name: &str) -> String {
    let mut out = String::new();
    let mut after_lower = false;
    for c in name.chars() {
        if after_lower && c.is_ascii_uppercase() {
            out.push('_');
        }
        after_lower = c.is_ascii_lowercase();
        out.push(c);
    }
    out
}

/// `scheme://user:password@host`, a query string that may hold anything, or a path that nobody can guess.
fn has_user_info(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.contains('@') || rest.contains('?') || rest.split('/').any(is_drawn_by_lot)
}

/// `Server=db;Password=x`, `host=db password=x`, `{"apiKey":"x"}`: what stands before a `=` or `:` is a name, too.
fn has_secret_part(value: &str) -> bool {
    // `arn:aws:secretsmanager:…:secret:NAME` says where a secret is, and not what.
    if value.starts_with("arn:") {
        return false;
    }
    let is_name = |(at, _): (usize, &str)| {
        let before = value[..at].trim_end().trim_end_matches(['"', '\'']);
        let within = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        before.rsplit(within).next().is_some_and(is_name_of_secret)
    };
    value.match_indices(['=', ':']).any(is_name)
}

/// Keys of some services look like it, and nobody can tell them from other ids.
fn is_uuid(value: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = value.split('-').collect();
    let fits = |(part, length): (&&str, usize)| {
        part.len() == length && part.chars().all(|c| c.is_ascii_hexdigit())
    };
    parts.len() == lengths.len() && parts.iter().zip(lengths).all(fits)
}

/// One long word with letters and digits in turns. An ARN, an address, a list or a name with dashes is none.
fn is_drawn_by_lot(value: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_');
    if value.len() < LONG || !value.chars().all(fits) || value.starts_with('/') {
        return false;
    }
    let kinds: Vec<bool> = value
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.is_ascii_digit())
        .collect();
    kinds.windows(2).filter(|pair| pair[0] != pair[1]).count() >= 4
}

#[cfg(test)]
mod tests {
    use super::is_secret;

    #[test]
    fn what_looks_secret_is() {
        for (name, value) in [
            ("DB_PASSWORD", "x"),
            ("STRIPE_KEY", "short"),
            ("apiKey", "abc"),
            ("JWTSECRET", "abc"),
            ("SLACK", "xoxb-1-2"),
            ("URL", "postgres://me:pw@host/db"),
            ("HOOK", "https://hooks.example.com/x?sig=1"),
            (
                "SLACK",
                "https://hooks.example.com/services/T0/a8f3k29dkq03kdk29sl1",
            ),
            ("X", "a8f3k29dkq03kdk29sl1"),
            ("PEM", "-----BEGIN RSA"),
            ("DB_PW", "x"),
            ("dbpasswd", "x"),
            ("CONNECTION", "Server=db;User Id=me;Password=x"),
            ("PG", "host=db user=me password=x"),
            ("CONFIG", r#"{"user":"me","apiKey":"x"}"#),
            ("CONFIG", r#"{ "apiKey" : "x" }"#),
            ("MAIL", "SG.abc.def"),
            ("HEROKU", "0f9c3d52-1a2b-4c3d-8e4f-a1b2c3d4e5f6"),
            ("SESSION", "eyJhbGciOiJIUzI1NiJ9.e30.x"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn what_does_not_is_not() {
        for (name, value) in [
            ("CONNECTIONS_TABLE", "chat-connections"),
            ("LOG_LEVEL", "info"),
            ("STAGE", "production"),
            (
                "ENDPOINT",
                "https://a1.execute-api.us-east-1.amazonaws.com/prod",
            ),
            (
                "QUEUE",
                "https://sqs.us-east-1.amazonaws.com/111122223333/jobs",
            ),
            ("TOPIC", "arn:aws:sns:us-east-1:111122223333:alerts"),
            ("KEYBOARD", "qwerty"),
            ("MONKEY", "george"),
            ("AUTHOR", "someone"),
            ("EMPTY_SECRET", ""),
            ("FROM", "arn:aws:secretsmanager:us-east-1:1:secret:db"),
            ("FLAGS", "level=info;retries=3"),
            ("RECORD", r#"{"level":"info","keys":"id:name"}"#),
            ("SECRET_FREE", ""),
            ("PREFIX", "my-chat-of-ours-once"),
            ("LONG_NAME", "WebSocketConnectionsOfTheWholeTeam"),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }
}
