//! Workers over a group in shards: everybody once, whatever happens to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::broadcast::Posted;
use crate::double::{Double, NOW, block_on, event};
use crate::send::Chat;

/// Sockets that have workers, whose events are kept until somebody runs them.
struct Office {
    double: Double,
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
    events: Vec<Job>,
    progress: BTreeMap<Part, (Progress, String)>,
    totals: BTreeMap<String, (BTreeSet<u16>, usize)>,
    /// The shards whose worker cannot be started.
    closed: BTreeSet<u16>,
    /// So many writes of receipts go well, then one fails: after it was carried out, or before.
    fails: Option<(usize, bool)>,
}

impl Office {
    fn new(shards: u16, members: usize) -> Self {
        let double = Double::new().with_shards(shards);
        double.connect("sender", "alice", Some("ward-3"));
        for n in 0..members {
            double.connect(&format!("c{n}"), &format!("u{n}"), Some("ward-3"));
        }
        let desk = Mutex::default();
        Self { double, desk }
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap()
    }

    /// A message of the sender's to the group; what the log says.
    fn send(&self) -> Record {
        let body = json!({"groupId": "ward-3", "message": "hi", "messageId": "m1"}).to_string();
        let chat = Chat {
            connections: &self.double,
            messages: &self.double,
            sockets: self,
        };
        let event = event("sendMessage", "sender", json!({"body": body}));
        block_on(chat.handle(&event, &call())).record
    }

    fn work(&self, job: &Job, call: &Call) -> Result<Record, Fault> {
        let worker = Worker {
            connections: &self.double,
            messages: &self.double,
            sockets: self,
            receipts: self,
            pace: &Pace::new(1_000_000),
        };
        let (record, done) = block_on(worker.handle(job, call));
        assert_eq!(done.is_err(), record.outcome == "failed");
        done.map(|()| record)
    }

    fn next_event(&self) -> Option<Job> {
        self.desk().events.pop()
    }

    /// How often a member got the message.
    fn copies(&self, id: &str) -> usize {
        let frames = self.double.frames(id);
        frames.iter().filter(|f| f["type"] == "message").count()
    }

    fn statuses(&self) -> Vec<serde_json::Value> {
        let mut frames = self.double.frames("sender");
        frames.retain(|frame| frame["type"] == "messageStatus");
        frames
            .into_iter()
            .map(|mut frame| frame["data"].take())
            .collect()
    }

    /// Carries a write of the receipts out, or loses it or its answer, as planned.
    fn write<T>(&self, write: impl FnOnce(&mut Desk) -> T) -> Result<T, Fault> {
        let mut desk = self.desk();
        let lost = || Fault::Unavailable("UpdateItem: the answer was lost".to_owned());
        match desk.fails.take() {
            Some((0, is_done)) => {
                if is_done {
                    write(&mut desk);
                }
                Err(lost())
            }
            Some((left, is_done)) => {
                desk.fails = Some((left - 1, is_done));
                Ok(write(&mut desk))
            }
            None => Ok(write(&mut desk)),
        }
    }
}

fn call() -> Call {
    Call::new(NOW, "fresh", Duration::from_secs(10))
}

impl Sockets for Office {
    async fn post(&self, connection_id: &str, frame: &[u8]) -> Result<Posted, Fault> {
        self.double.post(connection_id, frame).await
    }

    async fn try_post(&self, connection_id: &str, frame: &[u8]) -> Result<Option<Posted>, Fault> {
        self.double.try_post(connection_id, frame).await
    }

    fn has_workers(&self) -> bool {
        true
    }

    async fn hand_over(&self, job: &Job) -> Result<(), Fault> {
        let mut desk = self.desk();
        if desk.closed.contains(&job.shard) {
            return Err(Fault::Unavailable("Invoke: throttled".to_owned()));
        }
        // As it arrives: an event is JSON on its way.
        let event = serde_json::to_string(job).unwrap();
        desk.events.push(serde_json::from_str(&event).unwrap());
        Ok(())
    }
}

impl Receipts for Office {
    async fn progress(&self, part: &Part) -> Result<Progress, Fault> {
        let known = self.desk().progress.get(part).cloned();
        Ok(known.map(|(progress, _)| progress).unwrap_or_default())
    }

    async fn advance(
        &self,
        part: &Part,
        to: &Progress,
        by: &str,
        _expires: u64,
    ) -> Result<bool, Fault> {
        self.write(|desk| {
            let known = desk.progress.get(part).map_or(0, |(known, _)| known.step);
            let is_next = known + 1 == to.step;
            if is_next {
                desk.progress
                    .insert(part.clone(), (to.clone(), by.to_owned()));
            }
            is_next
        })
    }

    async fn close(&self, part: &Part, delivered: usize, _expires: u64) -> Result<Total, Fault> {
        self.write(|desk| {
            let total = desk.totals.entry(part.job.clone()).or_default();
            if total.0.insert(part.shard) {
                total.1 += delivered;
            }
            Total {
                parts: total.0.len(),
                delivered: total.1,
            }
        })
    }
}

#[test]
fn a_small_group_in_shards_is_served_by_the_call_itself() {
    let office = Office::new(4, 40);
    let record = office.send();
    assert_eq!((record.outcome, record.recipients), ("delivered", Some(41)));
    assert_eq!(office.next_event(), None);
    assert_eq!(office.statuses()[0]["recipients"], 41);
}

#[test]
fn a_big_group_is_served_by_workers_and_its_sender_hears_the_sum() {
    let office = Office::new(4, 1200);
    let record = office.send();
    assert_eq!((record.outcome, record.recipients), ("handedOver", Some(0)));
    assert_eq!(office.statuses()[0]["status"], "sent");
    assert_eq!(office.statuses()[0]["pending"], true);
    assert_eq!(office.double.items()[0]["status"], "sent");

    let mut outcomes = Vec::new();
    while let Some(job) = office.next_event() {
        assert_eq!(job.parts, 4);
        outcomes.push(office.work(&job, &call()).unwrap().outcome);
    }
    assert_eq!(outcomes, ["delivered"; 4]);
    assert!((0..1200).all(|n| office.copies(&format!("c{n}")) == 1));
    let statuses = office.statuses();
    assert_eq!(statuses.len(), 2, "{statuses:?}");
    assert_eq!(
        (&statuses[1]["status"], &statuses[1]["recipients"]),
        (&json!("delivered"), &json!(1201))
    );
    let item = &office.double.items()[0];
    assert_eq!(
        (&item["status"], &item["deliveredTo"]),
        (&json!("delivered"), &json!(1201))
    );

    // Sent again, it is told and not delivered again.
    assert_eq!(office.send().outcome, "duplicate");
    assert_eq!(office.next_event(), None);
}

/// As long as workers are at it, the same message again starts no others.
#[test]
fn a_message_that_workers_have_is_not_handed_over_again() {
    let office = Office::new(2, 1200);
    office.send();
    assert_eq!(office.desk().events.len(), 2);
    assert_eq!(office.send().outcome, "duplicate");
    assert_eq!(office.desk().events.len(), 2);
}

#[test]
fn a_worker_that_cannot_be_started_is_told_and_healed_by_sending_again() {
    let office = Office::new(3, 1200);
    office.desk().closed.insert(1);
    assert_eq!(office.send().outcome, "delivery");
    let frames = office.double.take_frames("sender");
    assert_eq!(frames[0]["data"]["code"], "delivery");
    office.desk().closed.clear();
    assert_eq!(office.send().outcome, "handedOver");
    while let Some(job) = office.next_event() {
        office.work(&job, &call()).unwrap();
    }
    assert!((0..1200).all(|n| office.copies(&format!("c{n}")) >= 1));
    assert_eq!(office.statuses().last().unwrap()["recipients"], 1201);
}

#[test]
fn a_worker_without_time_hands_over_and_there_is_an_end_to_that() {
    let office = Office::new(1, 1200);
    office.send();
    let late = Call::new(NOW, "late", Duration::ZERO);
    let mut hops = 0;
    while let Some(job) = office.next_event() {
        assert_eq!(job.hop, hops);
        hops += 1;
        let record = office.work(&job, &late).unwrap();
        let is_last = job.hop == HOPS;
        assert_eq!(
            record.outcome,
            if is_last { "unfinished" } else { "handedOver" }
        );
        assert_eq!(record.error.is_some(), is_last);
    }
    assert_eq!(hops, HOPS + 1);
}

/// Not one post succeeds: that is the worker's trouble, and Lambda is to try again.
#[test]
fn a_page_that_nobody_takes_is_not_done() {
    let office = Office::new(1, 1200);
    office.send();
    let job = office.next_event().unwrap();
    for n in 0..1200 {
        office.double.fail_posts_to(&format!("c{n}"));
    }
    office.double.fail_posts_to("sender");
    let fault = office.work(&job, &call()).unwrap_err();
    assert!(fault.to_string().contains("PostToConnection"), "{fault}");
    assert_eq!(office.desk().progress, BTreeMap::new());
}

#[test]
fn a_page_takes_an_eighth_of_the_time() {
    let size = |rate, seconds| page_size(&Pace::new(rate), Duration::from_secs(seconds));
    assert_eq!(size(500, 10), 625);
    assert_eq!(size(500, 60), 1000);
    assert_eq!(size(10, 3), 25);
}

#[derive(Debug, Clone)]
enum Trouble {
    /// The same event once more, after it was served.
    Repeat,
    /// The worker dies at one of its writes, before it or after it, and its event comes again.
    Dies(usize, bool),
    /// The worker has no time left.
    Late,
}

fn troubles() -> impl Strategy<Value = Vec<Option<Trouble>>> {
    let trouble = prop_oneof![
        Just(Trouble::Repeat),
        (0..4_usize, any::<bool>()).prop_map(|(after, is_done)| Trouble::Dies(after, is_done)),
        Just(Trouble::Late),
    ];
    proptest::collection::vec(proptest::option::of(trouble), 0..12)
}

#[test]
fn a_worker_without_the_time_to_tell_the_sender_leaves_it_to_the_next() {
    let office = Office::new(1, 1000);
    office.send();
    let job = office.next_event().unwrap();
    // The last page is written down, and then the worker dies.
    office.desk().fails = Some((1, false));
    office.work(&job, &call()).unwrap_err();
    let late = Call::new(NOW, "late", Duration::ZERO);
    assert_eq!(office.work(&job, &late).unwrap().outcome, "handedOver");
    assert_eq!(office.statuses().len(), 1);
    let next = office.next_event().unwrap();
    office.work(&next, &call()).unwrap();
    assert_eq!(office.statuses()[1]["recipients"], 1001);
}

/// Workers may be done before whoever called them has said that they are at it.
#[test]
fn what_workers_bring_to_nobody_may_be_sent_again_at_once() {
    for is_early in [false, true] {
        let office = Office::new(2, 1200);
        assert_eq!(office.send().outcome, "handedOver");
        (0..1200).for_each(|n| office.double.vanish(&format!("c{n}")));
        office.double.vanish("sender");
        while let Some(job) = office.next_event() {
            if is_early {
                let back = Change::Claim {
                    seen: job.about.claim,
                    until: call().ends_at(),
                };
                block_on(office.double.change(&job.about.key, &back)).unwrap();
            }
            office.work(&job, &call()).unwrap();
        }
        assert_eq!(office.double.items()[0]["claimedUntil"], 0, "{is_early}");
    }
}

/// In a big group somebody is always just connecting.
#[test]
fn who_is_still_connecting_keeps_its_row() {
    let office = Office::new(1, 1001);
    office.double.begin("opening", "zoe", Some("ward-3"));
    office.double.vanish("c7");
    office.send();
    while let Some(job) = office.next_event() {
        office.work(&job, &call()).unwrap();
    }
    assert!(office.double.has_row("opening"));
    assert!(!office.double.has_row("c7"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    /// Every live member gets the message over any number of shards, members, hops, repeats and failures; nobody twice
    /// but for one page each time that a worker dies between posting and writing it down.
    #[test]
    fn every_live_member_is_served(
        shards in 1..9_u16,
        members in 1000..2500_usize,
        gone in proptest::collection::btree_set(0..1000_usize, 0..40),
        expired in proptest::collection::btree_set(0..1000_usize, 0..40),
        troubles in troubles(),
    ) {
        let office = Office::new(shards, members);
        for n in &expired {
            office.double.expire(&format!("c{n}"));
        }
        for n in &gone {
            office.double.vanish(&format!("c{n}"));
        }
        let record = office.send();
        prop_assert_eq!(record.outcome, "handedOver");
        let mut troubles = troubles.into_iter();
        let mut deaths = 0;
        while let Some(job) = office.next_event() {
            match troubles.next().flatten() {
                None => drop(office.work(&job, &call()).unwrap()),
                Some(Trouble::Repeat) => {
                    office.work(&job, &call()).unwrap();
                    prop_assert_eq!(office.work(&job, &call()).unwrap().outcome, "repeated");
                }
                Some(Trouble::Dies(after, is_done)) => {
                    office.desk().fails = Some((after, is_done));
                    if office.work(&job, &call()).is_err() {
                        deaths += usize::from(!is_done);
                        office.desk().events.push(job);
                    }
                    office.desk().fails = None;
                }
                Some(Trouble::Late) => {
                    let late = Call::new(NOW, "late", Duration::ZERO);
                    office.work(&job, &late).unwrap();
                }
            }
        }
        let is_live = |n: &usize| !expired.contains(n) && !gone.contains(n);
        let mut again = 0;
        for n in (0..members).filter(is_live) {
            let copies = office.copies(&format!("c{n}"));
            prop_assert!(copies >= 1, "c{} got nothing", n);
            again += copies - 1;
        }
        prop_assert!(again <= deaths * PAGE.end(), "{again} too many after {deaths} deaths");
        for n in &expired {
            prop_assert_eq!(office.copies(&format!("c{n}")), 0);
        }
        for n in gone.difference(&expired) {
            let id = format!("c{n}");
            prop_assert!(!office.double.has_row(&id));
            prop_assert!(office.double.posts_after_close(&id) <= 1 + deaths);
        }
        let served = (0..members).filter(is_live).count() + 1;
        let statuses = office.statuses();
        prop_assert_eq!(&statuses[0]["pending"], &json!(true));
        prop_assert!((2..=14).contains(&statuses.len()));
        prop_assert!(statuses[1..].iter().all(|s| s["recipients"] == served), "{statuses:?}");
    }
}
