//! Who may connect.

use super::super::{GOOD, complaints, load};
use super::{Case, check};
use crate::stack::{Shipped, Stack};

#[test]
fn what_is_wrong_is_said_where_it_is() {
    check(CASES);
}

const CASES: &[Case] = &[
    (
        "auth: { function: authorize, identity: [querystring.token] }\n",
        "",
        &[
            "20:1 warning: without `auth` the query string is believed: anyone connects as anyone / `auth: { jwt: { issuer: …, audience: [ … ] } }` lets in who has a token",
        ],
    ),
    (
        "auth: { function: authorize, identity: [querystring.token] }\n",
        "auth: { origins: [https://a.example.com] }\n",
        &[
            "26:1 warning: `origins` keeps out other pages, and the query string is believed: anyone connects as anyone / `auth: { jwt: { issuer: …, audience: [ … ] } }` lets in who has a token",
        ],
    ),
    (
        "auth: { function: authorize, identity: [querystring.token] }\n",
        "auth: {}\n",
        &[
            "26:1 error: `auth` says neither `jwt` nor `function` / `auth: { jwt: { issuer: …, audience: [ … ] } }` lets in who has a token",
        ],
    ),
    (
        "auth: { function: authorize, identity: [querystring.token] }\n",
        "auth: { issuer: x, function: authorize }\n",
        &[
            "26:9 error: `issuer` is not a key of `auth` / it belongs under `jwt`",
            "26:9 error: `auth.jwt` needs `audience` / `audience`: whom a token must be for: one of these is in its `aud`, or is the `client_id` of a Cognito access token",
        ],
    ),
    (
        "auth: { function: authorize, identity: [querystring.token] }\n",
        "auth: { function: connect, identity: [token] }\n",
        &[
            "26:19 error: function `connect` is a shipped handler, and decides nothing / an authorizer is your own code: a function with a `source`",
            "26:39 error: `token` is nothing that a handshake brings / write `querystring.token` or `header.Authorization`",
        ],
    ),
    (
        "auth: { function: authorize, identity: [querystring.token] }\n",
        "auth: { function: authorise }\n",
        &[
            "26:19 error: `auth` names function `authorise`, which is not declared / did you mean `authorize`?",
        ],
    ),
    (
        "disconnect: { handler: disconnect }",
        "disconnect: { handler: authorize }",
        &[
            "12:26 error: function `disconnect` checks tokens, and no `auth.jwt` says whose / `auth: { jwt: { issuer: …, audience: [ … ] } }` lets in who has a token",
            "24:18 error: route `$disconnect` calls handler `authorize`, which is for `auth.jwt` / name a function with `handler: send`, or with your own `source`",
        ],
    ),
    (
        "auth: { function: authorize, identity: [querystring.token] }\n",
        "auth: { jwt: { issuer: local, audience: [chat] } }\n",
        &[
            "14:3 error: `auth.jwt` adds a function `authorize`, and the file has another one / give yours another name; `name` keeps what AWS calls it",
        ],
    ),
    (
        "auth: { function: authorize, identity: [querystring.token] }\n",
        "auth: { jwt: { issuer: local } }\n",
        &[
            "26:9 error: `auth.jwt` needs `audience` / `audience`: whom a token must be for: one of these is in its `aud`, or is the `client_id` of a Cognito access token",
        ],
    ),
];

/// The good file with an own function that is not in the way, and this under `auth`.
fn with(auth: &str) -> String {
    let line = "auth: { function: authorize, identity: [querystring.token] }\n";
    GOOD.replace("  authorize:\n", "  audit:\n")
        .replace(line, &format!("auth: {auth}\n"))
}

fn said(auth: &str) -> Vec<String> {
    complaints(&with(auth), None, &|_| None)
}

fn stack(auth: &str) -> Stack {
    load(&with(auth)).unwrap().stack
}

const COGNITO: &str = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abc";

fn jwt(more: &str) -> String {
    format!("{{ jwt: {{ issuer: \"{COGNITO}\", audience: [app]{more} }} }}")
}

#[test]
fn three_lines_are_enough() {
    assert_eq!(said(&jwt("")), Vec::<String>::new());
    let all = ", token_use: access, groups_claim: cognito:groups, jwks: https://k.example.com/k?v=1, skew: 60s";
    assert_eq!(said(&jwt(all)), Vec::<String>::new());
    assert_eq!(
        said("{ jwt: { issuer: http://localhost:8080/realms/x, audience: [app] } }"),
        Vec::<String>::new()
    );
}

#[test]
fn the_authorizer_is_added_unless_the_file_has_one() {
    let derived = stack(&jwt(""));
    assert_eq!(derived.authorizer(), Some("authorize"));
    assert_eq!(
        derived.functions["authorize"].handler,
        Some(Shipped::Authorize)
    );
    let own = with(&jwt("")).replace(
        "  audit:\n",
        "  gate: { handler: authorize, memory: 256 }\n  audit:\n",
    );
    let own = load(&own).unwrap().stack;
    assert_eq!(own.authorizer(), Some("gate"));
    assert!(!own.functions.contains_key("authorize"));
    // The file's own authorizer stays the one that is asked.
    let written = load(GOOD).unwrap().stack;
    assert_eq!(written.authorizer(), Some("authorize"));
    assert_eq!(written.functions["authorize"].handler, None);
    assert_eq!(stack("{ origins: [https://a.b] }").authorizer(), None);
}

#[test]
fn an_added_function_counts_against_names_like_the_rest() {
    let taken = with(&jwt("")).replace("  audit:\n", "  audit:\n    name: chat-authorize\n");
    let said = complaints(&taken, None, &|_| None);
    assert_eq!(
        said,
        [
            "10:1 error: functions `audit` and `authorize` would both be called `chat-authorize` / give one of them another `name`"
        ]
    );
}

#[test]
fn an_issuer_is_the_letters_of_its_tokens_over_https() {
    for (issuer, flaw) in [
        ("http://id.example.com", "is not an https URL"),
        ("id.example.com", "is not an https URL"),
        ("https://", "has no plain host"),
        ("https://me@id.example.com/", "has no plain host"),
        ("https://id.example.com/?a=b", "has a query or a fragment"),
        (
            "https://id.example.com/ x",
            "has a space or a control character",
        ),
    ] {
        let auth = format!("{{ jwt: {{ issuer: \"{issuer}\", audience: [app] }} }}");
        let said = said(&auth);
        assert_eq!(said.len(), 1, "{said:?}");
        let begins = format!("26:24 error: issuer `{issuer}` {flaw} / it is the `iss`");
        assert!(said[0].starts_with(&begins), "{said:?}");
    }
    let said = said(&jwt(", jwks: http://id.example.com/keys"));
    assert!(
        said[0].contains("jwks `http://id.example.com/keys` is not an https URL"),
        "{said:?}"
    );
}

#[test]
fn what_would_believe_too_much_is_refused() {
    for (more, complaint) in [
        (
            ", skew: 61s",
            "skew `61s` is not a number of seconds up to 60",
        ),
        (
            ", skew: 500ms",
            "skew `500ms` is not a number of seconds up to 60",
        ),
        (", groups_claim: ''", "the claim's name is empty"),
        (
            ", token_use: refresh",
            "`auth.jwt.token_use` cannot be `refresh`: it is `id` or `access`",
        ),
    ] {
        let said = said(&jwt(more));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(complaint), "{said:?}");
    }
    for (audience, complaint) in [
        ("[]", "a token for nobody in particular is refused"),
        ("['']", "audience `` is empty, or has a comma or a space"),
        (
            "['a,b']",
            "audience `a,b` is empty, or has a comma or a space",
        ),
    ] {
        let said = said(&jwt("").replace("[app]", audience));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(complaint), "{said:?}");
    }
}

#[test]
fn one_of_two_decides() {
    let both = jwt("").replace("{ jwt", "{ function: audit, identity: [querystring.t], jwt");
    assert!(said(&both)[0].contains("`auth` has a `jwt` and a `function`: one of them decides"));
    let idle = jwt("").replace("{ jwt", "{ identity: [querystring.t], jwt");
    assert!(said(&idle)[0].contains("`identity` is for `function`"));
    let two = with(&jwt("")).replace(
        "  audit:\n",
        "  one: { handler: authorize }\n  two: { handler: authorize }\n  audit:\n",
    );
    let said = complaints(&two, None, &|_| None);
    assert!(
        said[0].contains("function `two` is a second `authorize`"),
        "{said:?}"
    );
}

#[test]
fn an_index_that_hides_when_a_row_ends_is_warned_of() {
    let with_index = |projection: &str| {
        let full = format!("userId-index: {{ key: userId, projection: {projection} }}");
        with(&jwt("")).replace("userId-index: userId", &full)
    };
    for (projection, warns) in [
        ("keys", true),
        ("[name]", true),
        ("[ttl]", false),
        ("all", false),
    ] {
        let said = complaints(&with_index(projection), None, &|_| None);
        let warned = said.iter().any(|one| one.contains("does not repeat `ttl`"));
        assert_eq!(warned, warns, "{projection}: {said:?}");
    }
}

#[test]
fn an_origin_is_told_how_a_browser_spells_it() {
    let auth = jwt("").replace("{ jwt", "{ origins: [https://app.example.com/], jwt");
    assert_eq!(
        said(&auth),
        [
            "26:19 error: origin `https://app.example.com/` has something after its host / write `https://app.example.com`: a browser sends no path"
        ]
    );
    let own = with("{ origins: [https://a.example.com] }").replace(
        "connect: { handler: connect }",
        "connect: { source: ./own.zip, runtime: provided.al2023 }",
    );
    let said = complaints(&own, None, &|_| None);
    assert!(
        said.iter().any(|one| one
            .contains("`origins` is for handler `connect` to look at, and no function has it")),
        "{said:?}"
    );
}
