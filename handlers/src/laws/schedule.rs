//! Handlers that run at once: which goes on is chosen from outside, step by step, so every run can be repeated.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::task::noop_waker;
use tokio::runtime::{Builder, Runtime};

use crate::double::Double;
use crate::log::Handled;

/// More than any handler needs, however it is interrupted.
const MOST_POLLS: usize = 200_000;

type Handling<'d> = Pin<Box<dyn Future<Output = Handled> + 'd>>;

/// What runs, each with a label by which its end is told.
pub(super) struct Schedule<'d, L> {
    double: &'d Double,
    running: Vec<(L, Handling<'d>)>,
    /// Timeouts need a clock; it never strikes here.
    runtime: Runtime,
}

impl<'d, L> Schedule<'d, L> {
    pub(super) fn new(double: &'d Double) -> Self {
        Self {
            double,
            running: Vec::new(),
            runtime: Builder::new_current_thread().enable_time().build().unwrap(),
        }
    }

    pub(super) fn start(&mut self, label: L, handling: impl Future<Output = Handled> + 'd) {
        self.running.push((label, Box::pin(handling)));
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// One step of one handler; gives its label and result when that was its last. One that dies has no result.
    pub(super) fn step(&mut self, choice: usize) -> Option<(L, Option<Handled>)> {
        let chosen = choice.checked_rem(self.running.len())?;
        let waker = noop_waker();
        let mut context = Context::from_waker(&waker);
        let polled = {
            let _in_runtime = self.runtime.enter();
            self.running[chosen].1.as_mut().poll(&mut context)
        };
        let result = match polled {
            _ if self.double.died() => None,
            Poll::Ready(handled) => Some(handled),
            Poll::Pending => return None,
        };
        let (label, _) = self.running.swap_remove(chosen);
        Some((label, result))
    }

    /// Lets everything come to its end, one step each in turn.
    pub(super) fn finish(&mut self, mut ended: impl FnMut(L, Option<Handled>)) {
        for turn in 0..MOST_POLLS {
            if self.is_idle() {
                return;
            }
            if let Some((label, result)) = self.step(turn) {
                ended(label, result);
            }
        }
        panic!("a handler never ends");
    }
}
