//! An issuer of tokens, for trials: what a user pool is to a stack on AWS.
//!
//! In: the state folder, where its one key is. Out: its discovery document and its public key at `/_msgai/issuer`, and
//! [`Pen`], by which whoever may read that folder signs tokens. Never: a token over the network; the key in an answer.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::World;
use super::store::Store;

/// Below the cloud's address.
pub const PATH: &str = "/_msgai/issuer";

/// The name of the state file.
const FILE: &str = "issuer";

/// The issuer's key; it signs as the issuer.
pub struct Pen {
    id: String,
    pair: EcdsaKeyPair,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// PKCS #8, in base64.
    key: String,
}

impl Pen {
    /// The key that a local cloud keeps in this folder, if one was ever served from there.
    pub fn of(dir: &Path) -> io::Result<Option<Self>> {
        let kept: Kept = Store::open(Some(dir))?.load(FILE)?;
        Ok(Self::read(&kept))
    }

    /// The folder's key, or a new one where there is none that can be read.
    pub(super) fn open(store: &Store) -> io::Result<Self> {
        if let Some(kept) = Self::read(&store.load(FILE)?) {
            return Ok(kept);
        }
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let failed = |_| io::Error::other("the issuer's key cannot be made");
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random).map_err(failed)?;
        let key = STANDARD.encode(made.as_ref());
        store.save(FILE, &Kept { key: key.clone() })?;
        let kept = Self::read(&Kept { key });
        kept.ok_or_else(|| io::Error::other("the issuer's key cannot be read"))
    }

    fn read(kept: &Kept) -> Option<Self> {
        let pkcs8 = STANDARD.decode(&kept.key).ok()?;
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(kind, &pkcs8, &SystemRandom::new()).ok()?;
        // A new key has a new name, so that an authorizer that knows the old one asks.
        let id = text(&pair.public_key().as_ref()[1..9]);
        Some(Self { id, pair })
    }

    /// A token that says this.
    pub fn sign(&self, claims: &Value) -> io::Result<String> {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.id });
        let words = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), words.as_bytes());
        let signature = signature.map_err(|_| io::Error::other("the token cannot be signed"))?;
        Ok(format!("{words}.{}", text(signature)))
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
            "x": text(&point[1..33]), "y": text(&point[33..]),
        })
    }
}

impl fmt::Debug for Pen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pen")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route(
            "/_msgai/issuer/.well-known/openid-configuration",
            get(about),
        )
        .route("/_msgai/issuer/keys", get(keys))
        .with_state(world)
}

async fn about(State(world): State<Arc<World>>) -> Result<Json<Value>, StatusCode> {
    let address = world.address.get().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let issuer = format!("http://{address}{PATH}");
    Ok(Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/keys"),
        "id_token_signing_alg_values_supported": ["ES256"],
    })))
}

async fn keys(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({ "keys": [world.issuer.jwk()] }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays_with_the_folder_and_its_name_with_the_key() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Pen::of(folder.path()).unwrap().is_none());
        let store = Store::open(Some(folder.path())).unwrap();
        let made = Pen::open(&store).unwrap();
        let kept = Pen::open(&store).unwrap();
        let read = Pen::of(folder.path()).unwrap().unwrap();
        assert_eq!((made.jwk(), made.jwk()), (kept.jwk(), read.jwk()));
        let other = Pen::open(&Store::open(None).unwrap()).unwrap();
        assert_ne!(made.id, other.id);
        assert!(made.jwk().get("d").is_none());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_the_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        Pen::open(&Store::open(Some(folder.path())).unwrap()).unwrap();
        let file = folder.path().join("issuer.json");
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
}
