//! What functions wrote, as `msgai logs` shows it.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use aws_sdk_cloudwatchlogs as logs;
use logs::types::InputLogEvent;
use msgai::local::{LocalCloud, Options};
use serde_json::Value;

use super::scratch::{Ran, Scratch};

pub(crate) fn client(endpoint: &str) -> logs::Client {
    let keys = logs::config::Credentials::new("key", "secret", None, None, "test");
    let config = logs::Config::builder()
        .behavior_version(logs::config::BehaviorVersion::v2026_01_12())
        .region(logs::config::Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(keys)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    logs::Client::from_conf(config.build())
}

pub(crate) async fn write(client: &logs::Client, function: &str, lines: &[&str]) {
    let group = format!("/aws/lambda/{function}");
    let stream = client.create_log_stream().log_group_name(&group);
    // It is there from the second time on.
    stream.log_stream_name("s").send().await.ok();
    let now = jiff::Timestamp::now().as_millisecond();
    let put = client.put_log_events().log_group_name(&group);
    let mut put = put.log_stream_name("s");
    for line in lines {
        let event = InputLogEvent::builder().timestamp(now).message(*line);
        put = put.log_events(event.build().unwrap());
    }
    put.send().await.unwrap();
}

fn words(endpoint: &str, words: &[&'static str]) -> Vec<String> {
    let at = ["--endpoint-url", endpoint, "--region", "us-east-1"];
    words.iter().chain(&at).map(ToString::to_string).collect()
}

pub(crate) fn command(
    scratch: &Scratch,
    endpoint: &str,
    with: &[&'static str],
) -> std::process::Command {
    let words = words(endpoint, with);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = scratch.msgai(&words);
    command
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    command
}

/// What follows the time of each line.
fn told(ran: &Ran) -> Vec<&str> {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = ran.out.lines();
    lines.map(|line| line.split_once("  ").unwrap().1).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_all_functions_are_told_filtered_and_followed() {
    let cloud = LocalCloud::start(Options::default()).await.unwrap();
    let endpoint = cloud.endpoint();
    let scratch = Scratch::new("logs", Some("shop"));
    let run = |with: &[&'static str]| Ran::of(command(&scratch, &endpoint, with));
    // Nobody has written anything, nor is there a place to.
    assert_eq!(told(&run(&["logs"])), Vec::<&str>::new());
    assert_eq!(run(&["deploy", "--yes"]).code, Some(0));

    let client = client(&endpoint);
    let connected = r#"{"outcome":"connected","connectionId":"abc="}"#;
    let lines = [
        "START RequestId: 1 Version: 1\n",
        connected,
        "REPORT RequestId: 1\n",
    ];
    write(&client, "shop-connect", &lines).await;
    write(
        &client,
        "shop-talk",
        &["said by abc= to all\n", "and to nobody\n"],
    )
    .await;

    assert_eq!(
        told(&run(&["logs", "connect"])),
        ["connect  connected connectionId=abc="]
    );
    let own = "connect  connected connectionId=abc=";
    let all = run(&["logs", "connect", "--verbose"]);
    assert_eq!(told(&all).len(), 3, "{all:?}");
    let trail = run(&["logs", "--connection", "abc="]);
    assert_eq!(told(&trail), [own, "talk     said by abc= to all"]);
    let some = run(&["logs", "--filter", "{ $.outcome = \"connected\" }"]);
    assert_eq!(told(&some), [own]);
    let json = run(&["logs", "connect", "--json"]);
    let line: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&line["type"], &line["source"]),
        (&"log".into(), &"connect".into())
    );
    assert_eq!(line["message"]["outcome"], "connected");
    let unknown = run(&["logs", "shout"]);
    assert_eq!(unknown.code, Some(64), "{unknown:?}");
    assert!(
        unknown.err.contains("hint: it has: `connect`, `talk`"),
        "{unknown:?}"
    );

    // `api` is a word of the help: no function's name that is missing, but logs that are off.
    let off = run(&["logs", "api"]);
    assert_eq!(off.code, Some(64), "{off:?}");
    assert!(off.err.contains("the stack keeps no access log"), "{off:?}");

    let mut following = command(&scratch, &endpoint, &["logs", "talk", "--follow"]);
    let mut following = following
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = move || out.next().unwrap().unwrap();
    assert!(next().ends_with("said by abc= to all"));
    assert!(next().ends_with("and to nobody"));
    write(&client, "shop-talk", &["later\n"]).await;
    // Once, and nothing again that was told.
    assert!(next().ends_with("later"));
    write(&client, "shop-talk", &["last\n"]).await;
    assert!(next().ends_with("last"));
    // Enough is what a signal says, and no failure.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(following.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(following.wait().unwrap().code(), Some(130));
}
