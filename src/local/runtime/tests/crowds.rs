//! Calls that come all at once.

use std::time::Duration;

use serde_json::{Value, json};

use super::{create, invoke, script};
use crate::local::Realism;
use crate::local::clock::Clock;
use crate::local::testing::{Cloud, Http, START};

#[tokio::test]
async fn a_call_that_may_not_start_a_process_takes_the_first_that_comes_free() {
    let Some(script) = script(
        "def handle(event, headers):\n    while not os.path.exists(event['go']):\n        time.sleep(0.01)\n    return [os.getpid(), count]",
    ) else {
        return;
    };
    let cloud = Cloud::start(Clock::real(), Realism::INSTANT).await;
    create(&cloud, &script, json!({ "Timeout": 60 })).await;
    let dir = tempfile::tempdir().unwrap();
    let go = dir.path().join("go");
    let event = json!({ "go": go });
    std::fs::write(&go, "").unwrap();
    let warm = invoke(&cloud, event.clone()).await.json();
    std::fs::remove_file(&go).unwrap();
    let fleet = cloud.world.lambda.fleet();
    let starts = u32::try_from(fleet.starts.available_permits()).unwrap();
    let _nobody_starts = fleet.starts.acquire_many(starts).await.unwrap();
    let (mut answers, ()) = tokio::join!(
        futures_util::future::join_all((0..3).map(|_| invoke(&cloud, event.clone()))),
        async {
            let both_wait = async {
                while fleet.waiting() < 2 {
                    tokio::task::yield_now().await;
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(30), both_wait).await;
            std::fs::write(&go, "").unwrap();
            waited.unwrap();
        }
    );
    answers.sort_by_key(|answer| answer.json()[1].as_u64());
    let answers: Vec<Value> = answers.iter().map(Http::json).collect();
    let one = |count: u64| json!([warm[0], count]);
    assert_eq!(answers, [one(2), one(3), one(4)]);
}

#[tokio::test]
async fn a_call_with_many_before_it_starts_a_process_a_second_later() {
    let Some(script) = script(
        "def handle(event, headers):\n    open(event['begun'] + str(os.getpid()), 'w').close()\n    while not os.path.exists(event['go']):\n        time.sleep(0.01)\n    return os.getpid()",
    ) else {
        return;
    };
    let clock = Clock::turned(START);
    let cloud = Cloud::start(clock.clone(), Realism::INSTANT).await;
    create(&cloud, &script, json!({ "Timeout": 60 })).await;
    let dir = tempfile::tempdir().unwrap();
    let begun = dir.path().join("begun");
    std::fs::create_dir(&begun).unwrap();
    let go = dir.path().join("go");
    let event = json!({ "begun": format!("{}/", begun.display()), "go": go });
    let fleet = cloud.world.lambda.fleet();
    let starts = fleet.starts.available_permits();
    let many = u32::try_from(starts).unwrap();
    let nobody_starts = fleet.starts.acquire_many(many).await.unwrap();
    let until = async |holds: &dyn Fn() -> bool| {
        let turns = async {
            while !holds() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), turns).await
    };
    let count = || std::fs::read_dir(&begun).unwrap().count();
    let (mut answers, ()) = tokio::join!(
        futures_util::future::join_all((0..=starts).map(|_| invoke(&cloud, event.clone()))),
        async {
            let all_wait = until(&|| fleet.waiting() > starts).await;
            drop(nobody_starts);
            let first = until(&|| count() == starts).await;
            let waits = fleet.waiting() > 0 && fleet.starts.available_permits() == starts;
            clock.turn(Duration::from_secs(1));
            let last = until(&|| count() > starts).await;
            std::fs::write(&go, "").unwrap();
            assert_eq!(
                (all_wait, first, waits, last),
                (Ok(()), Ok(()), true, Ok(()))
            );
        }
    );
    answers.sort_by_key(|answer| answer.json().as_u64());
    answers.dedup_by_key(|answer| answer.json());
    assert_eq!(answers.len(), starts + 1);
}
