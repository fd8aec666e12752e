//! Somebody who signs tokens: an OIDC issuer on this machine, which can rotate its keys and go away.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A key that signs.
pub(crate) struct Pen {
    id: String,
    pair: EcdsaKeyPair,
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Pen {
    pub(crate) fn new(id: &str) -> Self {
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self {
            id: id.to_owned(),
            pair: EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).unwrap(),
        }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (text(&point[1..33]), text(&point[33..]));
        json!({"kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "x": x, "y": y})
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": self.id});
        let words = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), words.as_bytes());
        format!("{words}.{}", text(signature.unwrap()))
    }
}

#[derive(Default)]
struct Pages {
    url: String,
    keys: Vec<Value>,
    is_away: bool,
    asked: usize,
}

/// The issuer; it ends with the test.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pages: Arc<Mutex<Pages>>,
    serving: JoinHandle<()>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Issuer {
    pub(crate) async fn start(pens: &[&Pen]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/pool", listener.local_addr().unwrap());
        let pages = Arc::new(Mutex::new(Pages {
            url: url.clone(),
            ..Pages::default()
        }));
        let app = Router::new()
            .route("/pool/.well-known/openid-configuration", get(about))
            .route("/pool/keys", get(keys))
            .with_state(Arc::clone(&pages));
        #[expect(
            clippy::disallowed_methods,
            reason = "the issuer serves beside the test"
        )]
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let issuer = Self {
            url,
            pages,
            serving,
        };
        issuer.rotate(pens);
        issuer
    }

    pub(crate) fn rotate(&self, pens: &[&Pen]) {
        self.pages.lock().unwrap().keys = pens.iter().map(|pen| pen.jwk()).collect();
    }

    pub(crate) fn is_away(&self, is_away: bool) {
        self.pages.lock().unwrap().is_away = is_away;
    }

    /// How many pages it was asked for.
    pub(crate) fn asked(&self) -> usize {
        self.pages.lock().unwrap().asked
    }
}

type Answer = Result<Json<Value>, StatusCode>;

fn open(pages: &Mutex<Pages>, page: impl Fn(&Pages) -> Value) -> Answer {
    let mut pages = pages.lock().unwrap();
    pages.asked += 1;
    if pages.is_away {
        return Err(StatusCode::NOT_FOUND);
    }
    Ok(Json(page(&pages)))
}

async fn about(State(pages): State<Arc<Mutex<Pages>>>) -> Answer {
    open(
        &pages,
        |pages| json!({"issuer": pages.url, "jwks_uri": format!("{}/keys", pages.url)}),
    )
}

async fn keys(State(pages): State<Arc<Mutex<Pages>>>) -> Answer {
    open(&pages, |pages| json!({"keys": pages.keys}))
}
