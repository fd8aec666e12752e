//! A cloud as slow and as grudging as AWS, on a clock that turns when the engine says that it waits.

use std::collections::BTreeSet;
use std::time::Duration;

use msgai::local::Realism;
use msgai::local::clock::Clock;
use msgai::report::{Event, Reporter};
use tokio::time::{MissedTickBehavior, interval};

use super::{WHOLE, assert_up_to_date};
use crate::support::inventory::inventory;
use crate::support::{Draft, Lab, assert_complete, carry_out_before};

const START: Duration = Duration::from_hours(500_000);

/// As on AWS, but every wait is so long that no other wait's turn of the clock hides it.
pub(crate) const REALISM: Realism = Realism {
    role_propagation: LONG,
    function_pending: LONG,
    function_update: LONG,
    table_create_indexed: LONG,
    index_create: LONG,
    table_delete: LONG,
    ..Realism::AWS
};
const LONG: Duration = Duration::from_mins(1);

/// Turns the clock whenever the engine waits, and remembers for what.
pub(crate) struct Turner {
    clock: Clock,
    pub(crate) waits: Vec<String>,
    failed: Vec<String>,
}

impl Reporter for Turner {
    fn begin(&mut self, _: usize) {}

    fn on(&mut self, event: &Event) {
        match event {
            Event::Waiting { id, on } => {
                self.waits.push(format!("{id}: {on}"));
                self.clock.turn(Duration::from_secs(5));
            }
            Event::Failed { error, .. } => self.failed.push(error.clone()),
            _ => {}
        }
    }

    fn note(&mut self, _: &str) {}

    fn end(&mut self) {}
}

impl Turner {
    pub(crate) fn has_waited_for(&self, what: &str) {
        assert!(
            self.waits.iter().any(|wait| wait.contains(what)),
            "{what}: {:?}",
            self.waits
        );
    }
}

pub(crate) struct Slow {
    pub(crate) lab: Lab,
    pub(crate) clock: Clock,
}

impl Slow {
    pub(crate) async fn start() -> Self {
        Self::with(REALISM).await
    }

    pub(crate) async fn with(realism: Realism) -> Self {
        let clock = Clock::turned(START);
        let lab = Lab::start(realism, clock.clone()).await;
        Self { lab, clock }
    }

    /// Plans and applies. Calls that only take a while pass with the ticks; everything else turns the clock itself.
    pub(crate) async fn apply(&self, plan: msgai::plan::Plan) -> (msgai::apply::Applied, Turner) {
        let mut turner = self.turner();
        let applied = tokio::select! {
            applied = carry_out_before(&self.lab.cloud, &plan, &mut turner) => applied,
            () = self.tick() => unreachable!("it ticks for ever"),
        };
        (applied, turner)
    }

    fn turner(&self) -> Turner {
        Turner {
            clock: self.clock.clone(),
            waits: Vec::new(),
            failed: Vec::new(),
        }
    }

    async fn tick(&self) {
        let mut ticks = interval(Duration::from_millis(5));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.clock.turn(Duration::from_millis(20));
        }
    }

    /// A rest in which the rates of the services recover.
    async fn plan(&self, draft: &Draft) -> msgai::plan::Plan {
        self.clock.turn(Duration::from_mins(1));
        self.lab.plan(draft).await
    }

    pub(crate) async fn deploy(&self, draft: &Draft) -> Turner {
        let (applied, turner) = self.apply(self.plan(draft).await).await;
        assert_complete(&applied);
        self.clock.turn(Duration::from_mins(1));
        assert_up_to_date(&self.lab, draft).await;
        turner
    }
}

pub(crate) fn without_access_logs(text: &str) -> Draft {
    Draft::from(text.replace("  logs: { retention: 14d }\n", "").as_str())
}

#[tokio::test]
async fn a_first_deploy_waits_for_everything_that_aws_makes_wait() {
    let slow = Slow::start().await;
    let waits = slow.deploy(&without_access_logs(WHOLE)).await;
    waits.has_waited_for("cannot be assumed by Lambda");
    waits.has_waited_for("is Pending");
    waits.has_waited_for("table whole-connections is CREATING");
}

/// Every try that is refused has carried its whole zip.
#[tokio::test]
async fn one_function_tries_a_new_role_for_all() {
    let slow = Slow::start().await;
    let waits = slow.deploy(&without_access_logs(WHOLE)).await.waits;
    let refused = waits
        .iter()
        .filter(|wait| wait.contains("cannot be assumed"));
    let tried: BTreeSet<&str> = refused.filter_map(|wait| wait.split(':').next()).collect();
    assert_eq!(tried.len(), 1, "{tried:?}");
}

/// Writes that take their time, and nothing else that is slow.
const WRITES: Realism = Realism {
    write_conflicts: true,
    api_write: Duration::from_millis(500),
    ..Realism::INSTANT
};

#[tokio::test]
async fn writes_to_one_api_are_made_one_after_the_other() {
    let slow = Slow::with(WRITES).await;
    slow.lab.calls();
    slow.deploy(&without_access_logs(WHOLE)).await;
    let calls = slow.lab.calls();
    let overlap = calls.iter().find(|call| call.status == 409);
    assert!(overlap.is_none(), "{overlap:?}");
}

#[tokio::test]
async fn writes_that_meet_somebody_elses_are_tried_again() {
    let slow = Slow::with(WRITES).await;
    slow.deploy(&without_access_logs(WHOLE)).await;
    let apis = slow.lab.sdk.apigateway.get_apis().send().await.unwrap();
    let api = apis.items()[0].api_id().unwrap();
    let changed = WHOLE
        .replace("    say:", "    shout: gate\n    whisper: gate\n    say:")
        .replace("rate: 500", "rate: 400");
    let draft = without_access_logs(&changed);
    let plan = slow.plan(&draft).await;
    let somebody = async {
        let mut written = 0;
        while written < 3 {
            let update = slow.lab.sdk.apigateway.update_stage().api_id(api);
            let update = update
                .stage_name("production")
                .stage_variables("flavour", "plain");
            // Whose write is refused is a matter of luck; who asks without a pause comes in between, soon.
            written += usize::from(update.send().await.is_ok());
        }
        std::future::pending::<()>().await;
    };
    let (applied, waits) = tokio::select! {
        ended = slow.apply(plan) => ended,
        () = somebody => unreachable!("somebody never leaves"),
    };
    assert_complete(&applied);
    waits.has_waited_for("concurrent modification");
    slow.clock.turn(Duration::from_mins(1));
    assert_up_to_date(&slow.lab, &draft).await;
}

/// The clock stands still but for the engine's waits, so the second deployment comes too soon for sure.
#[tokio::test]
async fn a_deploy_that_comes_too_soon_is_throttled_and_got_over() {
    let realism = Realism {
        throttles: true,
        ..Realism::INSTANT
    };
    let slow = Slow::with(realism).await;
    let draft = without_access_logs(WHOLE);
    slow.deploy(&draft).await;
    let changed = without_access_logs(&WHOLE.replace("reply: true", "reply: false"));
    let first = slow.plan(&changed).await;
    let mut turner = slow.turner();
    let cloud = &slow.lab.cloud;
    assert_complete(&carry_out_before(cloud, &first, &mut turner).await);
    let second = slow.lab.plan(&draft).await;
    assert_complete(&carry_out_before(cloud, &second, &mut turner).await);
    turner.has_waited_for("CreateDeployment: Too Many Requests");
    slow.clock.turn(Duration::from_mins(1));
    assert_up_to_date(&slow.lab, &draft).await;
}

#[tokio::test]
async fn statements_of_one_function_are_written_one_after_the_other() {
    let slow = Slow::start().await;
    let draft = without_access_logs(WHOLE);
    let plan = slow.plan(&draft).await;
    slow.lab.calls();
    let (applied, _) = slow.apply(plan).await;
    assert_complete(&applied);
    let calls = slow.lab.calls();
    let statements: Vec<_> = calls
        .iter()
        .filter(|c| c.operation == "AddPermission")
        .collect();
    assert_eq!(statements.len(), 3);
    // AWS does not always refuse an overlap: it may lose one of the two.
    assert!(
        statements.iter().all(|call| call.status < 400),
        "{statements:?}"
    );
}

#[tokio::test]
async fn changes_wait_for_what_is_under_way() {
    let slow = Slow::start().await;
    slow.deploy(&without_access_logs(WHOLE)).await;
    let changed = WHOLE
        .replace("memory: 256", "memory: 512")
        .replace(
            "{ userId-index: userId }",
            "{ userId-index: userId, groupId-index: groupId }",
        )
        .replace("    say:", "    shout: gate\n    say:")
        .replace(
            "    key: connectionId\n",
            "    key: connectionId\n    recovery: true\n",
        );
    let waits = slow.deploy(&without_access_logs(&changed)).await;
    waits.has_waited_for("an update of function whole-talk is in progress");
    waits.has_waited_for("whole-connections");
}

#[tokio::test]
async fn destroying_waits_for_the_table_to_be_gone() {
    let slow = Slow::start().await;
    let draft = without_access_logs(WHOLE);
    slow.deploy(&draft).await;
    slow.clock.turn(Duration::from_mins(1));
    let plan = slow.lab.plan_to_destroy(&draft, true).await;
    let (applied, waits) = slow.apply(plan).await;
    assert_complete(&applied);
    waits.has_waited_for("table whole-connections to be gone");
    slow.clock.turn(Duration::from_mins(1));
    assert!(inventory(&slow.lab.sdk).await.is_empty());
}

#[tokio::test]
async fn a_table_on_its_way_out_is_made_anew_once_it_is_gone() {
    let slow = Slow::start().await;
    let draft = without_access_logs(WHOLE);
    slow.deploy(&draft).await;
    let delete = slow.lab.sdk.dynamodb.delete_table();
    let delete = delete.table_name("whole-connections").send();
    delete.await.unwrap();
    let plan = slow.lab.plan(&draft).await;
    let (applied, waits) = slow.apply(plan).await;
    assert_complete(&applied);
    waits.has_waited_for("Table is being deleted");
    slow.clock.turn(Duration::from_mins(1));
    assert_up_to_date(&slow.lab, &draft).await;
}

#[tokio::test]
async fn another_ttl_attribute_takes_two_deploys_an_hour_apart() {
    let slow = Slow::start().await;
    slow.deploy(&without_access_logs(WHOLE)).await;
    let moved = without_access_logs(&WHOLE.replace("ttl: ttl", "ttl: expires"));
    // Long enough after the table was made.
    slow.clock.turn(Duration::from_hours(1));
    let (applied, turner) = slow.apply(slow.plan(&moved).await).await;
    assert!(!applied.is_complete());
    assert_eq!(turner.failed.len(), 1, "{:?}", turner.failed);
    slow.clock.turn(Duration::from_hours(1));
    slow.deploy(&moved).await;
}
