//! A place for `@connections` until its module arrives.

use std::sync::Arc;

use axum::Router;

use super::World;

pub(crate) fn router(_: Arc<World>) -> Router {
    Router::new()
}
