//! What was sent, what arrived, and when.
//!
//! Times count from when a message was due, and not only from when it left: a sender that is held up sends late, and who
//! counts from then never sees the wait ("coordinated omission"). Both are told.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::plan::{Crowd, Plan};

/// Whatever takes longer counts as this.
const LONGEST: Duration = Duration::from_mins(10);

/// Times, in microseconds.
#[derive(Debug, Clone)]
pub struct Times(pub(super) Histogram<u64>);

impl Times {
    pub(super) fn new() -> Self {
        let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
        match Histogram::new_with_bounds(1, longest, 3) {
            Ok(times) => Self(times),
            Err(error) => unreachable!("these bounds are fixed: {error}"),
        }
    }

    pub(super) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In milliseconds, at this quantile; 1 is the largest.
    pub fn at(&self, quantile: f64) -> f64 {
        let micros = self.0.value_at_quantile(quantile);
        Duration::from_micros(micros.min(self.0.max())).as_secs_f64() * 1000.0
    }

    fn json(&self) -> Value {
        if self.is_empty() {
            return Value::Null;
        }
        json!({"p50": self.at(0.5), "p95": self.at(0.95), "p99": self.at(0.99), "max": self.at(1.0)})
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    pub clients: usize,
    /// Why clients did not come in, and how many.
    pub shut_out: BTreeMap<String, u64>,
    pub handshakes: Times,
    pub connecting: Duration,
    /// Of those that count.
    pub sent: u64,
    /// From the first that counts to the last.
    pub sending: Duration,
    pub expected: u64,
    pub received: u64,
    pub twice: u64,
    pub out_of_order: u64,
    /// From when each was due.
    pub due: Times,
    /// From when each left.
    pub left: Times,
    /// What the server refused, by its code, and connections that were cut.
    pub errors: BTreeMap<String, u64>,
    pub stopped: bool,
}

impl Report {
    pub fn dropped(&self) -> u64 {
        self.expected - self.received
    }

    /// Everybody came in, and everything arrived.
    pub fn is_clean(&self) -> bool {
        self.shut_out.is_empty() && self.errors.is_empty() && self.dropped() == 0
    }

    pub fn json(&self) -> Value {
        let seconds = |time: Duration| time.as_secs_f64();
        json!({
            "clients": self.clients,
            "connect": {
                "seconds": seconds(self.connecting),
                "per_second": per_second(self.clients as u64, self.connecting),
                "ms": self.handshakes.json(),
                "refused": self.shut_out,
            },
            "messages": {
                "sent": self.sent,
                "seconds": seconds(self.sending),
                "per_second": per_second(self.sent, self.sending),
                "expected": self.expected,
                "received": self.received,
                "dropped": self.dropped(),
                "twice": self.twice,
                "out_of_order": self.out_of_order,
            },
            "latency_ms": self.due.json(),
            "since_sent_ms": self.left.json(),
            "histogram": self.due.bars().iter().map(|bar| json!({"to_ms": bar.to, "count": bar.count})).collect::<Vec<_>>(),
            "errors": self.errors,
            "stopped": self.stopped,
        })
    }
}

/// Of so many things in this time; one alone has no rate.
#[expect(clippy::cast_precision_loss, reason = "no run has 2^52 messages")]
pub(super) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() {
        0.0
    } else {
        count as f64 / time.as_secs_f64()
    }
}

/// The running account.
#[derive(Debug)]
pub struct Tally<'a> {
    plan: &'a Plan,
    crowd: &'a Crowd,
    /// When each message left.
    left: Vec<Option<Duration>>,
    /// Who has heard a message, by the hearer's place among its hearers.
    heard: Vec<Vec<bool>>,
    /// Of each sender's, the last message that a hearer has heard.
    last: BTreeMap<(usize, usize), usize>,
    /// Messages that have not left yet, and will.
    unsent: usize,
    /// How often what has left is still to be heard.
    unheard: i64,
    report: Report,
}

impl<'a> Tally<'a> {
    pub fn new(plan: &'a Plan, crowd: &'a Crowd, report: Report) -> Self {
        let hearers = |message| crowd.hearers(crowd.sender(message)).len();
        Self {
            plan,
            crowd,
            left: vec![None; plan.all()],
            heard: (0..plan.all())
                .map(|message| vec![false; hearers(message)])
                .collect(),
            last: BTreeMap::new(),
            unsent: plan.all(),
            unheard: 0,
            report,
        }
    }

    /// A message left, at this time since the beginning.
    pub(super) fn sent(&mut self, message: usize, at: Duration) {
        self.left[message] = Some(at);
        self.unsent -= 1;
        self.unheard += i64::try_from(self.heard[message].len()).unwrap_or(i64::MAX);
        if self.plan.is_counted(message) {
            self.report.sent += 1;
            self.report.expected += self.heard[message].len() as u64;
            self.report.sending = at.saturating_sub(self.plan.due(self.plan.warm_up));
        }
    }

    /// A message that will not leave any more.
    pub(super) fn unsent(&mut self) {
        self.unsent -= 1;
    }

    /// A frame came to this client.
    pub(super) fn frame(&mut self, hearer: usize, text: &str, at: Duration) {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let data = &frame["data"];
        let id = data["messageId"].as_str().unwrap_or_default();
        match frame["type"].as_str() {
            Some("message") => {
                if let Some(message) = self.plan.message(id) {
                    self.arrived(hearer, message, at);
                }
            }
            Some("error") => self.error(data["code"].as_str().unwrap_or("error")),
            None if frame["connectionId"].is_string() => {
                let said = frame["message"].as_str().unwrap_or_default();
                self.error(&format!("API Gateway: {said}"));
            }
            _ => {}
        }
    }

    fn arrived(&mut self, hearer: usize, message: usize, at: Duration) {
        let sender = self.crowd.sender(message);
        let hearers = self.crowd.hearers(sender);
        let Some(place) = hearers.iter().position(|&one| one == hearer) else {
            return self.error("a message to somebody else");
        };
        let counts = self.plan.is_counted(message);
        if std::mem::replace(&mut self.heard[message][place], true) {
            self.report.twice += u64::from(counts);
            return;
        }
        self.unheard -= 1;
        let last = self.last.entry((hearer, sender)).or_insert(message);
        if *last > message {
            self.report.out_of_order += u64::from(counts);
        }
        *last = message.max(*last);
        if counts {
            self.report.received += 1;
            self.report
                .due
                .record(at.saturating_sub(self.plan.due(message)));
            if let Some(left) = self.left[message] {
                self.report.left.record(at.saturating_sub(left));
            }
        }
    }

    pub(super) fn error(&mut self, what: &str) {
        let what = super::super::plain(what);
        *self.report.errors.entry(what).or_default() += 1;
    }

    /// All that can leave has left, and all that has left has arrived, what only warms up included.
    pub(super) fn is_complete(&self) -> bool {
        self.unsent == 0 && self.unheard == 0
    }

    pub(super) fn received(&self) -> u64 {
        self.report.received
    }

    pub(super) fn report(self) -> Report {
        self.report
    }
}

impl Report {
    pub(super) fn empty() -> Self {
        Self {
            clients: 0,
            shut_out: BTreeMap::new(),
            handshakes: Times::new(),
            connecting: Duration::ZERO,
            sent: 0,
            sending: Duration::ZERO,
            expected: 0,
            received: 0,
            twice: 0,
            out_of_order: 0,
            due: Times::new(),
            left: Times::new(),
            errors: BTreeMap::new(),
            stopped: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::{crowd, plan};
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn message(number: usize) -> String {
        json!({"type": "message", "data": {"messageId": format!("bench-r7-{number}")}}).to_string()
    }

    #[test]
    fn lateness_of_the_sender_counts() {
        let (plan, crowd) = (plan(), crowd(&[None, None]));
        let mut tally = Tally::new(&plan, &crowd, Report::empty());
        // Due at 200 ms, it left at 700 and took 10 ms from there.
        tally.sent(2, at(700));
        tally.frame(1, &message(2), at(710));
        let report = tally.report();
        assert!((report.due.at(1.0) - 510.0).abs() < 1.0, "{report:?}");
        assert!((report.left.at(1.0) - 10.0).abs() < 0.1, "{report:?}");
    }

    #[test]
    fn losses_repeats_and_disorder_are_counted_and_the_warm_up_is_not() {
        let (plan, crowd) = (plan(), crowd(&[None, None]));
        let mut tally = Tally::new(&plan, &crowd, Report::empty());
        (0..6).for_each(|n| tally.sent(n, plan.due(n)));
        for (hearer, number) in [(1, 0), (1, 0), (1, 4), (1, 2), (0, 3), (0, 3)] {
            assert!(!tally.is_complete());
            tally.frame(hearer, &message(number), at(600));
        }
        tally.frame(1, &message(5), at(600));
        tally.frame(0, r#"{"type":"error","data":{"code":"storage"}}"#, at(600));
        tally.frame(0, r#"{"message":"Forbidden","connectionId":"c"}"#, at(600));
        let report = tally.report();
        assert_eq!((report.sent, report.expected, report.received), (4, 4, 3));
        assert_eq!(
            (report.dropped(), report.twice, report.out_of_order),
            (1, 1, 1)
        );
        let errors: Vec<(&str, u64)> = report
            .errors
            .iter()
            .map(|(what, count)| (what.as_str(), *count))
            .collect();
        assert_eq!(
            errors,
            [
                ("API Gateway: Forbidden", 1),
                ("a message to somebody else", 1),
                ("storage", 1)
            ]
        );
        assert!(!report.is_clean());
    }

    #[test]
    fn in_a_group_each_hearer_counts() {
        let (plan, crowd) = (plan(), crowd(&[Some("a"), Some("a"), Some("a")]));
        let mut tally = Tally::new(&plan, &crowd, Report::empty());
        (0..5).for_each(|_| tally.unsent());
        tally.sent(3, plan.due(3));
        for hearer in [0, 1, 2] {
            assert!(!tally.is_complete());
            tally.frame(hearer, &message(3), at(400));
        }
        assert!(tally.is_complete());
        let report = tally.report();
        assert_eq!((report.sent, report.expected, report.received), (1, 3, 3));
        assert!(report.is_clean());
    }
}
