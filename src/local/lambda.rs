//! A place for Lambda until its module arrives.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use axum::Router;

use super::World;
use super::store::Store;

pub(crate) struct Lambda;

impl Lambda {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "the hook that the real module fills"
    )]
    pub(crate) fn open(_: &Store) -> io::Result<Self> {
        Ok(Self)
    }

    #[expect(clippy::unused_self, reason = "the hook that the real module fills")]
    pub(crate) fn tagged(&self, _: &World) -> Vec<(String, BTreeMap<String, String>)> {
        Vec::new()
    }
}

pub(crate) fn router(_: Arc<World>) -> Router {
    Router::new()
}
