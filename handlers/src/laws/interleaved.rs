//! Laws of a chat with timelines, under any interleaving of its handlers.
//!
//! Connections come and go, with and without a word; indexes lag; messages are sent again while they are being sent; calls
//! fail, lose their answers or kill the process. Then: nothing that was accepted is lost, nobody hears what is not for
//! them, nothing is pushed twice unless something failed, positions have no gap, and no status goes back.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::world::{LATER, World};
use crate::double::{Double, Fate};

pub(super) const USERS: [&str; 3] = ["alice", "bob", "eve"];
pub(super) const GROUPS: [&str; 2] = ["ward-3", "ward-4"];

#[derive(Debug, Clone)]
pub(super) enum Step {
    Connect {
        user: usize,
        group: Option<usize>,
    },
    /// The socket closes; whether `$disconnect` comes is another matter.
    Close {
        person: usize,
        is_told: bool,
    },
    Send {
        from: usize,
        to: To,
    },
    /// A message of before, from any connection of its sender.
    Again(usize),
    CatchUp {
        person: usize,
        group: Option<usize>,
        limit: usize,
    },
    Read {
        person: usize,
        message: usize,
    },
    /// The indexes show what the table has.
    Settle,
    Doom {
        nth: usize,
        fate: Fate,
    },
    /// Everything ends, and claims run out.
    Later,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum To {
    User(usize),
    All,
    Group(usize),
}

fn step(faults: u32) -> impl Strategy<Value = Step> {
    let group = proptest::option::weighted(0.7, 0..GROUPS.len());
    let to = prop_oneof![
        3 => (0..USERS.len()).prop_map(To::User),
        2 => Just(To::All),
        3 => (0..GROUPS.len()).prop_map(To::Group),
    ];
    let fate = prop_oneof![
        Just(Fate::Fails),
        Just(Fate::IsLost),
        Just(Fate::DiesBefore),
        Just(Fate::DiesAfter),
    ];
    prop_oneof![
        5 => (0..USERS.len(), group).prop_map(|(user, group)| Step::Connect { user, group }),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(person, is_told)| Step::Close { person, is_told }),
        8 => (any::<usize>(), to).prop_map(|(from, to)| Step::Send { from, to }),
        5 => any::<usize>().prop_map(Step::Again),
        4 => (any::<usize>(), proptest::option::of(0..GROUPS.len()), 1..4_usize)
            .prop_map(|(person, group, limit)| Step::CatchUp { person, group, limit }),
        3 => (any::<usize>(), any::<usize>()).prop_map(|(person, message)| Step::Read { person, message }),
        4 => Just(Step::Settle),
        1 => Just(Step::Later),
        faults => (1..12_usize, fate).prop_map(|(nth, fate)| Step::Doom { nth, fate }),
    ]
}

/// Steps, each with the choice of who goes on after it.
fn history(faults: u32) -> impl Strategy<Value = Vec<(Step, Vec<u8>)>> {
    let choices = proptest::collection::vec(any::<u8>(), 0..40);
    proptest::collection::vec((step(faults), choices), 1..40)
}

fn run(steps: &[(Step, Vec<u8>)]) -> BTreeSet<&'static str> {
    let double = Double::with_timeline(1);
    let mut world = World::new(&double);
    world.everybody_is_there();
    for (step, choices) in steps {
        world.play(step);
        for choice in choices {
            world.step(usize::from(*choice));
        }
    }
    world.finish();
    world.check_no_leak();
    world.check_timelines();
    if !world.is_doomed {
        world.check_no_duplicate();
        world.check_nothing_missed_after_the_end();
    }
    // What was accepted so far is there, whatever becomes of the rest.
    double.heal();
    let accepted = world.accepted();
    world.everybody_catches_up();
    world.check_no_loss(&accepted);
    // And the rest is as soon as its sender tries again.
    world.now += LATER;
    let stored = double.items().len();
    for n in 0..world.sent.len() {
        world.again(n);
        world.finish();
    }
    world.everybody_catches_up();
    let all = (0..world.sent.len()).map(|n| format!("m{n}"));
    let mine = |n: usize| {
        double
            .items()
            .iter()
            .any(|item| item["messageId"] == format!("m{n}"))
    };
    let accepted: BTreeSet<_> = all
        .enumerate()
        .filter(|(n, _)| mine(*n))
        .map(|(_, id)| id)
        .collect();
    assert!(accepted.len() >= stored);
    world.check_no_loss(&accepted);
    world.check_no_leak();
    world.check_timelines();
    world.outcomes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_told_to_others(steps in history(0)) {
        run(&steps);
    }

    #[test]
    fn nothing_is_lost_or_told_to_others_when_calls_fail_and_processes_die(steps in history(6)) {
        run(&steps);
    }
}

/// The laws are worth something only if their histories get everywhere.
#[test]
fn the_histories_reach_every_outcome() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..48 {
        let steps = history(6).new_tree(&mut runner).unwrap().current();
        reached.extend(run(&steps));
    }
    let all = [
        "connected",
        "delivered",
        "delivery",
        "died",
        "disconnected",
        "duplicate",
        "forbidden",
        "gone",
        "notConnected",
        "notFound",
        "read",
        "replayed",
        "sent",
        "storage",
    ];
    assert_eq!(reached, BTreeSet::from(all));
}
