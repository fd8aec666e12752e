use proptest::prelude::*;
use serde_json::json;

use super::forge::{ISSUER, NOW_SECONDS, Pen, claims, text};
use super::*;

fn rules() -> Rules {
    Rules {
        issuer: ISSUER.to_owned(),
        audience: vec!["other".to_owned(), "app".to_owned()],
        token_use: None,
        groups_claim: None,
        skew: 30,
    }
}

/// All of it, as the authorizer does it.
fn judge(token: &str, keys: &[Key], rules: &Rules) -> Result<Claims, Flaw> {
    let token = Unverified::read(token)?;
    let keys = keys
        .iter()
        .filter(|key| key.id() == token.key_id.as_deref());
    rules.judge(&token.verify(keys)?, NOW_SECONDS)
}

fn claimed(more: Value, rules: &Rules) -> Result<Claims, Flaw> {
    let pen = Pen::ec("k");
    judge(&pen.token(&claims(more)), &[pen.key()], rules)
}

#[test]
fn a_token_of_either_kind_says_who_it_is() {
    for pen in [Pen::ec("k"), Pen::rsa("k")] {
        let alice = judge(&pen.token(&claims(json!({}))), &[pen.key()], &rules());
        assert_eq!(
            alice,
            Ok(Claims {
                subject: "alice".to_owned(),
                expires: NOW_SECONDS + 3600,
                groups: None,
            })
        );
    }
}

/// Keys and tokens that another library made, and that this code had no part in.
#[test]
fn tokens_of_another_library_are_read() {
    let foreign: Value = serde_json::from_str(include_str!("forge/foreign.json")).unwrap();
    let keys: Vec<Key> = foreign["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| Key::read(key).unwrap())
        .collect();
    for token in foreign["tokens"].as_array().unwrap() {
        let token = token.as_str().unwrap();
        let alice = judge(token, &keys, &rules()).unwrap();
        assert_eq!(alice.subject, "alice");
        // Each key believes its own token only.
        let read = Unverified::read(token).unwrap();
        let others = keys.iter().filter(|key| key.id() != read.key_id.as_deref());
        assert_eq!(read.verify(others), Err(Flaw::Signature));
    }
}

#[test]
fn no_algorithm_but_the_keys_own_is_believed() {
    let (rsa, ec) = (Pen::rsa("k"), Pen::ec("k"));
    let payload = claims(json!({})).to_string();
    let signed = |header: &Value, pen: &Pen| pen.sign(&header.to_string(), &payload);
    for algorithm in [
        "none", "None", "", "HS256", "HS512", "RS384", "PS256", "ES384", "EdDSA", "rs256", "RS256 ",
    ] {
        let token = signed(&json!({"alg": algorithm, "kid": "k"}), &rsa);
        assert_eq!(judge(&token, &[rsa.key()], &rules()), Err(Flaw::Algorithm));
    }
    for alg in [json!(null), json!(["RS256"]), json!(7)] {
        let token = signed(&json!({"alg": alg, "kid": "k"}), &rsa);
        assert_eq!(judge(&token, &[rsa.key()], &rules()), Err(Flaw::Algorithm));
    }
    let unsigned = format!(
        "{}.{}.",
        text(r#"{"alg":"none","kid":"k"}"#),
        text(&payload)
    );
    assert_eq!(
        judge(&unsigned, &[rsa.key()], &rules()),
        Err(Flaw::Algorithm)
    );
    let emptied = format!("{}.{}.", text(rsa.header().to_string()), text(&payload));
    assert_eq!(
        judge(&emptied, &[rsa.key()], &rules()),
        Err(Flaw::Signature)
    );
    // One kind of key, the other kind's name.
    let crossed = signed(&json!({"alg": "ES256", "kid": "k"}), &rsa);
    assert_eq!(
        judge(&crossed, &[rsa.key()], &rules()),
        Err(Flaw::Signature)
    );
    let crossed = signed(&json!({"alg": "RS256", "kid": "k"}), &ec);
    assert_eq!(judge(&crossed, &[ec.key()], &rules()), Err(Flaw::Signature));
}

/// The oldest trick: what everybody knows, the public key, taken as the secret of an HMAC.
#[test]
fn the_public_key_is_no_secret() {
    use ring::hmac;
    let rsa = Pen::rsa("k");
    let jwk = rsa.jwk();
    let words = format!(
        "{}.{}",
        text(r#"{"alg":"HS256","kid":"k"}"#),
        text(claims(json!({})).to_string())
    );
    let modulus = jwk["n"].as_str().unwrap();
    for secret in [modulus.as_bytes().to_vec(), decode(modulus).unwrap()] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let token = format!("{words}.{}", text(hmac::sign(&key, words.as_bytes())));
        assert_eq!(judge(&token, &[rsa.key()], &rules()), Err(Flaw::Algorithm));
    }
}

#[test]
fn a_key_that_the_token_brings_along_is_not_looked_at() {
    let (ours, theirs) = (Pen::ec("k"), Pen::ec("k"));
    let payload = claims(json!({})).to_string();
    for (name, value) in [
        ("jwk", theirs.jwk()),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/cert")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = theirs.header();
        header[name] = value;
        let forged = theirs.sign(&header.to_string(), &payload);
        assert_eq!(
            judge(&forged, &[ours.key()], &rules()),
            Err(Flaw::Signature)
        );
        let honest = ours.sign(&header.to_string(), &payload);
        assert!(judge(&honest, &[ours.key()], &rules()).is_ok());
    }
}

#[test]
fn a_key_id_is_a_name_and_nothing_else() {
    let pen = Pen::ec("k");
    let payload = claims(json!({})).to_string();
    let named = |kid: Value| pen.sign(&json!({"alg": "ES256", "kid": kid}).to_string(), &payload);
    for kid in [
        "../../../../dev/null",
        "k' OR '1'='1",
        "k\0",
        "K",
        "",
        " k",
        "https://x/k",
    ] {
        assert_eq!(
            judge(&named(json!(kid)), &[pen.key()], &rules()),
            Err(Flaw::Signature),
            "{kid}"
        );
    }
    for kid in [json!(7), json!(["k"]), json!(null), json!("k".repeat(257))] {
        assert_eq!(
            judge(&named(kid), &[pen.key()], &rules()),
            Err(Flaw::Malformed)
        );
    }
}

#[test]
fn what_is_no_token_is_refused_before_anything_is_computed() {
    let pen = Pen::ec("k");
    let good = pen.token(&claims(json!({})));
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("{good}")
    };
    let padded = format!("{header}.{payload}.{signature}==");
    let json_form = json!({"payload": payload, "signatures": []}).to_string();
    for token in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "\u{1f600}.\u{1f600}.x",
        &format!("{header}.{payload}"),
        &format!("{header}..{signature}"),
        &format!("{header}.{payload}.{signature}.{signature}"),
        &format!(" {good}"),
        &format!("{good}\n"),
        &format!("{header}=.{payload}.{signature}"),
        &format!("{}.{payload}.{signature}", text("[]")),
        &format!("{}.{payload}.{signature}", text("not json")),
        &padded,
        &json_form,
        &good.replace('.', "..."),
        &"a".repeat(LONGEST + 1),
        &format!("{header}.{}.{signature}", text("x".repeat(LONGEST))),
    ] {
        assert_eq!(
            judge(token, &[pen.key()], &rules()),
            Err(Flaw::Malformed),
            "{token}"
        );
    }
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("enc", json!("A128GCM")),
        ("typ", json!("logout+jwt")),
        ("typ", json!(7)),
    ] {
        let mut header = pen.header();
        header[name] = value;
        let token = pen.sign(&header.to_string(), &claims(json!({})).to_string());
        assert_eq!(
            judge(&token, &[pen.key()], &rules()),
            Err(Flaw::Malformed),
            "{name}"
        );
    }
    assert!(judge(&good, &[pen.key()], &rules()).is_ok());
}

#[test]
fn a_name_that_stands_twice_says_nothing() {
    let pen = Pen::ec("k");
    let payload = claims(json!({})).to_string();
    let twice = payload.replacen('{', r#"{"sub":"mallory","#, 1);
    for (header, payload) in [
        (pen.header().to_string(), twice.clone()),
        (
            pen.header()
                .to_string()
                .replacen('{', r#"{"alg":"none","#, 1),
            payload.clone(),
        ),
        (
            pen.header().to_string().replacen('{', r#"{"kid":"x","#, 1),
            payload,
        ),
    ] {
        let token = pen.sign(&header, &payload);
        assert_eq!(judge(&token, &[pen.key()], &rules()), Err(Flaw::Malformed));
    }
}

#[test]
fn a_token_is_by_this_issuer_for_this_audience() {
    for iss in [
        json!(null),
        json!(7),
        json!("https://id.example.com/pool/"),
        json!("https://id.example.com"),
        json!("https://ID.example.com/pool"),
        json!([ISSUER]),
    ] {
        assert_eq!(claimed(json!({"iss": iss}), &rules()), Err(Flaw::Issuer));
    }
    for aud in [json!("app"), json!(["app"]), json!(["x", "other"])] {
        assert!(claimed(json!({"aud": aud}), &rules()).is_ok());
    }
    for aud in [
        json!(null),
        json!("App"),
        json!("app "),
        json!([]),
        json!(["x"]),
        json!(["app", 7]),
        json!({"app": true}),
        json!(7),
    ] {
        assert_eq!(
            claimed(json!({"aud": aud}), &rules()),
            Err(Flaw::Audience),
            "{aud}"
        );
    }
    // What a Cognito access token says instead counts for no other kind.
    let client = json!({"aud": null, "client_id": "app"});
    assert_eq!(claimed(client, &rules()), Err(Flaw::Audience));
}

#[test]
fn cognitos_two_kinds_are_told_apart() {
    let only = |kind| Rules {
        token_use: Some(kind),
        ..rules()
    };
    let id = json!({"token_use": "id"});
    let access = json!({"token_use": "access", "aud": null, "client_id": "app"});
    assert!(claimed(id.clone(), &rules()).is_ok());
    assert!(claimed(access.clone(), &rules()).is_ok());
    assert!(claimed(id.clone(), &only(TokenUse::Id)).is_ok());
    assert!(claimed(access.clone(), &only(TokenUse::Access)).is_ok());
    assert_eq!(claimed(id, &only(TokenUse::Access)), Err(Flaw::TokenUse));
    assert_eq!(claimed(access, &only(TokenUse::Id)), Err(Flaw::TokenUse));
    assert_eq!(claimed(json!({}), &only(TokenUse::Id)), Err(Flaw::TokenUse));
    for kind in [json!("refresh"), json!(""), json!(["id"]), json!(true)] {
        assert_eq!(
            claimed(json!({"token_use": kind}), &rules()),
            Err(Flaw::TokenUse)
        );
    }
    let elsewhere = json!({"token_use": "access", "aud": null, "client_id": "x"});
    assert_eq!(claimed(elsewhere, &rules()), Err(Flaw::Audience));
    let id_by_client = json!({"token_use": "id", "aud": null, "client_id": "app"});
    assert_eq!(claimed(id_by_client, &rules()), Err(Flaw::Audience));
}

#[test]
fn a_token_has_a_time() {
    let at = |more: Value| claimed(more, &rules()).map(|claims| claims.expires);
    assert_eq!(at(json!({"exp": NOW_SECONDS + 1})), Ok(NOW_SECONDS + 1));
    assert_eq!(at(json!({"exp": 1_708_330_000.9})), Ok(1_708_330_000));
    assert_eq!(at(json!({"exp": NOW_SECONDS - 29})), Ok(NOW_SECONDS - 29));
    for exp in [
        json!(null),
        json!(NOW_SECONDS - 30),
        json!(0),
        json!(-1),
        json!((NOW_SECONDS + 3600).to_string()),
        json!(true),
        json!([NOW_SECONDS + 3600]),
        json!(1e300),
        json!(u64::MAX),
    ] {
        assert_eq!(at(json!({"exp": exp})), Err(Flaw::Expired), "{exp}");
    }
    for name in ["nbf", "iat"] {
        assert!(at(json!({name: NOW_SECONDS + 30})).is_ok());
        for time in [json!(NOW_SECONDS + 31), json!("0"), json!(-1), json!(false)] {
            assert_eq!(at(json!({name: time})), Err(Flaw::NotYet), "{name} {time}");
        }
    }
    assert!(at(json!({"iat": null})).is_ok());
}

#[test]
fn a_subject_can_be_a_key() {
    for sub in [
        json!(null),
        json!(""),
        json!(7),
        json!("a\nb"),
        json!("x".repeat(2049)),
    ] {
        assert_eq!(claimed(json!({"sub": sub}), &rules()), Err(Flaw::Subject));
    }
}

#[test]
fn a_security_event_is_nobodys_token() {
    let event = json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}});
    assert_eq!(claimed(event, &rules()), Err(Flaw::TokenUse));
}

#[test]
fn groups_are_a_list_of_names_or_none() {
    let grouped = Rules {
        groups_claim: Some("cognito:groups".to_owned()),
        ..rules()
    };
    let groups = |value: Value| {
        claimed(json!({"cognito:groups": value}), &grouped).map(|claims| claims.groups.unwrap())
    };
    assert_eq!(
        groups(json!(["a", "b"])),
        Ok(vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(groups(json!("a b")), Ok(vec!["a b".to_owned()]));
    assert_eq!(groups(json!(null)), Ok(Vec::new()));
    for wrong in [json!({"a": true}), json!(["a", 7]), json!(7)] {
        assert_eq!(groups(wrong), Err(Flaw::Groups));
    }
    let ungrouped = claimed(json!({"cognito:groups": ["a"]}), &rules()).unwrap();
    assert_eq!(ungrouped.groups, None);
}

#[test]
fn a_key_is_read_for_what_it_signs() {
    let (rsa, ec) = (Pen::rsa("k").jwk(), Pen::ec("k").jwk());
    let with = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        Key::read(&jwk)
    };
    assert!(with(&rsa, "key_ops", json!(["verify"])).is_some());
    for (jwk, name, value) in [
        (&rsa, "use", json!("enc")),
        (&rsa, "alg", json!("RSA-OAEP")),
        (&rsa, "alg", json!("ES256")),
        (&ec, "alg", json!("ES384")),
        (&ec, "key_ops", json!(["sign"])),
        (&ec, "crv", json!("P-384")),
        (&ec, "x", json!("AA")),
        (&rsa, "n", json!("")),
        (&rsa, "e", json!("AA")),
        (&rsa, "n", json!("not base64!")),
        (&rsa, "kty", json!("oct")),
        (&rsa, "kty", json!(null)),
        (&ec, "kty", json!("OKP")),
    ] {
        assert_eq!(with(jwk, name, value.clone()), None, "{name} {value}");
    }
    assert_eq!(Key::read(&json!({"kty": "oct", "k": "c2VjcmV0"})), None);
    assert_eq!(Key::read(&json!("key")), None);
}

#[test]
fn a_short_rsa_key_signs_nothing() {
    let pen = Pen::rsa("k");
    let mut jwk = pen.jwk();
    // 1,024 bits: any modulus will do, since no signature is looked at.
    jwk["n"] = text([0xff; 128]).into();
    let key = Key::read(&jwk).unwrap();
    let token = pen.token(&claims(json!({})));
    assert_eq!(judge(&token, &[key], &rules()), Err(Flaw::Signature));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is changed in a token, it is not believed.
    #[test]
    fn no_mutation_of_a_token_is_accepted(
        is_rsa: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let pen = if is_rsa { Pen::rsa("k") } else { Pen::ec("k") };
        let good = pen.token(&claims(json!({})));
        let mut bytes = good.clone().into_bytes();
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        let Ok(token) = String::from_utf8(bytes) else { return Ok(()) };
        prop_assume!(token != good);
        prop_assert!(judge(&token, &[pen.key()], &rules()).is_err());
    }

    /// Parts of one token do not fit into another, of whoever it is.
    #[test]
    fn parts_of_two_tokens_make_none(choice in prop::collection::vec(any::<bool>(), 3)) {
        prop_assume!(choice.contains(&true) && choice.contains(&false));
        let pen = Pen::ec("k");
        let one = pen.token(&claims(json!({})));
        let mut header = pen.header();
        header["x"] = json!(1);
        let two = pen.sign(&header.to_string(), &claims(json!({"sub": "bob"})).to_string());
        let parts: Vec<&str> = one
            .split('.')
            .zip(two.split('.'))
            .zip(&choice)
            .map(|((one, two), first)| if *first { one } else { two })
            .collect();
        prop_assert_eq!(judge(&parts.join("."), &[pen.key()], &rules()), Err(Flaw::Signature));
    }

    /// Nothing that comes in makes it panic.
    #[test]
    fn any_text_is_an_answer(token: String) {
        prop_assert!(judge(&token, &[], &rules()).is_err());
    }
}
