//! An issuer's pen, for tests: keys, and tokens good and bad.

use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Key;
use crate::double::NOW;

pub(crate) const ISSUER: &str = "https://id.example.com/pool";
pub(crate) const NOW_SECONDS: u64 = NOW / 1000;

/// Whoever can sign as `id`.
pub(crate) struct Pen {
    pub(crate) id: String,
    kind: Kind,
}

enum Kind {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
}

pub(crate) fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Pen {
    /// A key of its own each time.
    pub(crate) fn ec(id: &str) -> Self {
        let random = SystemRandom::new();
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref(), &random).unwrap();
        Self {
            id: id.to_owned(),
            kind: Kind::Ec(Box::new(pair)),
        }
    }

    /// The one RSA key, which was made once: it signs nothing outside of these tests.
    pub(crate) fn rsa(id: &str) -> Self {
        let parts: Value = serde_json::from_str(include_str!("forge/rsa.json")).unwrap();
        let part = |name: &str| {
            let part = parts[name].as_str().unwrap();
            URL_SAFE_NO_PAD.decode(part).unwrap()
        };
        let components = KeyPairComponents {
            public_key: PublicKeyComponents {
                n: part("n"),
                e: part("e"),
            },
            d: part("d"),
            p: part("p"),
            q: part("q"),
            dP: part("dp"),
            dQ: part("dq"),
            qInv: part("qi"),
        };
        let pair = RsaKeyPair::from_components(&components).unwrap();
        Self {
            id: id.to_owned(),
            kind: Kind::Rsa(Box::new(pair)),
        }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::Rsa(_) => "RS256",
            Kind::Ec(_) => "ES256",
        }
    }

    /// The public half, as a JWKS has it.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.kind {
            Kind::Rsa(pair) => {
                let public: PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "n": text(public.n), "e": text(public.e)})
            }
            Kind::Ec(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (text(&point[1..33]), text(&point[33..]));
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
            }
        };
        jwk["kid"] = self.id.clone().into();
        jwk["alg"] = self.algorithm().into();
        jwk["use"] = "sig".into();
        jwk
    }

    pub(crate) fn key(&self) -> Key {
        Key::read(&self.jwk()).unwrap()
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.algorithm(), "typ": "JWT", "kid": self.id})
    }

    /// A token that is as it should be.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// These very words, signed.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        let words = format!("{}.{}", text(header), text(payload));
        format!("{words}.{}", text(self.signature(words.as_bytes())))
    }

    fn signature(&self, words: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.kind {
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, words, &mut signature)
                    .unwrap();
                signature
            }
            Kind::Ec(pair) => pair.sign(&random, words).unwrap().as_ref().to_vec(),
        }
    }
}

/// Claims of alice for an hour, and `more` over them; `null` takes one away.
pub(crate) fn claims(more: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "sub": "alice", "aud": "app",
        "iat": NOW_SECONDS, "exp": NOW_SECONDS + 3600,
    });
    let Value::Object(more) = more else {
        panic!("claims are an object")
    };
    let all = claims.as_object_mut().unwrap();
    for (name, value) in more {
        if value.is_null() {
            all.remove(&name);
        } else {
            all.insert(name, value);
        }
    }
    claims
}
