//! Many clients at once, and how long what one says takes to the others.
//!
//! In: a [`Plan`] and a way to connect. Out: a [`Report`]: times, losses, repeats. Never: a message that waits for the one
//! before; each has its time beforehand, and lateness counts ([`Tally`]).

mod crowd;
mod draw;
mod plan;
mod tally;

pub use crowd::{Progress, run};
pub use plan::{Crowd, Member, Plan};
pub use tally::{Report, Tally, Times};
