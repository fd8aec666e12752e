//! A signal in the middle: nothing more is begun, what is under way ends, and the next deploy goes on.

use msgai::apply::{Outcome, apply};
use msgai::report::record::Record;
use msgai::report::{Event, Reporter};
use tokio::sync::watch;

use super::{WHOLE, assert_up_to_date};
use crate::support::{Draft, Lab};

/// Gives the signal once so many changes are done.
struct Signal {
    after: usize,
    sender: watch::Sender<bool>,
    record: Record,
}

impl Reporter for Signal {
    fn begin(&mut self, _: usize) {}

    fn on(&mut self, event: &Event) {
        self.record.on(event);
        if matches!(event, Event::Finished { .. }) {
            self.after = self.after.saturating_sub(1);
            if self.after == 0 {
                self.sender.send_replace(true);
            }
        }
    }

    fn note(&mut self, _: &str) {}

    fn end(&mut self) {}
}

async fn stopped_after(changes: usize) {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    let draft = Draft::from(WHOLE);
    let plan = lab.plan(&draft).await;
    let (sender, stop) = watch::channel(false);
    let mut signal = Signal {
        after: changes,
        sender,
        record: Record::default(),
    };
    let applied = Box::pin(apply(&plan, &lab.cloud, &stop, &mut signal)).await;
    assert!(applied.stopped);
    assert!(applied.done() >= changes);
    assert_eq!(applied.failures().count(), 0);
    let events = &signal.record.events;
    let is_stop = |event: &Event| matches!(event, Event::Stopping { .. });
    let position = events.iter().position(is_stop).unwrap();
    let is_start = |event: &Event| matches!(event, Event::Started { .. });
    assert!(
        !events[position..].iter().any(is_start),
        "begun after the signal"
    );
    let begun = events.iter().filter(|event| is_start(event)).count();
    let done = |outcome: &Outcome| matches!(outcome, Outcome::Done { .. });
    assert_eq!(applied.outcomes.values().filter(|o| done(o)).count(), begun);
    lab.deploy(&draft).await;
    assert_up_to_date(&lab, &draft).await;
}

#[tokio::test]
async fn a_signal_begins_nothing_more_and_ends_what_is_under_way() {
    for changes in [1, 4, 9, 14] {
        stopped_after(changes).await;
    }
}
