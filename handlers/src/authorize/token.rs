//! Where a token comes in: a header, a sub-protocol, or the query string.
//!
//! A browser's WebSocket sets no header of its own, and what is in a URL lands in histories and proxies; hence three.

use crate::event::Event;

/// The token; of several, the one of the most deliberate place.
pub fn of(event: &Event) -> Option<&str> {
    let header = event.header("Authorization").and_then(bearer);
    let protocol = || event.header("Sec-WebSocket-Protocol").and_then(offered);
    let query = || event.query("token");
    let found = header.or_else(protocol).or_else(query);
    found.filter(|token| !token.is_empty())
}

/// `Bearer TOKEN`.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// `bearer, TOKEN`, in this order; other protocols may follow.
fn offered(header: &str) -> Option<&str> {
    let mut names = header.split(',').map(str::trim);
    let first = names.next()?;
    first.eq_ignore_ascii_case("bearer").then(|| names.next())?
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::double::event;

    fn found(headers: &Value, query: &Value) -> Option<String> {
        let more = json!({"headers": headers, "queryStringParameters": query});
        of(&event("$connect", "c=", more)).map(str::to_owned)
    }

    #[test]
    fn a_token_comes_in_one_of_three_places() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found(&json!({"authorization": "bearer a.b.c"}), &json!({})),
            some("a.b.c")
        );
        assert_eq!(
            found(&json!({"Authorization": " Bearer  x "}), &json!({})),
            some("x")
        );
        let protocol = |text: &str| found(&json!({"Sec-WebSocket-Protocol": text}), &json!({}));
        assert_eq!(protocol("bearer, a.b.c"), some("a.b.c"));
        assert_eq!(protocol("Bearer,x, chat"), some("x"));
        assert_eq!(found(&json!({}), &json!({"token": "q"})), some("q"));
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        for header in ["Basic YTpi", "Bearer", "a.b.c", "Bearer ", ""] {
            assert_eq!(
                found(&json!({"Authorization": header}), &json!({})),
                None,
                "{header}"
            );
        }
        for protocol in ["chat, a.b.c", "bearer", "a.b.c, bearer", "bearer,", ""] {
            let headers = json!({"Sec-WebSocket-Protocol": protocol});
            assert_eq!(found(&headers, &json!({})), None, "{protocol}");
        }
        for query in [
            json!({"Token": "x"}),
            json!({"token": ""}),
            json!({"userId": "alice"}),
        ] {
            assert_eq!(found(&json!({}), &query), None, "{query}");
        }
    }

    #[test]
    fn the_most_deliberate_place_comes_first() {
        let headers = json!({"Authorization": "Bearer h", "Sec-WebSocket-Protocol": "bearer, p"});
        assert_eq!(
            found(&headers, &json!({"token": "q"})).as_deref(),
            Some("h")
        );
        let headers = json!({"Sec-WebSocket-Protocol": "bearer, p"});
        assert_eq!(
            found(&headers, &json!({"token": "q"})).as_deref(),
            Some("p")
        );
        let headers = json!({"Authorization": "Basic YTpi"});
        assert_eq!(
            found(&headers, &json!({"token": "q"})).as_deref(),
            Some("q")
        );
    }
}
