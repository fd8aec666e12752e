//! A place for the WebSocket data plane until its module arrives.

use std::sync::Arc;

use axum::Router;

use super::World;

#[derive(Default)]
pub(crate) struct Sockets(());

impl Sockets {
    #[expect(clippy::unused_self, reason = "the hook that the real module fills")]
    pub(crate) fn close_api(&self, _: &str) {}

    #[expect(clippy::unused_self, reason = "the hook that the real module fills")]
    pub(crate) fn close_stage(&self, _: &str, _: &str) {}
}

pub(crate) fn router(_: Arc<World>) -> Router {
    Router::new()
}
