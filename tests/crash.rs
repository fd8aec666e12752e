//! Every call of a deploy meets every fate; run again, the account is as if nothing had happened.
//!
//! The cloud is in this process and as slow and grudging as AWS, on the runtime's clock, which is paused: whenever
//! everybody waits, time jumps to whoever waits the shortest.

#![expect(clippy::unwrap_used, reason = "tests fail where they stand")]

mod support;

use std::time::Duration;

use msgai::local::Realism;
use support::account::{Account, account};
use support::fate::Fate;
use support::line::Line;
use support::{Draft, End, Goal, Lab, Ran, assert_complete, cloud_over, shown};

const BEFORE: &str = include_str!("crash/before.yaml");
const AFTER: &str = include_str!("crash/after.yaml");

fn before() -> Draft {
    Draft::from(BEFORE)
}

fn after() -> Draft {
    let mut draft = Draft::from(AFTER);
    draft.codes.insert("talk".to_owned(), 1);
    draft
}

/// One run that is cut off somewhere.
struct Scenario {
    name: &'static str,
    /// What is there before it.
    from: Option<Draft>,
    goal: Goal,
}

impl Scenario {
    /// An account with others' things in it, and what is to be there.
    async fn set_up(&self) -> Lab {
        // Ids are drawn from this thread's numbers, and so are the same every time.
        fastrand::seed(7);
        let lab = Lab::inside(Realism::AWS).await;
        lab.within().grant_api_logs().unwrap();
        lab.sdk.make_foreign("whole").await;
        if let Some(draft) = &self.from {
            let end = End::Deployed;
            let goal = Goal {
                draft: draft.clone(),
                end,
            };
            finish(&lab, &goal).await;
        }
        rest().await;
        lab
    }

    /// The undisturbed run: its calls, and the account afterwards.
    async fn undisturbed(&self) -> (Vec<String>, Account) {
        let lab = self.set_up().await;
        let line = Line::to(lab.within());
        let cloud = cloud_over(&line).await;
        let ran = lab.pursue(&cloud, &self.goal).await.unwrap();
        assert_complete(&ran.applied);
        let calls = line.calls();
        assert!(finish(&lab, &self.goal).await.plan.is_empty());
        rest().await;
        (calls, account(lab.within()).await)
    }

    /// What is wrong after the run met these fates and was run again; nothing, if all is well.
    async fn disturbed(&self, fates: &[(usize, Fate)], end: &Account) -> Option<String> {
        let lab = self.set_up().await;
        let line = Line::to(lab.within()).struck(fates);
        let cloud = cloud_over(&line).await;
        let ran = tokio::select! {
            biased;
            () = line.killed() => None,
            ran = lab.pursue(&cloud, &self.goal) => Some(ran),
        };
        let passes = fates.iter().all(|(_, fate)| fate.passes());
        let mut wrong = Vec::new();
        if passes {
            wrong.extend(match &ran {
                Some(Ok(ran)) if ran.applied.is_complete() => None,
                Some(Ok(ran)) => Some(format!(
                    "first: {:?}",
                    ran.applied.failures().collect::<Vec<_>>()
                )),
                Some(Err(error)) => Some(format!("first: {error}")),
                None => Some("first: killed".to_owned()),
            });
        }
        pause().await;
        let cloud = cloud_over(&Line::to(lab.within())).await;
        match lab.pursue(&cloud, &self.goal).await {
            Ok(ran) if !ran.applied.is_complete() => wrong.push(format!(
                "again: {:?}",
                ran.applied.failures().collect::<Vec<_>>()
            )),
            Ok(again) if passes && wrong.is_empty() && !again.plan.is_empty() => {
                wrong.push(format!("left: {}", shown(&again.plan)))
            }
            Ok(_) => {}
            Err(error) => wrong.push(format!("again: {error}")),
        }
        rest().await;
        let now = account(lab.within()).await;
        wrong.extend(differences(end, &now));
        (!wrong.is_empty()).then(|| wrong.join("\n    "))
    }
}

async fn finish(lab: &Lab, goal: &Goal) -> Ran {
    let cloud = cloud_over(&Line::to(lab.within())).await;
    let ran = lab.pursue(&cloud, goal).await.unwrap();
    assert_complete(&ran.applied);
    ran
}

/// Until a person or a pipeline starts the command again.
async fn pause() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}

/// Until everything in the account has come to rest.
async fn rest() {
    tokio::time::sleep(Duration::from_hours(1)).await;
}

fn differences(want: &Account, have: &Account) -> Vec<String> {
    let mut all = Vec::new();
    for (key, about) in want {
        match have.get(key) {
            None => all.push(format!("missing {key}")),
            Some(now) if now != about => all.push(format!("{key} is {now} and not {about}")),
            Some(_) => {}
        }
    }
    let more = have.keys().filter(|key| !want.contains_key(*key));
    all.extend(more.map(|key| format!("too much: {key}")));
    all
}

async fn all(scenario: Scenario) {
    let begun = std::time::Instant::now();
    let (calls, end) = scenario.undisturbed().await;
    println!("{} calls in {:?}", calls.len(), begun.elapsed());
    let mut tried = 0;
    let mut failed = 0;
    for (nth, call) in calls.iter().enumerate() {
        for fate in Fate::ALL {
            tried += 1;
            if let Some(wrong) = scenario.disturbed(&[(nth, fate)], &end).await {
                failed += 1;
                println!("{}: {fate:?} at {nth}, {call}\n    {wrong}", scenario.name);
            }
        }
    }
    println!("{tried} tried, {failed} failed, {:?}", begun.elapsed());
    assert_eq!(failed, 0);
}

#[tokio::test(start_paused = true)]
async fn a_first_deploy() {
    let scenario = Scenario {
        name: "first deploy",
        from: None,
        goal: Goal {
            draft: before(),
            end: End::Deployed,
        },
    };
    all(scenario).await;
}
