//! Another connection in the place of one that was cut.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::super::client::{Client, Closed, ConnectError};
use super::super::keyboard::Key;
use super::super::shown::{Event, Screen};
use super::super::typed::{Wish, wish};
use super::talk::Talk;

/// The first wait; each next one is twice as long, up to the longest.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(15);

/// What came of trying.
pub(super) enum Again {
    Connected(Box<Client>),
    /// The person went instead.
    Left {
        by_signal: bool,
    },
    /// There is none; why, where one was tried for.
    Not(Option<ConnectError>),
}

/// What ended a wait.
enum Waited {
    Over,
    Left { by_signal: bool },
}

/// A half of it is chance: many clients that were cut off at once do not come back at once.
fn pause(attempt: u32) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(attempt));
    doubled.min(LONGEST).mul_f64(0.5 + fastrand::f64() / 2.0)
}

impl<S: Screen> Talk<'_, S> {
    /// Tries for a new connection, a bounded number of times, saying so.
    pub(super) async fn again(
        &mut self,
        closed: &Closed,
        dial: &impl AsyncFn() -> Result<Client, ConnectError>,
    ) -> io::Result<Again> {
        if let Some(advice) = closed.advice() {
            self.show(&Event::Note(advice))?;
        }
        if !closed.is_passing() {
            return Ok(Again::Not(None));
        }
        let tries = self.options.tries;
        let mut why = None;
        for attempt in 0..tries {
            let pause = pause(attempt);
            let text = format!(
                "connecting again in {:.1} s ({} of {tries}); /quit ends",
                pause.as_secs_f64(),
                attempt + 1
            );
            self.show(&Event::Note(&text))?;
            if let Waited::Left { by_signal } = self.wait(pause).await? {
                return Ok(Again::Left { by_signal });
            }
            let mut stop = self.options.stop.clone();
            let dialled = tokio::select! {
                Ok(_) = stop.wait_for(|stop| *stop) => return Ok(Again::Left { by_signal: true }),
                dialled = dial() => dialled,
            };
            match dialled {
                Ok(client) => return Ok(Again::Connected(Box::new(client))),
                Err(error) => {
                    self.show(&Event::Trouble(&error.to_string()))?;
                    let is_passing = error.is_passing();
                    why = Some(error);
                    if !is_passing {
                        break;
                    }
                }
            }
        }
        Ok(Again::Not(why))
    }

    /// Waits; what is typed meanwhile cannot be sent, and is told so.
    async fn wait(&mut self, pause: Duration) -> io::Result<Waited> {
        let until = Instant::now() + pause;
        let mut stop = self.options.stop.clone();
        loop {
            let key = tokio::select! {
                Ok(_) = stop.wait_for(|stop| *stop) => return Ok(Waited::Left { by_signal: true }),
                () = sleep_until(until) => return Ok(Waited::Over),
                key = self.keyboard.next(), if !self.is_input_over => key?,
            };
            match key {
                Key::Interrupt => return Ok(Waited::Left { by_signal: true }),
                Key::End if self.keyboard.is_editor() => {
                    return Ok(Waited::Left { by_signal: false });
                }
                // Of a pipe there may be an answer still to hear.
                Key::End => self.is_input_over = true,
                Key::Line(line) => match wish(&line) {
                    Wish::Quit => return Ok(Waited::Left { by_signal: false }),
                    Wish::Nothing => {}
                    _ => self.show(&Event::Trouble(
                        "not connected, so this is not sent; say it again when the connection is back",
                    ))?,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        for attempt in 0..40 {
            let whole = FIRST
                .saturating_mul(2_u32.saturating_pow(attempt))
                .min(LONGEST);
            let pause = pause(attempt);
            assert!(whole / 2 <= pause && pause <= whole, "{attempt}: {pause:?}");
        }
        let some: std::collections::BTreeSet<Duration> = (0..20).map(|_| pause(5)).collect();
        assert!(some.len() > 1);
    }
}
