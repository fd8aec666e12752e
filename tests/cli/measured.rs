//! What CloudWatch counted, as `status` and `cost --measured` tell it.

use msgai::local::faults::{Fate, Fault};
use msgai::local::{LocalCloud, Options};
use msgai::talk::Client;
use serde_json::Value;

use super::scratch::{Ran, Scratch};

fn run(scratch: &Scratch, endpoint: &str, words: &[&str]) -> Ran {
    let mut command = scratch.msgai(words);
    command
        .args(["--endpoint-url", endpoint, "--region", "us-east-1"])
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    Ran::of(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_is_told_and_what_was_not_is_said() {
    let cloud = LocalCloud::start(Options::default()).await.unwrap();
    let endpoint = cloud.endpoint();
    let scratch = Scratch::new("measured", Some("shop"));
    let run = |words: &[&str]| run(&scratch, &endpoint, words);
    let early = run(&["cost", "--measured"]);
    assert_eq!(early.code, Some(1), "{early:?}");
    assert!(early.err.contains("shop is not deployed"), "{early:?}");
    assert_eq!(run(&["deploy", "--yes"]).code, Some(0));
    let quiet = run(&["status"]);
    assert!(!quiet.out.contains("last hour"), "{quiet:?}");
    assert!(
        run(&["status", "-v"])
            .out
            .contains("last hour: nothing was counted")
    );
    let never = run(&["cost", "--measured"]);
    assert_eq!(never.code, Some(1), "{never:?}");
    assert!(never.err.contains("nothing was counted"), "{never:?}");

    let url: Value = serde_json::from_str(&run(&["outputs", "--json"]).out).unwrap();
    let url = url["url"].as_str().unwrap();
    let client = Client::connect(url, &[], &[]).await;
    assert!(client.is_ok(), "{url}");

    let status = run(&["status"]);
    assert!(
        status
            .out
            .contains("\nlast hour: 1 connects, messages not counted, 0 errors, p95 "),
        "{status:?}"
    );
    let status = run(&["status", "-v"]);
    assert!(
        status
            .out
            .contains("\n  connect  1 calls, 0 errors, 0 throttled, p95 "),
        "{status:?}"
    );
    assert!(
        status.out.contains("\n  talk     nothing was counted\n"),
        "{status:?}"
    );
    let status: Value = serde_json::from_str(&run(&["status", "--json"]).out).unwrap();
    let metrics = &status["metrics"];
    assert_eq!(metrics["connects"], 1.0, "{metrics}");
    assert_eq!(metrics["messages"], Value::Null, "{metrics}");

    let cost: Value = serde_json::from_str(&run(&["cost", "--measured", "--json"]).out).unwrap();
    let line = |what: &str| {
        let lines = cost["lines"].as_array().unwrap();
        lines.iter().find(|line| line["what"] == what).unwrap()
    };
    assert_eq!(cost["measured"]["connects"], 1.0, "{cost}");
    assert_eq!(line("messages in and out")["how"], "unknown", "{cost}");
    assert_eq!(line("connection minutes")["how"], "at-most", "{cost}");
    assert_eq!(line("calls")["how"], "measured", "{cost}");
    let shown = run(&["cost", "--measured", "--since", "2h"]);
    assert!(
        shown.out.contains("messages in and out not counted\n"),
        "{shown:?}"
    );
    assert!(
        shown.out.contains("That is a short time to go by"),
        "{shown:?}"
    );
    for since in ["15d", "0"] {
        let long = run(&["cost", "--measured", "--since", since]);
        assert_eq!(long.code, Some(64), "{long:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_know_loses_nothing_else() {
    let denied = Fault {
        service: "monitoring".to_owned(),
        operation: "GetMetricData".to_owned(),
        after: 0,
        every: 1,
        times: None,
        fate: Fate::Denied,
    };
    let options = Options {
        faults: vec![denied],
        ..Options::default()
    };
    let cloud = LocalCloud::start(options).await.unwrap();
    let endpoint = cloud.endpoint();
    let scratch = Scratch::new("unmeasured", Some("shop"));
    let run = |words: &[&str]| run(&scratch, &endpoint, words);
    assert_eq!(run(&["deploy", "--yes"]).code, Some(0));
    let status = run(&["status"]);
    assert_eq!(
        (status.code, status.out.contains("last hour")),
        (Some(0), false),
        "{status:?}"
    );
    let status = run(&["status", "-v"]);
    assert!(
        status.out.contains("last hour: no metrics: GetMetricData"),
        "{status:?}"
    );
    let cost = run(&["cost", "--measured"]);
    assert_eq!(cost.code, Some(4), "{cost:?}");
    assert!(cost.err.contains("GetMetricData"), "{cost:?}");
}
