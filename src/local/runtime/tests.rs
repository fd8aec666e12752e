mod crowds;
mod managed;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::local::Realism;
use crate::local::clock::Clock;
use crate::local::testing::{Cloud, Http, START, function, logged, zip};

const F: &str = "/2015-03-31/functions";

/// The Python that stands in for a handler's binary; tests that need it say so and end when there is none.
fn python() -> Option<&'static PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let ask = "import sys; print(sys.executable)";
        let asked = std::process::Command::new("python3")
            .args(["-c", ask])
            .output()
            .ok()?;
        let path = String::from_utf8(asked.stdout).ok()?;
        Some(PathBuf::from(path.trim())).filter(|p| p.is_file())
    });
    if found.is_none() {
        println!("skipped: no python3");
    }
    found.as_ref()
}

/// A runtime that answers each event with what `handle(event, headers)` gives.
fn script(handle: &str) -> Option<String> {
    let python = python()?;
    Some(format!(
        r#"#!{}
import json, os, sys, time, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime"
def post(path, value, raw=False):
    data = value if raw else json.dumps(value).encode()
    urllib.request.urlopen(urllib.request.Request(base + path, data=data)).read()
count = 0
{handle}
while True:
    with urllib.request.urlopen(base + "/invocation/next") as r:
        id = r.headers["Lambda-Runtime-Aws-Request-Id"]
        event, headers = json.load(r), r.headers
    count += 1
    try:
        answer = handle(event, headers)
    except Exception as e:
        post("/invocation/" + id + "/error", {{"errorType": type(e).__name__, "errorMessage": str(e)}})
    else:
        post("/invocation/" + id + "/response", answer)
"#,
        python.display()
    ))
}

async fn create(cloud: &Cloud, bootstrap: &str, change: Value) {
    let code = function("f", &zip(&[("bootstrap", bootstrap)]))["Code"].clone();
    let mut input = change;
    input["Code"] = code;
    let made = cloud.create("f", input).await;
    assert_eq!(made.status, 201, "{}", made.text());
}

async fn invoke(cloud: &Cloud, event: Value) -> Http {
    let tail = [("x-amz-log-type", "Tail")];
    let body = event.to_string();
    cloud
        .http(
            "POST",
            &format!("{F}/f/invocations"),
            &tail,
            body.as_bytes(),
        )
        .await
}

fn tail(answer: &Http) -> String {
    use base64::Engine as _;
    let tail = &answer.headers["x-amz-log-result"];
    let tail = base64::engine::general_purpose::STANDARD
        .decode(tail)
        .unwrap();
    String::from_utf8(tail).unwrap()
}

fn message(answer: &Http) -> String {
    answer.json()["errorMessage"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn a_process_sees_lambdas_environment_and_stays_warm() {
    let Some(script) = script(
        "def handle(event, headers):\n    print('seen', event)\n    print('oops', file=sys.stderr, flush=True)\n    sys.stdout.flush()\n    return {'env': dict(os.environ), 'count': count, 'pid': os.getpid(), 'cwd': os.getcwd(), 'arn': headers['Lambda-Runtime-Invoked-Function-Arn']}",
    ) else {
        return;
    };
    let cloud = Cloud::start(Clock::real(), Realism::INSTANT).await;
    let own =
        json!({ "Environment": { "Variables": { "OWN": "yes", "LANG": "C" } }, "Handler": "send" });
    create(&cloud, &script, own).await;
    let first = invoke(&cloud, json!({ "n": 1 })).await;
    let env = &first.json()["env"];
    for (name, value) in [
        ("_HANDLER", "send"),
        ("OWN", "yes"),
        ("LANG", "C"),
        ("TZ", ":UTC"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
        (
            "AWS_ENDPOINT_URL",
            &format!("http://127.0.0.1:{}", cloud.address.port()),
        ),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    let key = env["AWS_ACCESS_KEY_ID"].as_str().unwrap();
    assert!(key.len() == 20 && key.starts_with("ASIA"), "{key}");
    assert_eq!(env["LAMBDA_TASK_ROOT"], first.json()["cwd"]);
    assert!(env.get("HOME").is_none() && env.get("AWS_EXECUTION_ENV").is_none());
    assert!(
        first.json()["arn"]
            .as_str()
            .unwrap()
            .ends_with(":function:f")
    );
    let log = tail(&first);
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines[0].starts_with("START RequestId: ") && lines[0].ends_with("Version: $LATEST"));
    assert!(
        lines.contains(&"seen {'n': 1}") && lines.contains(&"oops"),
        "{log}"
    );
    assert!(
        lines[lines.len() - 2].starts_with("END RequestId: "),
        "{log}"
    );
    assert!(lines[lines.len() - 1].contains("Init Duration: "), "{log}");
    let second = invoke(&cloud, json!({ "n": 2 })).await;
    assert_eq!(second.json()["pid"], first.json()["pid"]);
    assert_eq!(second.json()["count"], 2);
    let log = tail(&second);
    assert!(
        !log.contains("Init Duration") && !log.contains("'n': 1"),
        "{log}"
    );
    let kept = logged(&cloud.world, "/aws/lambda/f");
    assert_eq!(kept.iter().filter(|l| l.starts_with("REPORT")).count(), 2);
}

#[tokio::test]
async fn overlapping_calls_have_their_own_processes_and_the_last_used_is_next() {
    let Some(script) = script(
        "def handle(event, headers):\n    open(event['begun'], 'w').close()\n    while not os.path.exists(event['go']):\n        time.sleep(0.01)\n    return os.getpid()",
    ) else {
        return;
    };
    let cloud = Cloud::start(Clock::real(), Realism::INSTANT).await;
    create(&cloud, &script, json!({ "Timeout": 60 })).await;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    let event =
        |n: &str| json!({ "begun": file(&format!("begun{n}")), "go": file(&format!("go{n}")) });
    let begun = async |n: &str| {
        let appeared = async {
            while !file(&format!("begun{n}")).exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), appeared)
            .await
            .unwrap();
    };
    let go = |n: &str| std::fs::write(file(&format!("go{n}")), "").unwrap();
    let second_done = tokio::sync::Notify::new();
    let (first, second, ()) = tokio::join!(
        async {
            let first = invoke(&cloud, event("1")).await;
            second_done.notify_one();
            first
        },
        async { invoke(&cloud, event("2")).await },
        async {
            begun("1").await;
            begun("2").await;
            // The first ends first, so the second is the one used last.
            go("1");
            second_done.notified().await;
            go("2");
        }
    );
    assert_ne!(first.json(), second.json());
    assert_eq!(cloud.world.lambda.fleet().count(), 2);
    go("3");
    let third = invoke(&cloud, event("3")).await;
    assert_eq!(third.json(), second.json());
}

#[tokio::test]
async fn a_call_that_runs_too_long_costs_its_process() {
    let Some(script) = script(
        "def handle(event, headers):\n    if event.get('hang'):\n        print('hanging', flush=True)\n        time.sleep(600)\n    return os.getpid()",
    ) else {
        return;
    };
    let cloud = Cloud::start(Clock::turned(START), Realism::INSTANT).await;
    let mut happenings = cloud.world.happenings.subscribe();
    create(&cloud, &script, json!({ "Timeout": 3 })).await;
    let before = invoke(&cloud, json!({})).await.json();
    let (hung, ()) = tokio::join!(invoke(&cloud, json!({ "hang": true })), async {
        loop {
            let happening = happenings.recv().await.unwrap();
            if matches!(&happening, crate::local::Happening::Log { line, .. } if line == "hanging")
            {
                break;
            }
        }
        cloud.turn(3);
    });
    assert_eq!(hung.headers["x-amz-function-error"], "Unhandled");
    assert_eq!(hung.json()["errorType"], "Sandbox.Timedout");
    assert!(
        message(&hung).ends_with("Task timed out after 3.00 seconds"),
        "{}",
        hung.text()
    );
    assert!(tail(&hung).contains("Task timed out after 3.00 seconds"));
    assert_eq!(cloud.world.lambda.fleet().count(), 0);
    let pid = before.as_u64().unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{pid}/fd")).exists());
    assert_ne!(invoke(&cloud, json!({})).await.json(), before);
}

#[tokio::test]
async fn a_raised_error_keeps_the_process() {
    let Some(script) = script(
        "def handle(event, headers):\n    if event.get('fail'):\n        raise ValueError('bad news')\n    return os.getpid()",
    ) else {
        return;
    };
    let cloud = Cloud::start(Clock::real(), Realism::INSTANT).await;
    create(&cloud, &script, json!({ "Timeout": 60 })).await;
    let before = invoke(&cloud, json!({})).await.json();
    let failed = invoke(&cloud, json!({ "fail": true })).await;
    assert_eq!(failed.headers["x-amz-function-error"], "Unhandled");
    assert_eq!(
        failed.json(),
        json!({ "errorType": "ValueError", "errorMessage": "bad news" })
    );
    assert_eq!(invoke(&cloud, json!({})).await.json(), before);
}

#[tokio::test]
async fn new_code_ends_idle_processes() {
    let Some(script) = script("def handle(event, headers):\n    return 'old'") else {
        return;
    };
    let cloud = Cloud::start(Clock::real(), Realism::INSTANT).await;
    create(&cloud, &script, json!({ "Timeout": 60 })).await;
    assert_eq!(invoke(&cloud, json!({})).await.json(), "old");
    let new = function(
        "f",
        &zip(&[("bootstrap", &script.replace("'old'", "'new'"))]),
    );
    let put = cloud
        .call("PUT", &format!("{F}/f/code"), new["Code"].clone())
        .await;
    assert_eq!(put.status, 200);
    assert_eq!(cloud.world.lambda.fleet().count(), 0);
    assert_eq!(invoke(&cloud, json!({})).await.json(), "new");
    assert_eq!(
        cloud
            .call("DELETE", &format!("{F}/f"), Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(cloud.world.lambda.fleet().count(), 0);
}

#[tokio::test]
async fn a_published_version_keeps_its_process_when_latest_changes() {
    let Some(script) = script("def handle(event, headers):\n    return os.getpid()") else {
        return;
    };
    let cloud = Cloud::start(Clock::real(), Realism::INSTANT).await;
    create(&cloud, &script, json!({ "Timeout": 60, "Publish": true })).await;
    let path = format!("{F}/f/invocations?Qualifier=1");
    let first = cloud.call("POST", &path, json!({})).await;
    assert_eq!(first.headers["x-amz-executed-version"], "1");
    let put = cloud
        .call(
            "PUT",
            &format!("{F}/f/configuration"),
            json!({ "MemorySize": 256 }),
        )
        .await;
    assert_eq!(put.status, 200);
    assert_eq!(
        cloud.call("POST", &path, json!({})).await.json(),
        first.json()
    );
}

#[tokio::test]
async fn an_error_during_init_is_the_answer() {
    let Some(python) = python() else { return };
    let script = format!(
        r#"#!{}
import json, os, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime"
body = json.dumps({{"errorType": "Config.Missing", "errorMessage": "no table"}}).encode()
urllib.request.urlopen(urllib.request.Request(base + "/init/error", data=body)).read()
raise SystemExit(1)
"#,
        python.display()
    );
    let cloud = Cloud::start(Clock::real(), Realism::INSTANT).await;
    create(&cloud, &script, json!({})).await;
    let failed = invoke(&cloud, json!({})).await;
    assert_eq!(failed.headers["x-amz-function-error"], "Unhandled");
    assert_eq!(
        failed.json(),
        json!({ "errorType": "Config.Missing", "errorMessage": "no table" })
    );
}

#[cfg(unix)]
#[tokio::test]
async fn an_exit_is_told_with_its_status_and_last_words() {
    for (script, status) in [
        (
            "#!/bin/sh\necho last words >&2\nexit 3\n",
            "Runtime exited with error: exit status 3",
        ),
        (
            "#!/bin/sh\necho last words\nkill -9 $$\n",
            "Runtime exited with error: signal: killed",
        ),
        (
            "#!/bin/sh\necho last words\n",
            "Runtime exited without providing a reason",
        ),
    ] {
        let cloud = Cloud::still().await;
        create(&cloud, script, json!({})).await;
        let failed = invoke(&cloud, json!({})).await;
        assert_eq!(failed.json()["errorType"], "Runtime.ExitError");
        assert!(
            message(&failed).starts_with("RequestId: "),
            "{}",
            failed.text()
        );
        assert!(
            message(&failed).ends_with(&format!("Error: {status}")),
            "{}",
            failed.text()
        );
        assert!(tail(&failed).contains("last words"), "{}", tail(&failed));
    }
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let cloud = Cloud::still().await;
    let missing = function("f", &zip(&[("main", "x")]))["Code"].clone();
    assert_eq!(
        cloud.create("f", json!({ "Code": missing })).await.status,
        201
    );
    let failed = invoke(&cloud, json!({})).await;
    assert_eq!(failed.json()["errorType"], "Runtime.InvalidEntrypoint");
    assert!(
        message(&failed).contains("Couldn't find valid bootstrap(s)"),
        "{}",
        failed.text()
    );

    let cloud = Cloud::still().await;
    let java = json!({ "Runtime": "java21", "Handler": "Main" });
    assert_eq!(cloud.create("f", java).await.status, 201);
    let failed = invoke(&cloud, json!({})).await;
    assert!(
        message(&failed).ends_with("runtime java21 is not run locally"),
        "{}",
        failed.text()
    );

    let cloud = Cloud::still().await;
    create(&cloud, "\u{7f}ELF is no such thing", json!({})).await;
    let failed = invoke(&cloud, json!({})).await;
    assert!(
        message(&failed).ends_with("exec format error"),
        "{}",
        failed.text()
    );
}

#[cfg(unix)]
#[tokio::test]
async fn an_init_without_end_is_cut_and_done_again_on_the_calls_own_time() {
    let cloud = Cloud::still().await;
    let mut happenings = cloud.world.happenings.subscribe();
    let script = "#!/bin/sh\necho started\nexec sleep 600\n";
    create(&cloud, script, json!({ "Timeout": 3 })).await;
    let (failed, ()) = tokio::join!(invoke(&cloud, json!({})), async {
        for limit in [10, 3] {
            loop {
                let happening = happenings.recv().await.unwrap();
                if matches!(&happening, crate::local::Happening::Log { line, .. } if line == "started")
                {
                    break;
                }
            }
            cloud.turn(limit);
        }
    });
    assert_eq!(failed.json()["errorType"], "Sandbox.Timedout");
}

#[tokio::test]
async fn idle_processes_are_ended_after_a_while_and_all_when_the_cloud_stops() {
    let Some(script) = script("def handle(event, headers):\n    return os.getpid()") else {
        return;
    };
    let cloud = Cloud::start(Clock::turned(START), Realism::INSTANT).await;
    create(&cloud, &script, json!({ "Timeout": 60 })).await;
    assert_eq!(invoke(&cloud, json!({})).await.status, 200);
    let fleet = cloud.world.lambda.fleet();
    assert!(fleet.sweep(START + Duration::from_secs(299)));
    assert_eq!(fleet.count(), 1);
    assert!(!fleet.sweep(START + Duration::from_mins(5)));
    assert_eq!(invoke(&cloud, json!({})).await.status, 200);
    assert_eq!(fleet.count(), 1);
    cloud.world.lambda.close();
    assert_eq!(fleet.count(), 0);
    let stopped = invoke(&cloud, json!({})).await;
    assert_eq!(stopped.json()["errorType"], "Sandbox.Stopped");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_an_error() {
    let Some(script) = script("def handle(event, headers):\n    return 'x' * 6291557") else {
        return;
    };
    let cloud = Cloud::start(Clock::real(), Realism::INSTANT).await;
    create(&cloud, &script, json!({ "Timeout": 60 })).await;
    let failed = invoke(&cloud, json!({})).await;
    assert_eq!(failed.json()["errorType"], "Function.ResponseSizeTooLarge");
}

#[cfg(unix)]
#[tokio::test]
async fn what_writes_without_end_keeps_no_call_and_ends_with_its_function() {
    let Some(script) = script(
        "import subprocess\ndef handle(event, headers):\n    print('begun', flush=True)\n    return subprocess.Popen(['yes']).pid",
    ) else {
        return;
    };
    let cloud = Cloud::start(Clock::real(), Realism::INSTANT).await;
    create(&cloud, &script, json!({ "Timeout": 60 })).await;
    let first = invoke(&cloud, json!({})).await;
    assert!(first.json().is_u64(), "{}", first.text());
    let second = invoke(&cloud, json!({})).await;
    let writer = i32::try_from(second.json().as_u64().unwrap()).unwrap();
    let is_there = || {
        let state = std::fs::read_to_string(format!("/proc/{writer}/stat")).unwrap_or_default();
        !(state.is_empty() || state.contains(") Z "))
    };
    cloud.world.lambda.close();
    while is_there() {
        tokio::task::yield_now().await;
    }
}
