//! A world in memory on a turned clock, for the services' own tests.

use std::time::Duration;

use super::clock::Clock;
use super::{Options, Realism, World};

/// 2023-11-14T22:13:20Z.
pub(crate) const START: Duration = Duration::from_secs(1_700_000_000);

pub(crate) fn world() -> World {
    world_with(Realism::INSTANT)
}

pub(crate) fn world_with(realism: Realism) -> World {
    let options = Options {
        dir: None,
        port: 0,
        region: "us-east-1".to_owned(),
        realism,
        clock: Clock::turned(START),
    };
    World::open(options).unwrap()
}
