//! A query string as it may be shown: with the names of secrets and without the secrets.
//!
//! What a handshake brings is in terminals, in logs of `dev` and on a page; a token is good for whoever reads it there.

/// What the names of secrets have in them.
const TELLTALE: [&str; 7] = [
    "token",
    "jwt",
    "auth",
    "secret",
    "password",
    "signature",
    "credential",
];

/// Stands for what is not shown.
const HIDDEN: &str = "…";

pub(super) fn discreet(query: &str) -> String {
    let shown = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if !value.is_empty() && (is_telltale(name) || is_token(value)) => {
            format!("{name}={HIDDEN}")
        }
        _ => pair.to_owned(),
    };
    let pairs: Vec<String> = query.split('&').map(shown).collect();
    pairs.join("&")
}

fn is_telltale(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLTALE.iter().any(|word| name.contains(word))
}

/// A signed token, whatever it is called: base64 of `{"` begins so.
fn is_token(value: &str) -> bool {
    value.starts_with("eyJ") && value.contains('.')
}

#[cfg(test)]
mod tests {
    use super::discreet;

    #[test]
    fn a_secret_is_named_and_not_shown() {
        for (query, shown) in [
            ("", ""),
            ("userId=alice&groupId=ward-3", "userId=alice&groupId=ward-3"),
            ("userId=alice&token=abc", "userId=alice&token=…"),
            ("access_token=a%20b&x=1", "access_token=…&x=1"),
            ("Authorization=Bearer%20a", "Authorization=…"),
            ("who=eyJhbGciOiJ9.eyJ9.x", "who=…"),
            ("token=", "token="),
            ("token", "token"),
            (
                "X-Amz-Signature=ff&X-Amz-Security-Token=a",
                "X-Amz-Signature=…&X-Amz-Security-Token=…",
            ),
        ] {
            assert_eq!(discreet(query), shown);
        }
    }
}
