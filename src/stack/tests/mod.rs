//! Whole files, good and bad.

mod examples;
mod hostile;
mod limits;
mod merging;
mod mistakes;
mod wrong;

use super::{Loaded, Problems, load_text};

/// A file without a complaint, for tests to spoil.
const GOOD: &str = r#"name: chat
region: us-east-1
tables:
  connections:
    key: connectionId
    ttl: ttl
    indexes: { userId-index: userId }
  messages:
    key: messageId
functions:
  connect: { handler: connect }
  disconnect: { handler: disconnect }
  sendMessage: { handler: send, memory: 256, timeout: 10s }
  authorize:
    source: ./authorize.zip
    runtime: nodejs22.x
    entry: index.handler
    environment: { LEVEL: info }
    uses: { tables.messages: [read] }
api:
  stage: production
  routes:
    $connect: connect
    $disconnect: disconnect
    sendMessage: { function: sendMessage, reply: true }
auth: { function: authorize, identity: [querystring.token] }
outputs:
  .env.local: { URL: "${api.url}" }
"#;

fn load(text: &str) -> Result<Loaded, Problems> {
    load_text(text, "stack.yaml", None, &|_| None)
}

/// The good file with one thing changed.
fn spoilt(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "`{from}` is there once");
    GOOD.replace(from, to)
}

/// `line:column message` of everything found, warnings too, with the hint after a slash.
fn complaints(
    text: &str,
    environment: Option<&str>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Vec<String> {
    let all = match load_text(text, "stack.yaml", environment, env) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems.all,
    };
    all.iter()
        .map(|placed| {
            let spot = match (placed.line, placed.column) {
                (Some(line), Some(column)) => format!("{line}:{column}"),
                _ => "-".to_owned(),
            };
            let hint = placed
                .hint
                .as_ref()
                .map(|hint| format!(" / {hint}"))
                .unwrap_or_default();
            format!("{spot} {}: {}{hint}", placed.severity, placed.message)
        })
        .collect()
}

#[test]
fn the_good_file_is_good() {
    assert_eq!(complaints(GOOD, None, &|_| None), Vec::<String>::new());
}
