//! A public key, for the one algorithm of its kind.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Algorithm, decode};

/// An issuer's key as its JWKS has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    id: Option<String>,
    public: Public,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// A point of P-256, uncompressed.
    P256(Vec<u8>),
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Key {
    /// A key of a JWKS; `None` if it is not one that signs tokens in a way that is believed here.
    pub fn read(jwk: &Value) -> Option<Self> {
        let jwk = Jwk::deserialize(jwk).ok()?;
        let signs = jwk.r#use.as_deref().is_none_or(|word| word == "sig")
            && jwk
                .key_ops
                .iter()
                .all(|all| all.iter().any(|one| one == "verify"));
        let key = Self {
            id: jwk.kid.clone(),
            public: jwk.public()?,
        };
        let fits = jwk
            .alg
            .as_deref()
            .is_none_or(|name| Algorithm::named(name) == Some(key.algorithm()));
        (signs && fits).then_some(key)
    }

    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The only algorithm that this key is for.
    pub fn algorithm(&self) -> Algorithm {
        match self.public {
            Public::Rsa { .. } => Algorithm::Rs256,
            Public::P256(_) => Algorithm::Es256,
        }
    }

    /// Whether the signature of these words is by this key. RSA keys below 2048 bits sign nothing.
    pub(super) fn signed(&self, words: &str, signature: &[u8]) -> bool {
        let words = words.as_bytes();
        let verified = match &self.public {
            Public::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                words,
                signature,
            ),
            Public::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(words, signature)
            }
        };
        verified.is_ok()
    }
}

impl Jwk {
    fn public(&self) -> Option<Public> {
        let number = |text: &Option<String>| decode(text.as_deref()?).ok();
        match self.kty.as_str() {
            "RSA" => {
                let plain = |bytes: Vec<u8>| {
                    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                    bytes[zeros..].to_vec()
                };
                let (n, e) = (plain(number(&self.n)?), plain(number(&self.e)?));
                (!n.is_empty() && !e.is_empty()).then_some(Public::Rsa { n, e })
            }
            "EC" if self.crv.as_deref() == Some("P-256") => {
                let (x, y) = (number(&self.x)?, number(&self.y)?);
                (x.len() == 32 && y.len() == 32)
                    .then(|| Public::P256([[4].as_slice(), &x, &y].concat()))
            }
            _ => None,
        }
    }
}
