//! A world in memory on a turned clock, for the services' own tests.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;

use super::clock::Clock;
use super::{Options, Realism, World};

/// 2023-11-14T22:13:20Z.
pub(crate) const START: Duration = Duration::from_secs(1_700_000_000);

/// A request without a body.
pub(crate) fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

pub(crate) fn world() -> World {
    world_with(Realism::INSTANT)
}

pub(crate) fn world_with(realism: Realism) -> World {
    let options = Options {
        realism,
        clock: Clock::turned(START),
        ..Options::default()
    };
    World::open(options).unwrap()
}
