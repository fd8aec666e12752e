//! Waiting, and the only place that sleeps: pauses between retries, and polling until a condition holds.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
// The clock that pauses go by, also where a test turns it.
use tokio::time::Instant;

use super::{Cloud, CloudError, Fault};

/// How long a call is repeated, fault by fault (the retry table of `docs/deploy.md`).
#[derive(Default)]
pub(crate) struct Patience {
    current: Option<(Fault, Instant, ExponentialBackoff)>,
}

impl Patience {
    /// The pause before the next try; `None` when this fault does not pass or has been waited for long enough.
    pub(crate) fn after(&mut self, fault: Fault) -> Option<Duration> {
        let (least, most, budget) = schedule(fault)?;
        let stale = self
            .current
            .as_ref()
            .is_none_or(|(known, ..)| *known != fault);
        if stale {
            let pauses = ExponentialBuilder::default()
                .with_min_delay(least)
                .with_max_delay(most)
                .with_factor(1.6)
                .with_jitter()
                .without_max_times()
                .build();
            self.current = Some((fault, Instant::now(), pauses));
        }
        let (_, since, pauses) = self.current.as_mut()?;
        // backon's jitter adds up to one more `least`; the cap keeps a pause within what the table says.
        let pause = pauses.next()?.min(most);
        (since.elapsed() + pause <= budget).then_some(pause)
    }
}

/// Shortest and longest pause, and the budget, for faults that pass by themselves.
fn schedule(fault: Fault) -> Option<(Duration, Duration, Duration)> {
    let ms = Duration::from_millis;
    let s = Duration::from_secs;
    match fault {
        Fault::Throttled => Some((ms(300), s(20), s(300))),
        Fault::Busy => Some((ms(200), s(3), s(300))),
        Fault::NotReady => Some((ms(250), s(1), s(120))),
        // What used it has been removed, and that has to get about.
        Fault::InUse => Some((ms(500), s(3), s(30))),
        Fault::BusyTable => Some((ms(500), s(10), s(1800))),
        Fault::Ambiguous => Some((ms(200), s(5), s(60))),
        Fault::Unreachable => Some((ms(200), s(1), s(2))),
        Fault::NotFound
        | Fault::Exists
        | Fault::Denied
        | Fault::Credentials
        | Fault::Invalid
        | Fault::Later
        | Fault::Other => None,
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where the engine waits")]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// What came of it, or `None` when it took longer.
pub(crate) async fn within<T>(time: Duration, what: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(time, what).await.ok()
}

/// What a poll found.
pub(crate) enum Poll<T> {
    Ready(T),
    /// Not yet; the text says what is waited for.
    Wait(String),
}

/// Asks again and again, quickly at first, until `ask` is ready or `budget` has passed.
pub(crate) async fn until<T, F, A>(
    cloud: &Cloud,
    operation: &'static str,
    subject: &str,
    budget: Duration,
    ask: F,
) -> Result<T, CloudError>
where
    F: Fn() -> A,
    A: Future<Output = Result<Poll<T>, CloudError>>,
{
    let started = Instant::now();
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(120))
        .with_max_delay(Duration::from_secs(2))
        .with_factor(1.3)
        .without_max_times()
        .build();
    loop {
        let waiting_for = match ask().await? {
            Poll::Ready(value) => return Ok(value),
            Poll::Wait(what) => what,
        };
        if started.elapsed() >= budget {
            return Err(CloudError::patience(
                operation,
                subject,
                &waiting_for,
                budget,
            ));
        }
        cloud.tell(|| waiting_for);
        pause(pauses.next().unwrap_or(Duration::from_secs(2))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_does_not_pass_is_not_waited_for() {
        for fault in [
            Fault::NotFound,
            Fault::Exists,
            Fault::Denied,
            Fault::Invalid,
            Fault::Later,
        ] {
            assert_eq!(Patience::default().after(fault), None, "{fault:?}");
        }
    }

    #[test]
    fn the_table_in_the_documents_is_this_one() {
        let page = include_str!("../../docs/deploy.md");
        for fault in [
            Fault::NotFound,
            Fault::Exists,
            Fault::InUse,
            Fault::Busy,
            Fault::BusyTable,
            Fault::NotReady,
            Fault::Throttled,
            Fault::Denied,
            Fault::Credentials,
            Fault::Invalid,
            Fault::Later,
            Fault::Unreachable,
            Fault::Ambiguous,
            Fault::Other,
        ] {
            let start = format!("| {fault:?} |");
            let line = page.lines().find(|line| line.starts_with(&start));
            let said = line.map(|line| line.split(" | ").skip(2).collect::<Vec<_>>().join(" | "));
            let wanted = schedule(fault).map(|(least, most, budget)| {
                let (most, budget) = (most.as_secs(), budget.as_secs());
                format!("{} ms | {most} s | {budget} s |", least.as_millis())
            });
            assert_eq!(said, wanted, "{fault:?}");
        }
    }

    #[test]
    fn pauses_stay_within_their_bounds() {
        let mut patience = Patience::default();
        for _ in 0..20 {
            let pause = patience.after(Fault::Busy).expect("busy passes");
            assert!(pause >= Duration::from_millis(200) && pause <= Duration::from_secs(3));
        }
    }

    #[test]
    fn an_unreachable_endpoint_is_given_up_soon() {
        let mut patience = Patience::default();
        let mut total = Duration::ZERO;
        // The budget counts elapsed time, which does not pass here; each single pause must fit into it.
        for _ in 0..3 {
            total += patience
                .after(Fault::Unreachable)
                .expect("one or two more tries");
        }
        assert!(total <= Duration::from_secs(3));
    }
}
