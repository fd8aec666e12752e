//! An issuer in memory, which counts what it is asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::{Fetch, Issuer};
use crate::fault::Fault;
use crate::jwt::forge::{ISSUER, Pen};

pub(crate) const DISCOVERY: &str = "https://id.example.com/pool/.well-known/openid-configuration";
pub(crate) const JWKS: &str = "https://keys.example.com/all";

#[derive(Default)]
pub(crate) struct Web {
    pages: Mutex<BTreeMap<String, Vec<u8>>>,
    asked: Mutex<Vec<String>>,
}

impl Web {
    /// An issuer with these keys.
    pub(crate) fn with(pens: &[&Pen]) -> Self {
        let web = Self::default();
        web.serve(DISCOVERY, &json!({"issuer": ISSUER, "jwks_uri": JWKS}));
        web.rotate(pens);
        web
    }

    pub(crate) fn rotate(&self, pens: &[&Pen]) {
        let keys: Vec<Value> = pens.iter().map(|pen| pen.jwk()).collect();
        self.serve(JWKS, &json!({ "keys": keys }));
    }

    pub(crate) fn serve(&self, url: &str, page: &Value) {
        let page = page.to_string().into_bytes();
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.insert(url.to_owned(), page);
    }

    pub(crate) fn go_away(&self) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.clear();
    }

    /// What it was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut asked)
    }
}

impl Fetch for Web {
    async fn get(&self, url: &str) -> Result<Vec<u8>, Fault> {
        let asked = self.asked.lock();
        asked
            .unwrap_or_else(PoisonError::into_inner)
            .push(url.to_owned());
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let page = pages.get(url).cloned();
        page.ok_or_else(|| Fault::Unavailable(format!("GET {url}: nobody there")))
    }
}

pub(crate) fn issuer() -> Issuer {
    Issuer {
        url: ISSUER.to_owned(),
        jwks: None,
    }
}
