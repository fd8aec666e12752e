use serde_json::json;

use super::double::{DISCOVERY, JWKS, Web, issuer};
use super::*;
use crate::double::{NOW, block_on};
use crate::jwt::forge::{Pen, claims};

fn find(ring: &Keyring, web: &Web, token: &str, now: u64) -> Found {
    let token = Unverified::read(token).unwrap();
    block_on(ring.find(web, &issuer(), &token, now))
}

fn token(pen: &Pen) -> String {
    pen.token(&claims(json!({})))
}

fn nameless(pen: &Pen) -> String {
    let header = json!({"alg": pen.algorithm()}).to_string();
    pen.sign(&header, &claims(json!({})).to_string())
}

fn has(pen: &Pen) -> Found {
    Found::Keys(vec![pen.key()])
}

#[test]
fn keys_are_fetched_once_for_the_environments_life() {
    let (one, two) = (Pen::ec("1"), Pen::rsa("2"));
    let (ring, web) = (Keyring::default(), Web::with(&[&one, &two]));
    assert_eq!(find(&ring, &web, &token(&one), NOW), has(&one));
    assert_eq!(web.asked(), [DISCOVERY, JWKS]);
    let later = NOW + 24 * 3_600_000;
    assert_eq!(find(&ring, &web, &token(&two), later), has(&two));
    assert_eq!(web.asked(), [""; 0]);
}

#[test]
fn a_new_key_is_asked_for_at_most_once_a_minute() {
    let (old, new) = (Pen::ec("old"), Pen::ec("new"));
    let (ring, web) = (Keyring::default(), Web::with(&[&old]));
    find(&ring, &web, &token(&old), NOW);
    web.asked();
    web.rotate(&[&old, &new]);
    // It was asked a moment ago, and whoever makes up names does not make it ask again.
    for _ in 0..100 {
        let answer = find(&ring, &web, &token(&Pen::ec("made up")), NOW + 59_999);
        assert_eq!(answer, Found::Unknown(None));
    }
    assert_eq!(web.asked(), [""; 0]);
    assert_eq!(find(&ring, &web, &token(&new), NOW + 60_000), has(&new));
    assert_eq!(web.asked(), [DISCOVERY, JWKS]);
    assert_eq!(find(&ring, &web, &token(&old), NOW + 60_001), has(&old));
    // A key that was taken away is not known any more once the issuer has been asked.
    web.rotate(&[&new]);
    let made_up = token(&Pen::ec("made up"));
    assert_eq!(
        find(&ring, &web, &made_up, NOW + 120_000),
        Found::Unknown(None)
    );
    assert_eq!(
        find(&ring, &web, &token(&old), NOW + 120_001),
        Found::Unknown(None)
    );
}

#[test]
fn an_issuer_that_is_away_is_remembered() {
    let pen = Pen::ec("1");
    let (ring, web) = (Keyring::default(), Web::with(&[&pen]));
    find(&ring, &web, &token(&pen), NOW);
    web.go_away();
    assert_eq!(find(&ring, &web, &token(&pen), NOW + 90_000), has(&pen));
    let unknown = find(&ring, &web, &token(&Pen::ec("2")), NOW + 90_000);
    let Found::Unknown(Some(fault)) = unknown else {
        panic!("{unknown:?}")
    };
    assert!(fault.to_string().contains("nobody there"), "{fault}");
    assert_eq!(find(&ring, &web, &token(&pen), NOW + 90_001), has(&pen));
}

#[test]
fn an_issuer_that_gave_nothing_is_asked_again_soon() {
    let pen = Pen::ec("1");
    let (ring, web) = (Keyring::default(), Web::default());
    for later in [0, 999] {
        let answer = find(&ring, &web, &token(&pen), NOW + later);
        assert!(matches!(answer, Found::Unavailable(_)), "{answer:?}");
    }
    assert_eq!(web.asked(), [DISCOVERY]);
    web.serve(
        DISCOVERY,
        &json!({"issuer": issuer().url, "jwks_uri": JWKS}),
    );
    web.rotate(&[&pen]);
    assert_eq!(find(&ring, &web, &token(&pen), NOW + 1_000), has(&pen));
}

#[test]
fn a_token_without_a_name_is_by_the_only_key() {
    let (one, two) = (Pen::ec("1"), Pen::ec("2"));
    let (ring, web) = (Keyring::default(), Web::with(&[&one]));
    assert_eq!(find(&ring, &web, &nameless(&one), NOW), has(&one));
    let (ring, web) = (Keyring::default(), Web::with(&[&one, &two]));
    assert_eq!(
        find(&ring, &web, &nameless(&one), NOW),
        Found::Unknown(None)
    );
    web.asked();
    assert_eq!(
        find(&ring, &web, &nameless(&one), NOW + 90_000),
        Found::Unknown(None)
    );
    assert_eq!(web.asked(), [""; 0]);
}

#[test]
fn a_key_set_may_hold_what_is_not_known() {
    let pen = Pen::ec("1");
    let (ring, web) = (Keyring::default(), Web::with(&[]));
    let secret = json!({"kty": "oct", "kid": "1", "k": "c2VjcmV0"});
    web.serve(
        JWKS,
        &json!({"keys": [secret, {"kty": "PQ"}, 7, pen.jwk()]}),
    );
    assert_eq!(find(&ring, &web, &token(&pen), NOW), has(&pen));
}

#[test]
fn what_is_no_key_set_gives_no_keys() {
    let pen = Pen::ec("1");
    for (page, why) in [
        (json!([]), "no list `keys`"),
        (json!({"keys": {}}), "no list `keys`"),
        (json!({"keys": []}), "no key for RS256 or ES256"),
        (
            json!({"keys": [{"kty": "oct", "k": "x"}]}),
            "no key for RS256 or ES256",
        ),
    ] {
        let (ring, web) = (Keyring::default(), Web::with(&[]));
        web.serve(JWKS, &page);
        let Found::Unavailable(fault) = find(&ring, &web, &token(&pen), NOW) else {
            panic!("{page}")
        };
        assert!(fault.to_string().contains(why), "{fault}");
    }
}

#[test]
fn only_the_issuers_own_word_leads_to_keys() {
    let pen = Pen::ec("1");
    for (about, why) in [
        (
            json!({"issuer": "https://evil.example", "jwks_uri": JWKS}),
            "another issuer",
        ),
        (json!({"jwks_uri": JWKS}), "another issuer"),
        (json!({"issuer": issuer().url}), "no `jwks_uri`"),
        (
            json!({"issuer": issuer().url, "jwks_uri": 7}),
            "no `jwks_uri`",
        ),
        (
            json!({"issuer": issuer().url, "jwks_uri": "http://id.example.com/k"}),
            "not an https URL",
        ),
        (
            json!({"issuer": issuer().url, "jwks_uri": "file:///etc/keys"}),
            "not an https URL",
        ),
        (
            json!({"issuer": issuer().url, "jwks_uri": "http://169.254.169.254/"}),
            "not an https URL",
        ),
    ] {
        let (ring, web) = (Keyring::default(), Web::with(&[&pen]));
        web.serve(DISCOVERY, &about);
        let Found::Unavailable(fault) = find(&ring, &web, &token(&pen), NOW) else {
            panic!("{about}")
        };
        assert!(fault.to_string().contains(why), "{fault}");
        assert_eq!(web.asked(), [DISCOVERY]);
    }
}

#[test]
fn the_place_of_the_keys_is_the_stacks_cognitos_or_the_issuers() {
    let place = |url: &str, jwks: Option<&str>, web: &Web| {
        let issuer = Issuer {
            url: url.to_owned(),
            jwks: jwks.map(str::to_owned),
        };
        block_on(issuer.jwks_url(web))
    };
    let web = Web::default();
    assert_eq!(
        place("https://x.example/", Some("https://k.example/k"), &web).unwrap(),
        "https://k.example/k"
    );
    let pool = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abc";
    assert_eq!(
        place(pool, None, &web).unwrap(),
        format!("{pool}/.well-known/jwks.json")
    );
    assert_eq!(web.asked(), [""; 0]);
    for imposter in [
        "https://cognito-idp.us-east-1.amazonaws.com.evil.example/p",
        "https://cognito-idp.evil.example/x.amazonaws.com",
        "http://cognito-idp.us-east-1.amazonaws.com/p",
    ] {
        assert!(place(imposter, None, &web).is_err());
        assert_eq!(web.asked().len(), 1, "{imposter}");
    }
    // An issuer on this machine keeps its keys on this machine, at its own port.
    let here = "http://127.0.0.1:9000/x";
    for (jwks, is_fine) in [
        ("http://127.0.0.1:9000/keys", true),
        ("http://127.0.0.1:9001/keys", false),
        ("http://127.0.0.1:9000@evil.example/keys", false),
    ] {
        let about = json!({"issuer": here, "jwks_uri": jwks});
        web.serve(
            "http://127.0.0.1:9000/x/.well-known/openid-configuration",
            &about,
        );
        assert_eq!(place(here, None, &web).is_ok(), is_fine, "{jwks}");
    }
}
