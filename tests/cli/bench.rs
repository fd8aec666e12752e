//! `bench`, against the reference stack on the local cloud.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::cloud::{Dev, through};
use super::scratch::Ran;
use super::talk::{STACK, served};

/// From now on the local cloud does this.
fn plan_faults(dev: &Dev, plan: &Value) {
    let address = dev.endpoint.trim_start_matches("http://");
    let body = plan.to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "PUT /_msgai/faults HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
}

fn object(ran: &Ran) -> Value {
    let line = ran.out.lines().next().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn what_arrives_is_timed_and_what_does_not_is_counted() {
    let (scratch, dev) = served("bench", STACK, &[]);
    let words = [
        "bench",
        "--local",
        "-n",
        "4",
        "-m",
        "8",
        "-r",
        "8",
        "--patience",
        "60s",
        "--json",
    ];
    let ran = scratch.run(&words);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let bench = object(&ran);
    let messages = &bench["messages"];
    assert_eq!(
        (&messages["sent"], &messages["received"]),
        (&json!(8), &json!(8)),
        "{bench}"
    );
    let bars = bench["histogram"].as_array().unwrap();
    let counted: u64 = bars.iter().map(|bar| bar["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 8, "{bench}");
    assert!(bench["latency_ms"]["p50"].as_f64() <= bench["latency_ms"]["max"].as_f64());

    let ran = scratch.run(&[&words[..], &["--groups", "2"]].concat());
    assert_eq!(object(&ran)["messages"]["received"], 16, "{ran:?}");

    // Nobody can be posted to any more.
    plan_faults(
        &dev,
        &json!([{"operation": "PostToConnection", "fate": "gone"}]),
    );
    let words = [
        "bench",
        "--local",
        "-n",
        "2",
        "-m",
        "2",
        "-r",
        "10",
        "--patience",
        "500ms",
    ];
    let ran = scratch.run(&words);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.out
            .contains("\n0 of 2 received: 2 lost, 0 twice, 0 out of order\n"),
        "{ran:?}"
    );
    assert!(
        ran.err.contains("error: 2 messages did not arrive"),
        "{ran:?}"
    );
    plan_faults(&dev, &json!([]));
    assert_eq!(dev.end(), Some(130));
}

#[test]
fn tokens_come_from_a_file_and_are_told_nobody() {
    let auth = "\nauth: { jwt: { issuer: local, audience: [app] } }\n";
    let (scratch, dev) = served("bench-tokens", &format!("{STACK}{auth}"), &[]);
    let token = |user: &str| scratch.run(&["token", "--local", "--user", user]).out;
    fs::write(
        scratch.dir.join("tokens"),
        format!("{}\n{}", token("alice"), token("bob")),
    )
    .unwrap();
    let ran = scratch.run(&["outputs", "--local", "--json"]);
    let url = object(&ran)["url"].as_str().unwrap().to_owned();
    let words = ["bench", &url, "-m", "2", "--patience", "60s"];
    let ran = scratch.run(&words);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    let ran = scratch.run(&[&words[..], &["--tokens", "tokens"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("2 clients connected in "), "{ran:?}");
    scratch.write("opaque", "abc\n");
    let ran = scratch.run(&[&words[..], &["--tokens", "opaque"]].concat());
    assert_eq!(
        ran.err.lines().next(),
        Some("error: opaque:1: this token does not say who it is for"),
        "{ran:?}"
    );
    // Locally one is made for each client.
    let ran = scratch.run(&[
        "bench",
        "--local",
        "-n",
        "2",
        "-m",
        "2",
        "--patience",
        "60s",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(dev.end(), Some(130));
}

/// What is not this machine is billed: it is asked first, and without a terminal the flag is named.
#[test]
fn a_large_run_elsewhere_is_asked_about() {
    let (scratch, dev) = served("bench-asks", STACK, &[]);
    let url = "wss://abc.execute-api.us-east-1.amazonaws.com/production";
    let ran = Ran::of(through(&scratch, &dev, &["bench", url, "-m", "5000"]));
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let said = "on AWS this is billed as about 15030 messages of API Gateway (5010 in, the rest out), 5030 invocations";
    assert!(ran.err.starts_with(said), "{ran:?}");
    assert!(
        ran.err
            .ends_with("hint: say `--yes` to answer beforehand\n"),
        "{ran:?}"
    );
    assert_eq!(dev.end(), Some(130));
}
