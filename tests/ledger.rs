//! One run at a time: the lock, its holder's death, and what is written down.
//!
//! The cloud is in this process and as slow as AWS; the runtime's clock is paused, so that every wait is free.

#![expect(clippy::unwrap_used, reason = "tests fail where they stand")]
#![expect(
    clippy::disallowed_methods,
    reason = "the clock is paused, so that sleeping only says when"
)]

mod support;

use std::cell::RefCell;
use std::time::Duration;

use futures_util::future::join_all;
use msgai::cloud::Cloud;
use msgai::ledger::{Claim, Holder, LEASE, Lease, Ledger, Lost, Record, Seen, TABLE, Tried};
use msgai::local::Realism;
use msgai::names::StackId;
use support::held::{Ended, claim, run_held};
use support::line::Line;
use support::{Draft, End, Lab, Wanted, assert_complete, cloud_over};
use tokio::time::{Instant, sleep};

const STACK: &str = "
name: small
tables:
  connections: { key: connectionId }
functions:
  talk: { source: ., runtime: provided.al2023, uses: { tables.connections: [write] } }
api: { stage: live, routes: { say: talk } }
";

const PATIENCE: Duration = Duration::from_secs(90);

fn wanted(lab: &Lab, memory: u32) -> Wanted {
    let text = STACK.replace("source: .,", &format!("source: ., memory: {memory},"));
    lab.wanted(&Draft::from(text.as_str()))
}

fn stack() -> StackId {
    StackId::new("small", "")
}

async fn another(lab: &Lab) -> Cloud {
    cloud_over(&Line::to(lab.within())).await
}

async fn ledger(lab: &Lab) -> Ledger {
    Ledger::new(&another(lab).await, &stack())
}

async fn taken(ledger: &Ledger, claim: &Claim) -> Lease {
    let seen = ledger.look().await.unwrap();
    match ledger.take(claim, Some(&seen), None).await.unwrap() {
        Tried::Taken(lease) => *lease,
        Tried::Held(holder) => panic!("{} has it", holder.claim.who),
    }
}

async fn held_by(ledger: &Ledger, claim: &Claim) -> Holder {
    let seen = ledger.look().await.unwrap();
    match ledger.take(claim, Some(&seen), None).await.unwrap() {
        Tried::Taken(_) => panic!("it was free"),
        Tried::Held(holder) => holder,
    }
}

/// Takes the lock and lets it go, so that there is a table.
async fn begin(lab: &Lab) -> Ledger {
    let ledger = ledger(lab).await;
    let lease = taken(&ledger, &claim("first")).await;
    assert!(lease.release(None).await.unwrap());
    ledger
}

#[tokio::test(start_paused = true)]
async fn making_the_table_is_the_first_lock() {
    let lab = Lab::inside(Realism::AWS).await;
    let (one, two) = (ledger(&lab).await, ledger(&lab).await);
    let (alice, bob) = (claim("alice"), claim("bob"));
    let nothing = Seen::NoLedger;
    assert_eq!(one.look().await.unwrap(), nothing);
    let tried = one.take(&alice, Some(&nothing), None).await.unwrap();
    let Tried::Taken(lease) = tried else {
        panic!("nobody else is there");
    };
    assert!(lease.undisturbed, "nobody can have been there before");
    // Bob has seen no table either, makes none, and waits until it can be used; alice's lock is not in it yet.
    let tried = two.take(&bob, Some(&nothing), None).await.unwrap();
    let Tried::Held(holder) = tried else {
        panic!("two have the lock");
    };
    assert_eq!(holder.claim.run, alice.run);
    assert!(lease.release(None).await.unwrap());
    let Ok(lease) = two.wait(&bob, holder, PATIENCE, |_| {}).await.unwrap() else {
        panic!("the lock was let go");
    };
    assert_eq!(lease.next_release(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_maker_that_dies_leaves_a_lock_that_runs_out() {
    let lab = Lab::inside(Realism::AWS).await;
    let (one, two) = (ledger(&lab).await, ledger(&lab).await);
    drop(taken(&one, &claim("alice")).await);
    let bob = claim("bob");
    let holder = held_by(&two, &bob).await;
    let begun = Instant::now();
    assert!(
        two.wait(&bob, holder, PATIENCE, |_| {})
            .await
            .unwrap()
            .is_ok()
    );
    assert!(begun.elapsed() >= LEASE, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_dead_holders_lock_is_taken_over_once_it_has_run_out() {
    let lab = Lab::inside(Realism::AWS).await;
    let ledger = begin(&lab).await;
    let (alice, bob) = (claim("alice"), claim("bob"));
    drop(taken(&ledger, &alice).await);
    let holder = held_by(&ledger, &bob).await;
    assert_eq!(holder.claim, alice);
    let begun = Instant::now();
    let waited = ledger.wait(&bob, holder, PATIENCE, |_| {}).await.unwrap();
    let Ok(lease) = waited else {
        panic!("a dead holder was waited for in vain");
    };
    let waited = begun.elapsed();
    assert!(waited >= LEASE && waited < LEASE * 2, "{waited:?}");
    assert!(!lease.undisturbed);
    lease.release(Some(Record::of(&bob, "done"))).await.unwrap();
    let history = ledger.history(10).await.unwrap();
    let told: Vec<(&str, &str)> = history
        .iter()
        .map(|run| (run.who.as_str(), run.outcome.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (bob.who.as_str(), "done"),
            (alice.who.as_str(), "abandoned"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_works_keeps_the_lock_for_as_long_as_it_takes() {
    let lab = Lab::inside(Realism::AWS).await;
    let ledger = begin(&lab).await;
    let (alice, bob) = (claim("alice"), claim("bob"));
    let mut lease = taken(&ledger, &alice).await;
    let holder = held_by(&ledger, &bob).await;
    let begun = Instant::now();
    let long = LEASE * 20;
    let waited = tokio::select! {
        lost = lease.keep() => panic!("lost: {lost:?}"),
        waited = ledger.wait(&bob, holder, long, |_| {}) => waited.unwrap(),
    };
    let Err(holder) = waited else {
        panic!("two have the lock");
    };
    assert_eq!(holder.claim, alice);
    assert!(begun.elapsed() >= long);
    assert!(
        lease.release(None).await.unwrap(),
        "it was alice's all along"
    );
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_slept_goes_on_where_nobody_came_meanwhile() {
    let lab = Lab::inside(Realism::AWS).await;
    let ledger = begin(&lab).await;
    let mut lease = taken(&ledger, &claim("alice")).await;
    sleep(LEASE * 10).await;
    tokio::select! {
        lost = lease.keep() => panic!("lost: {lost:?}"),
        () = sleep(LEASE * 2) => {}
    }
    assert!(lease.release(None).await.unwrap());
    // And not where somebody did.
    let mut lease = taken(&ledger, &claim("alice")).await;
    sleep(LEASE * 10).await;
    let bob = claim("bob");
    let holder = held_by(&ledger, &bob).await;
    let bobs = ledger.wait(&bob, holder, PATIENCE, |_| {}).await.unwrap();
    assert!(bobs.is_ok());
    assert_eq!(lease.keep().await, Lost::Broken);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_want_to_wait_is_told_at_once() {
    let lab = Lab::inside(Realism::AWS).await;
    let ledger = begin(&lab).await;
    let _lease = taken(&ledger, &claim("alice")).await;
    let bob = claim("bob");
    let holder = held_by(&ledger, &bob).await;
    let begun = Instant::now();
    let waited = ledger.wait(&bob, holder, Duration::ZERO, |_| {}).await;
    assert!(waited.unwrap().is_err());
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_broken_lock_is_noticed_and_written_down() {
    let lab = Lab::inside(Realism::AWS).await;
    let ledger = begin(&lab).await;
    let (alice, bob) = (claim("alice"), claim("bob"));
    let mut lease = taken(&ledger, &alice).await;
    let holder = held_by(&ledger, &bob).await;
    let record = Record::of(&bob, "done");
    assert!(ledger.break_lock(&holder, &record).await.unwrap());
    assert!(!ledger.break_lock(&holder, &record).await.unwrap(), "twice");
    assert_eq!(lease.keep().await, Lost::Broken);
    let mut record = Record::of(&alice, "partly");
    record.release = Some(lease.next_release());
    assert!(!lease.release(Some(record)).await.unwrap());
    let history = ledger.history(10).await.unwrap();
    let alices = history.iter().find(|run| run.who == alice.who).unwrap();
    assert_eq!(alices.release, None, "a number may be another's by now");
    let Seen::Lock(lock) = ledger.look().await.unwrap() else {
        panic!("there is a lock");
    };
    assert_eq!((lock.release, lock.holder), (0, None));
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_before_another_run_is_not_believed() {
    let lab = Lab::inside(Realism::AWS).await;
    let ledger = begin(&lab).await;
    let before = ledger.look().await.unwrap();
    taken(&ledger, &claim("alice"))
        .await
        .release(None)
        .await
        .unwrap();
    let bob = claim("bob");
    let tried = ledger.take(&bob, Some(&before), None).await.unwrap();
    let Tried::Taken(lease) = tried else {
        panic!("it is free");
    };
    assert!(!lease.undisturbed, "alice has been there since");
    lease.release(None).await.unwrap();
    assert!(taken(&ledger, &bob).await.undisturbed);
}

/// Deletes the table, and waits until it is gone.
async fn lose(lab: &Lab) {
    let dynamodb = &lab.sdk.dynamodb;
    dynamodb
        .delete_table()
        .table_name(TABLE)
        .send()
        .await
        .unwrap();
    sleep(Duration::from_mins(1)).await;
}

#[tokio::test(start_paused = true)]
async fn losing_the_ledger_loses_the_lock_and_the_history_and_nothing_else() {
    let lab = Lab::inside(Realism::AWS).await;
    let cloud = another(&lab).await;
    let run = async |memory| {
        let claim = claim("alice");
        let wanted = wanted(&lab, memory);
        let ended = run_held(
            &lab,
            &cloud,
            &wanted,
            End::Deployed,
            &claim,
            PATIENCE,
            &|_, _| {},
        );
        let ended = ended.await;
        match ended.unwrap() {
            Ended::Applied {
                plan,
                applied,
                release,
                held,
            } => {
                assert_complete(&applied);
                (plan, release, held)
            }
            Ended::Locked(holder) => panic!("{holder:?}"),
        }
    };
    let (plan, release, held) = run(128).await;
    assert!(!plan.is_empty() && release == Some(1) && held);
    lose(&lab).await;
    let ledger = ledger(&lab).await;
    assert_eq!(ledger.history(5).await.unwrap(), []);
    let (plan, ..) = run(128).await;
    assert!(plan.is_empty(), "the stack is as it was");
    let (_, release, _) = run(256).await;
    assert_eq!(release, Some(1), "it counts anew");
    // While somebody holds it, too.
    let lease = taken(&ledger, &claim("bob")).await;
    lose(&lab).await;
    let record = Record::of(lease.claim(), "done");
    assert!(!lease.release(Some(record)).await.unwrap());
    let (plan, ..) = run(256).await;
    assert!(plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_loses_its_lock_begins_nothing_more() {
    let lab = Lab::inside(Realism::AWS).await;
    let ledger = begin(&lab).await;
    let cloud = another(&lab).await;
    let (alice, bob) = (claim("alice"), claim("bob"));
    let wanted = wanted(&lab, 128);
    let run = |claim| {
        run_held(
            &lab,
            &cloud,
            &wanted,
            End::Deployed,
            claim,
            PATIENCE,
            &|_, _| {},
        )
    };
    let alices = Box::pin(run(&alice));
    let breaking = async {
        // The new role is not known everywhere yet, so there is something left to begin.
        sleep(Duration::from_secs(2)).await;
        let holder = held_by(&ledger, &bob).await;
        ledger.break_lock(&holder, &Record::of(&bob, "done")).await
    };
    let (ended, broken) = futures_util::join!(alices, breaking);
    assert!(broken.unwrap());
    let Ended::Applied {
        applied,
        release,
        held,
        ..
    } = ended.unwrap()
    else {
        panic!("alice had the lock");
    };
    assert!(applied.stopped && !applied.is_complete() && !held);
    assert_eq!(release, None);
    let ended = run(&bob).await;
    assert!(matches!(ended.unwrap(), Ended::Applied { held: true, .. }));
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

/// So many deploys of different files begin at random moments, and some of them die.
async fn compete(writers: u64, seed: u64) {
    let lab = Lab::inside(Realism::AWS).await;
    let mut dice = Dice(seed);
    let inside: RefCell<Vec<String>> = RefCell::default();
    let order: RefCell<Vec<u32>> = RefCell::default();
    let releases: RefCell<Vec<u64>> = RefCell::default();
    let (lab, inside, order, releases) = (&lab, &inside, &order, &releases);
    let runs = (0..writers).map(|n| {
        let delay = Duration::from_millis(dice.roll(20_000));
        let death = (dice.roll(4) == 0).then(|| Duration::from_millis(dice.roll(15_000)));
        async move {
            sleep(delay).await;
            let memory = 128 + u32::try_from(n).unwrap() * 64;
            let cloud = another(lab).await;
            let claim = claim(&format!("writer-{n}"));
            let entered = |claim: &Claim, enters: bool| {
                let mut inside = inside.borrow_mut();
                if enters {
                    assert!(inside.is_empty(), "{n} is not alone: {inside:?}");
                    inside.push(claim.run.clone());
                    order.borrow_mut().push(memory);
                } else {
                    inside.retain(|run| *run != claim.run);
                }
            };
            let wanted = wanted(lab, memory);
            let patience = Duration::from_hours(1);
            let running = run_held(
                lab,
                &cloud,
                &wanted,
                End::Deployed,
                &claim,
                patience,
                &entered,
            );
            let ended = match death {
                None => Some(Box::pin(running).await),
                Some(death) => tokio::time::timeout(death, Box::pin(running)).await.ok(),
            };
            let Some(ended) = ended else {
                // Its lock outlives it; nobody may enter before that has run out.
                sleep(LEASE.saturating_sub(Duration::from_secs(11))).await;
                inside.borrow_mut().retain(|run| *run != claim.run);
                return;
            };
            let Ended::Applied {
                applied,
                release,
                held,
                ..
            } = ended.unwrap()
            else {
                panic!("an hour is long enough");
            };
            assert_complete(&applied);
            assert!(held, "somebody took the lock of {n}");
            releases.borrow_mut().extend(release);
        }
    });
    join_all(runs).await;
    let numbers = releases.borrow().clone();
    let counted: Vec<u64> = (1..).take(numbers.len()).collect();
    assert_eq!(numbers, counted, "every release has its number, in order");
    let last = *order.borrow().last().unwrap();
    let claim = claim("last");
    let cloud = another(lab).await;
    let wanted = wanted(lab, last);
    let ended = run_held(
        lab,
        &cloud,
        &wanted,
        End::Deployed,
        &claim,
        PATIENCE,
        &|_, _| {},
    )
    .await;
    let Ended::Applied { plan, applied, .. } = ended.unwrap() else {
        panic!("nobody else is there");
    };
    assert_complete(&applied);
    // Unless the last was one that died, it left nothing to do.
    let all_lived = u64::try_from(numbers.len()).unwrap() == writers;
    assert!(!all_lived || plan.is_empty(), "{} left", plan.changes.len());
    let again = lab.pursue(&cloud, &wanted, End::Deployed).await.unwrap();
    assert!(again.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn deploys_of_one_stack_never_interleave() {
    for writers in 2..=8 {
        for seed in 0..3 {
            compete(writers, seed * 100 + writers).await;
        }
    }
}
