//! A run, the account that it begins with, and what is to be there however the run ended.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use msgai::cloud::CloudError;
use msgai::ledger::Ledger;
use msgai::local::Realism;
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::support::account::{Account, account};
use crate::support::fate::Fate;
use crate::support::line::Line;
use crate::support::{Draft, End, Lab, Ran, Wanted, assert_complete, cloud_over, shown};

/// As on AWS, but not for so long: hundreds of polls of one state would be hundreds of points that are one.
const REALISM: Realism = Realism {
    role_propagation: Duration::from_secs(2),
    function_pending: Duration::from_millis(700),
    function_update: Duration::from_millis(500),
    table_create: Duration::from_secs(1),
    table_create_indexed: Duration::from_secs(2),
    index_create: Duration::from_secs(2),
    table_delete: Duration::from_secs(1),
    recovery_available: Duration::from_millis(600),
    domain_update: Duration::from_secs(1),
    ..Realism::AWS
};

/// Until a person or a pipeline starts the command again; shorter than what the run before left under way.
const PAUSE: Duration = Duration::from_millis(300);

/// Until everything in the account has come to rest, and every rate has recovered.
const REST: Duration = Duration::from_hours(1);

/// One run that is cut off somewhere.
pub(crate) struct Scenario {
    name: &'static str,
    /// What was deployed before it.
    from: Option<Draft>,
    to: Draft,
    end: End,
}

fn whole() -> Draft {
    Draft::from(include_str!("../deploy/whole.yaml"))
}

pub(crate) fn first() -> Scenario {
    Scenario {
        name: "first deploy",
        from: None,
        to: whole(),
        end: End::Deployed,
    }
}

pub(crate) fn none() -> Scenario {
    Scenario {
        name: "deploy of nothing",
        from: Some(whole()),
        to: whole(),
        end: End::Deployed,
    }
}

/// Of each kind something is added, something is changed, and something is removed.
pub(crate) fn update() -> Scenario {
    Scenario {
        name: "update",
        from: Some(Draft::from(include_str!("before.yaml"))),
        to: Draft {
            text: include_str!("after.yaml").to_owned(),
            codes: BTreeMap::from([("talk".to_owned(), 1)]),
        },
        end: End::Deployed,
    }
}

/// A domain is made, gets another certificate and another path, and goes.
pub(crate) fn domain() -> [Scenario; 3] {
    let (before, after) = (SMALL, SMALL.replace("certificate/a", "certificate/b"));
    let after = Draft::from(after.replace("key: chat", "key: talk").as_str());
    let before = Draft::from(before);
    let scenario = |name, from: Option<&Draft>, to: &Draft, end| Scenario {
        name,
        from: from.cloned(),
        to: to.clone(),
        end,
    };
    let destroyed = End::Destroyed { delete_data: true };
    [
        scenario("first deploy with a domain", None, &before, End::Deployed),
        scenario("update of a domain", Some(&before), &after, End::Deployed),
        scenario("destroy with a domain", Some(&before), &before, destroyed),
    ]
}

const SMALL: &str = include_str!("domain.yaml");

pub(crate) fn destroy(delete_data: bool) -> Scenario {
    Scenario {
        name: if delete_data {
            "destroy of tables, too"
        } else {
            "destroy"
        },
        from: Some(whole()),
        to: whole(),
        end: End::Destroyed { delete_data },
    }
}

/// When the account is prepared, and when the runs begin: long after everything in it has come to rest.
const PREPARED: u64 = 500_000;
const BEGUN: u64 = PREPARED + 24;

/// The undisturbed run.
struct Undisturbed {
    /// The account before.
    before: TempDir,
    wanted: Wanted,
    calls: Vec<String>,
    /// The account afterwards.
    end: Account,
}

impl Scenario {
    /// Every fate of every call.
    pub(crate) async fn every(&self) -> usize {
        self.each(|_, fates| fates, (1, 1)).await
    }

    /// Every fate of a call that changes something. Calls that look meet one each, in turn: whether one was carried
    /// out makes no difference, and they are all repeated by the same code.
    pub(crate) async fn turns(&self) -> usize {
        self.share(1, 1).await
    }

    /// As [`Scenario::turns`], one of several parts of the calls: tests run side by side.
    pub(crate) async fn share(&self, part: usize, of: usize) -> usize {
        let choose = |nth, fates: Vec<Fate>| {
            if all() || fates.contains(&Fate::KilledAfter) {
                fates
            } else {
                vec![fates[nth % fates.len()]]
            }
        };
        self.each(choose, (part, of)).await
    }

    async fn each(
        &self,
        choose: impl Fn(usize, Vec<Fate>) -> Vec<Fate>,
        (part, of): (usize, usize),
    ) -> usize {
        let good = self.undisturbed().await;
        let mut points = 0;
        let mut bad = Vec::new();
        let calls = good.calls.iter().enumerate();
        for (nth, call) in calls.skip(part - 1).step_by(of) {
            for fate in choose(nth, Fate::of(call).collect()) {
                points += 1;
                bad.extend(self.disturbed(&[(nth, fate)], &good).await);
            }
        }
        let calls = good.calls.len();
        let what = format!("{calls} calls, part {part} of {of}, {points} points");
        self.tell(&what, &format!("{part}"), &bad);
        points
    }

    /// For whoever quotes it.
    fn tell(&self, what: &str, which: &str, bad: &[String]) {
        let text = format!("{}: {what}, {} failed\n", self.name, bad.len());
        let file = format!("crash-{}-{which}.txt", self.name);
        let file = file.replace([' ', ','], "-");
        let whole = format!("{text}{}", bad.join("\n"));
        fs::write(format!("{}/{file}", env!("CARGO_TARGET_TMPDIR")), &whole).unwrap();
        assert!(bad.is_empty(), "{whole}");
    }

    /// An account with others' things in it, and whatever was deployed before.
    async fn prepare(&self) -> TempDir {
        fastrand::seed(3);
        let before = TempDir::new().unwrap();
        let lab = Lab::inside_from(REALISM, Some(before.path()), PREPARED).await;
        lab.within().grant_api_logs().unwrap();
        lab.sdk.make_foreign("whole").await;
        if let Some(draft) = &self.from {
            let before = lab.wanted(draft);
            let ran = run(&lab, &Line::to(lab.within()), &before, End::Deployed).await;
            assert_complete(&ran.unwrap().applied);
        }
        pause(REST).await;
        lab.within().save().unwrap();
        before
    }

    async fn undisturbed(&self) -> Undisturbed {
        let before = self.prepare().await;
        let (lab, _folder) = set_up(&before).await;
        let wanted = lab.wanted(&self.to);
        let line = Line::to(lab.within());
        let ran = run(&lab, &line, &wanted, self.end).await.unwrap();
        assert_complete(&ran.applied);
        let again = run(&lab, &Line::to(lab.within()), &wanted, self.end).await;
        let again = again.unwrap().plan;
        assert!(again.is_empty(), "{}", shown(&again));
        pause(REST).await;
        Undisturbed {
            before,
            wanted,
            calls: line.calls(),
            end: account(lab.within()).await,
        }
    }

    /// What is wrong after the run met these fates and was run again; `None` if all is well.
    async fn disturbed(&self, fates: &[(usize, Fate)], good: &Undisturbed) -> Option<String> {
        let (lab, _folder) = set_up(&good.before).await;
        let line = Line::to(lab.within()).struck(fates);
        let ran = tokio::select! {
            biased;
            () = line.killed() => None,
            ran = run(&lab, &line, &good.wanted, self.end) => Some(ran),
        };
        let mut wrong = Vec::new();
        let (nth, calls) = (fates[0].0, line.calls());
        if calls.get(..=nth) != good.calls.get(..=nth) {
            wrong.push(format!("other calls: {:?}", calls.get(..=nth)));
        }
        let passes = fates.iter().all(|(_, fate)| fate.passes());
        // A second fault after a minute without an answer may well be one too many for one run.
        let passes = passes && (fates.len() == 1 || fates.iter().all(|f| f.1 != Fate::TimedOut));
        if passes {
            match ran {
                Some(ran) => wrong.extend(failures("at once", &ran)),
                None => wrong.push("it ended".to_owned()),
            }
        }
        pause(PAUSE).await;
        let again = lab.pursue(&lab.cloud, &good.wanted, self.end).await;
        wrong.extend(failures("again", &again));
        if passes
            && let Ok(again) = &again
            && !again.plan.is_empty()
        {
            wrong.push(format!("left over: {}", shown(&again.plan)));
        }
        pause(REST).await;
        wrong.extend(locked(&lab, &good.wanted).await);
        let now = account(lab.within()).await;
        wrong.extend(differences(&good.end, &now));
        let met = |(nth, fate): &(usize, Fate)| format!("{fate:?} at {nth}, {}", good.calls[*nth]);
        let met: Vec<String> = fates.iter().map(met).collect();
        (!wrong.is_empty()).then(|| format!("{}\n    {}", met.join("; "), wrong.join("\n    ")))
    }
}

/// The prepared account once more, and where it lives.
async fn set_up(before: &TempDir) -> (Lab, TempDir) {
    let folder = TempDir::new().unwrap();
    for entry in WalkDir::new(before.path()).min_depth(1) {
        let entry = entry.unwrap();
        let to = folder
            .path()
            .join(entry.path().strip_prefix(before.path()).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir(to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
    // Ids are drawn from this thread's numbers, and so are the same every time.
    fastrand::seed(7);
    let lab = Lab::inside_from(REALISM, Some(folder.path()), BEGUN).await;
    (lab, folder)
}

/// Whoever has the lock although every run has ended.
async fn locked(lab: &Lab, wanted: &Wanted) -> Option<String> {
    let seen = Ledger::new(&lab.cloud, &wanted.stack).look().await;
    let seen = seen.unwrap();
    seen.holder().map(|holder| format!("locked: {holder:?}"))
}

/// Whether there is time for every fate of every call, and for many more pairs.
#[expect(clippy::disallowed_methods, reason = "a test has no command line")]
fn all() -> bool {
    std::env::var("CRASH_POINTS").is_ok_and(|points| points == "all")
}

/// Two fates in one run, drawn by lot: so many pairs, or ten times as many.
pub(crate) async fn two(scenario: Scenario, pairs: usize) -> usize {
    let pairs = if all() { pairs * 10 } else { pairs };
    let good = scenario.undisturbed().await;
    let mut lot = fastrand::Rng::with_seed(11);
    let mut bad = Vec::new();
    for _ in 0..pairs {
        let mut draw = |from: usize| {
            let nth = lot.usize(from..good.calls.len());
            let fates: Vec<Fate> = Fate::of(&good.calls[nth]).collect();
            (nth, fates[lot.usize(..fates.len())])
        };
        let first = draw(0);
        let last = good.calls.len() - 1;
        let second = draw((first.0 + 1).min(last));
        bad.extend(scenario.disturbed(&[first, second], &good).await);
    }
    scenario.tell(&format!("{pairs} pairs"), "pairs", &bad);
    pairs
}

/// Through clients of its own, as another process would.
async fn run(lab: &Lab, line: &Line, wanted: &Wanted, end: End) -> Result<Ran, CloudError> {
    let cloud = cloud_over(line).await;
    lab.pursue(&cloud, wanted, end).await
}

#[expect(clippy::disallowed_methods, reason = "the clock is paused")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

fn failures(when: &str, ran: &Result<Ran, CloudError>) -> Option<String> {
    match ran {
        Ok(ran) if ran.applied.is_complete() => None,
        Ok(ran) => {
            let failures = ran.applied.failures();
            let failures: Vec<String> = failures.map(|(id, e)| format!("{id}: {e}")).collect();
            Some(format!("{when}: {}", failures.join("; ")))
        }
        Err(error) => Some(format!("{when}: {error}")),
    }
}

fn differences(want: &Account, have: &Account) -> Vec<String> {
    let mut all = Vec::new();
    for (key, about) in want {
        match have.get(key) {
            None => all.push(format!("missing: {key}")),
            Some(now) if now != about => all.push(format!("{key}: {now}\n    and not {about}")),
            Some(_) => {}
        }
    }
    let more = have.keys().filter(|key| !want.contains_key(*key));
    all.extend(more.map(|key| format!("too much: {key}")));
    all
}
