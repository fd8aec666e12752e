//! A function's process: started as Lambda starts it, and asked what it has used.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Instant;

use serde_json::{Value, json};

use crate::cloud::{Answered, Cloud};
use crate::tls::Tls;

/// What is measured: a name for the table, and the words that start it. `{handler}` becomes the handler's name.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) name: String,
    words: Vec<String>,
    pub(crate) package: Option<PathBuf>,
}

impl FromStr for Program {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').ok_or("write NAME=COMMAND")?;
        let (command, package) = match rest.split_once(" zip:") {
            Some((command, zip)) => (command, Some(PathBuf::from(zip))),
            None => (rest, None),
        };
        let words: Vec<_> = command.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            return Err(format!("`{name}` has no command"));
        }
        Ok(Self {
            name: name.to_owned(),
            words,
            package,
        })
    }
}

pub(crate) struct Function {
    child: Child,
    pub(crate) cloud: Cloud,
    pub(crate) started: Instant,
}

impl Function {
    /// Starts with its first event waiting, as a cold start is.
    pub(crate) fn start(
        program: &Program,
        handler: &str,
        cloud: Cloud,
        tls: Option<&Tls>,
        first: Value,
    ) -> Self {
        cloud.event(first);
        let mut words = program
            .words
            .iter()
            .map(|word| word.replace("{handler}", handler));
        let mut command = Command::new(words.next().expect("a command"));
        command.args(words).env_clear().envs([
            ("_HANDLER", handler),
            ("AWS_LAMBDA_RUNTIME_API", &cloud.api.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            (
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            ),
            // As long as Lambda's are.
            ("AWS_SESSION_TOKEN", &"IQoJb3JpZ2luX2VjE".repeat(50)),
            ("AWS_ENDPOINT_URL", &cloud.services),
            (
                "MANAGEMENT_ENDPOINT",
                &format!("{}/production", cloud.services),
            ),
            ("CONNECTIONS_TABLE", "Connections"),
            ("CONNECTIONS_INDEX_BY_USER_ID", "userId-index"),
            ("CONNECTIONS_INDEX_BY_GROUP_ID", "groupId-index"),
            ("MESSAGES_TABLE", "Messages"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ]);
        if let Some(tls) = tls {
            command
                .env("SSL_CERT_FILE", &tls.roots)
                .env("NODE_EXTRA_CA_CERTS", &tls.roots);
        }
        let started = Instant::now();
        let child = command.stdout(Stdio::null()).spawn();
        Self {
            child: child.unwrap_or_else(|why| panic!("{} does not start: {why}", program.name)),
            cloud,
            started,
        }
    }

    /// The answer to the oldest event. Anything but a response ends the measurement.
    pub(crate) fn answer(&self) -> Answered {
        let answered = self.cloud.answer();
        let said = String::from_utf8_lossy(&answered.body);
        assert_eq!(answered.what, "response", "{said}");
        let status = serde_json::from_str::<Value>(&said)
            .ok()
            .and_then(|said| said["statusCode"].as_u64());
        assert_eq!(status, Some(200), "{said}");
        answered
    }

    /// Milliseconds from handing out an event to its answer.
    pub(crate) fn call(&self, event: Value) -> f64 {
        let begun = Instant::now();
        self.cloud.event(event);
        millis(self.answer().at - begun)
    }

    /// Milliseconds of processor time, of all its threads.
    pub(crate) fn processor(&self) -> f64 {
        let tasks =
            std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("a process");
        let nanoseconds = tasks.flatten().filter_map(|task| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        nanoseconds.sum::<u64>() as f64 / 1e6
    }

    /// The most memory that it has had, in megabytes.
    pub(crate) fn peak(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).expect("a process");
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes.expect("a figure of the kernel") / 1024.0
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The Runtime API of this process, when it is a function itself.
#[expect(
    clippy::disallowed_methods,
    reason = "Lambda says it by the environment"
)]
pub(crate) fn api() -> String {
    std::env::var("AWS_LAMBDA_RUNTIME_API").expect("a Runtime API")
}

pub(crate) fn millis(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// An event as API Gateway makes it.
pub(crate) fn event(handler: &str, to_group: bool) -> Value {
    let context = |route: &str, kind: &str| {
        json!({
            "routeKey": route, "eventType": kind, "connectionId": "TXzPWdnoalice1=", "requestId": "r1",
            "extendedRequestId": "r1", "requestTime": "19/Feb/2024:07:11:42 +0000", "messageDirection": "IN",
            "domainName": "abc.execute-api.eu-west-1.amazonaws.com", "stage": "production", "apiId": "abc",
            "connectedAt": 1_708_326_702_000_u64, "requestTimeEpoch": 1_708_326_702_001_u64,
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "bench"}
        })
    };
    if handler == "connect" {
        return json!({
            "headers": {"Host": "abc.execute-api.eu-west-1.amazonaws.com", "Sec-WebSocket-Version": "13"},
            "queryStringParameters": {"userId": "alice", "groupId": "ward-3"},
            "requestContext": context("$connect", "CONNECT"), "isBase64Encoded": false
        });
    }
    let message = if to_group {
        json!({"action": "sendMessage", "groupId": "ward-3", "message": "The round begins at nine."})
    } else {
        json!({"action": "sendMessage", "recipientId": "bob", "content": "The round begins at nine."})
    };
    json!({
        "requestContext": context("sendMessage", "MESSAGE"), "body": message.to_string(), "isBase64Encoded": false
    })
}
