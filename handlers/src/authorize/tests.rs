use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::double::{NOW, block_on, event};
use crate::jwks::double::{Web, issuer};
use crate::jwt::Rules;
use crate::jwt::forge::{ISSUER, NOW_SECONDS, Pen, claims};
use crate::origin::Origins;

const ARN: &str = "arn:aws:execute-api:eu-west-1:000000000000:abc/production/$connect";

/// An authorizer's environment, an issuer with one key, and who signs for it.
struct Scene {
    trust: Trust,
    keys: Keyring,
    web: Web,
    pen: Pen,
}

fn scene() -> Scene {
    let pen = Pen::ec("k");
    Scene {
        trust: Trust {
            issuer: issuer(),
            rules: Rules {
                issuer: ISSUER.to_owned(),
                audience: vec!["app".to_owned()],
                token_use: None,
                groups_claim: None,
                skew: 30,
            },
            origins: Origins::parse("https://app.example.com"),
        },
        keys: Keyring::default(),
        web: Web::with(&[&pen]),
        pen,
    }
}

impl Scene {
    fn decide(&self, more: Value) -> (Result<Policy, NoAnswer>, Record) {
        let mut event = event("$connect", "c=", more);
        event.method_arn = Some(ARN.to_owned());
        let gate = Gate {
            trust: &self.trust,
            keys: &self.keys,
            fetch: &self.web,
        };
        let call = Call::new(NOW, "fresh", Duration::from_secs(10));
        block_on(gate.decide(&event, &call))
    }

    fn shown(&self, token: &str) -> (Result<Policy, NoAnswer>, Record) {
        self.decide(json!({"queryStringParameters": {"token": token}}))
    }
}

fn policy(answer: Result<Policy, NoAnswer>) -> Value {
    serde_json::to_value(answer.unwrap()).unwrap()
}

#[test]
fn a_good_token_is_a_policy_for_its_subject() {
    let scene = scene();
    let (answer, record) = scene.shown(&scene.pen.token(&claims(json!({}))));
    assert_eq!(
        policy(answer),
        json!({
            "principalId": "alice",
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN,
                }],
            },
            "context": {"exp": (NOW_SECONDS + 3600).to_string()},
        })
    );
    assert_eq!(record.outcome, "authorized");
    assert_eq!(record.user_id.as_deref(), Some("alice"));
}

#[test]
fn every_other_token_is_unauthorized_and_the_log_says_why() {
    let scene = scene();
    let pen = &scene.pen;
    let stranger = Pen::ec("k");
    let unknown = Pen::ec("other");
    let good = claims(json!({}));
    for (token, outcome) in [
        (String::new(), "noToken"),
        ("nonsense".to_owned(), "tokenMalformed"),
        (stranger.token(&good), "tokenSignature"),
        (unknown.token(&good), "tokenUnknownKey"),
        (
            pen.sign(r#"{"alg":"none","kid":"k"}"#, &good.to_string()),
            "tokenAlgorithm",
        ),
        (
            pen.token(&claims(json!({"exp": NOW_SECONDS - 60}))),
            "tokenExpired",
        ),
        (pen.token(&claims(json!({"aud": "x"}))), "tokenAudience"),
        (pen.token(&claims(json!({"iss": "x"}))), "tokenIssuer"),
    ] {
        let (answer, record) = scene.shown(&token);
        let refused = answer.unwrap_err();
        assert_eq!(refused, NoAnswer::Unauthorized, "{outcome}");
        // API Gateway compares this word.
        assert_eq!(refused.to_string(), "Unauthorized");
        assert_eq!(record.outcome, outcome);
        assert_eq!(record.user_id, None);
    }
    // Without any of the three places, a userId in the query string is nobody.
    let (answer, record) = scene.decide(json!({"queryStringParameters": {"userId": "alice"}}));
    assert_eq!(answer.unwrap_err(), NoAnswer::Unauthorized);
    assert_eq!(record.outcome, "noToken");
}

#[test]
fn nothing_of_a_token_is_logged() {
    let scene = scene();
    let secret = json!({"email": "alice@example.com", "exp": NOW_SECONDS - 60});
    for token in [
        scene.pen.token(&claims(secret)),
        scene
            .pen
            .token(&claims(json!({"email": "alice@example.com"}))),
        Pen::ec("alice@example.com").token(&claims(json!({}))),
    ] {
        let (_, record) = scene.shown(&token);
        let lines = format!(
            "{}{}",
            record.line("f", NOW),
            record.error_line().unwrap_or_default()
        );
        for part in token.split('.').chain(["alice@example.com"]) {
            assert!(!lines.contains(part), "{lines}");
        }
    }
}

#[test]
fn a_page_that_is_not_listed_is_denied_whatever_its_token() {
    let scene = scene();
    let token = scene.pen.token(&claims(json!({})));
    let from = |origin: &str| {
        scene.decide(json!({
            "headers": {"Origin": origin}, "queryStringParameters": {"token": token},
        }))
    };
    let (answer, record) = from("https://evil.example");
    let denied = policy(answer);
    assert_eq!(denied["policyDocument"]["Statement"][0]["Effect"], "Deny");
    assert_eq!(denied["policyDocument"]["Statement"][0]["Resource"], ARN);
    assert_eq!(denied["principalId"], "nobody");
    assert_eq!(denied["context"], json!({}));
    assert_eq!(
        (record.outcome, &record.user_id),
        ("originForbidden", &None)
    );
    assert_eq!(scene.web.asked(), [""; 0]);
    let (answer, _) = from("https://app.example.com");
    assert_eq!(policy(answer)["principalId"], "alice");
}

#[test]
fn without_the_issuers_keys_nobody_is_judged() {
    let scene = scene();
    let token = scene.pen.token(&claims(json!({})));
    scene.web.go_away();
    let (answer, record) = scene.shown(&token);
    let failed = answer.unwrap_err();
    assert_eq!(failed, NoAnswer::NoKeys);
    assert_ne!(failed.to_string(), "Unauthorized");
    assert_eq!(record.outcome, "keysUnavailable");
    assert!(
        record
            .error_line()
            .unwrap()
            .contains("openid-configuration")
    );
    // What cannot be a token is refused without them.
    assert_eq!(scene.shown("x").0.unwrap_err(), NoAnswer::Unauthorized);
}

#[test]
fn an_issuer_that_hangs_is_an_answer_in_time() {
    struct Hanging;
    impl Fetch for Hanging {
        async fn get(&self, _: &str) -> Result<Vec<u8>, Fault> {
            std::future::pending().await
        }
    }
    let scene = scene();
    let token = scene.pen.token(&claims(json!({})));
    let event = event(
        "$connect",
        "c=",
        json!({"queryStringParameters": {"token": token}}),
    );
    let gate = Gate {
        trust: &scene.trust,
        keys: &scene.keys,
        fetch: &Hanging,
    };
    let call = Call::new(NOW, "fresh", Duration::from_millis(50));
    let (answer, record) = block_on(gate.decide(&event, &call));
    assert_eq!(answer.unwrap_err(), NoAnswer::NoKeys);
    assert!(record.error_line().unwrap().contains("in time"));
}

#[test]
fn groups_are_handed_on_only_where_the_stack_asks_for_them() {
    let mut scene = scene();
    let grouped = scene
        .pen
        .token(&claims(json!({"groups": ["ward-3", "a\"b"]})));
    let (answer, _) = scene.shown(&grouped);
    assert_eq!(policy(answer)["context"].get("groups"), None);
    scene.trust.rules.groups_claim = Some("groups".to_owned());
    let (answer, _) = scene.shown(&grouped);
    assert_eq!(policy(answer)["context"]["groups"], r#"["ward-3","a\"b"]"#);
    let (answer, _) = scene.shown(&scene.pen.token(&claims(json!({}))));
    assert_eq!(policy(answer)["context"]["groups"], "[]");
}

/// API Gateway takes 8 KB; a token has room for more names than that leaves.
#[test]
fn of_too_many_groups_the_one_that_is_asked_for_is_handed_on() {
    let many: Vec<String> = (0..300)
        .map(|n| format!("a-group-of-some-length-{n}"))
        .collect();
    for (asked, listed) in [
        (
            Some("a-group-of-some-length-299"),
            r#"["a-group-of-some-length-299"]"#,
        ),
        (Some("another"), "[]"),
        (None, "[]"),
    ] {
        assert_eq!(super::listed(many.clone(), asked), listed);
    }
    let huge = vec!["x".repeat(6000)];
    assert_eq!(super::listed(huge.clone(), Some(&huge[0])), "[]");
}
