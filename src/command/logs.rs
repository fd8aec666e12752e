//! `logs`: what the functions and the stage wrote, one line after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Context;
use super::session::{Session, of_cloud};
use crate::cli::Logs;
use crate::cloud::lines::Line;
use crate::cloud::wait::pause;
use crate::error::Error;
use crate::plan::render::Look;
use crate::stack::Stack;

/// Lines may become known some time after they were written; so far back is looked again for what is new.
const LATE: Duration = Duration::from_secs(30);

/// Between two looks of `--follow`. `FilterLogEvents` is granted a few times a second to the whole account.
const PAUSE: Duration = Duration::from_secs(2);

/// Between two looks at a cloud on this machine.
const PAUSE_HERE: Duration = Duration::from_millis(200);

/// What Lambda writes around the lines of a function.
const OF_LAMBDA: [&str; 5] = [
    "START RequestId:",
    "END RequestId:",
    "REPORT RequestId:",
    "INIT_START ",
    "INIT_REPORT ",
];

/// What the stage's access log is called here.
const STAGE: &str = "api";

pub(crate) async fn run(context: &Context, args: &Logs) -> Result<ExitCode, Error> {
    let session = Session::open(context).await?;
    let sources = sources(&session.loaded.stack, args.function.as_deref())?;
    let pattern = pattern(args)?;
    let mut since = before_now(args.since);
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    loop {
        let looks = sources
            .keys()
            .map(|group| session.cloud.lines(group, since, pattern.as_deref()));
        let mut lines: Vec<Line> = try_join_all(looks)
            .await
            .map_err(of_cloud)?
            .into_iter()
            .flatten()
            .collect();
        lines.sort();
        for line in lines.iter().filter(|line| !known.contains(&key(line))) {
            if context.global.verbose || !is_of_lambda(&line.text) {
                show(context, &sources[&line.group], line);
            }
        }
        if !args.follow {
            return Ok(ExitCode::SUCCESS);
        }
        since = since.max(before_now(LATE));
        known.extend(lines.iter().map(key));
        known = known_since(known, &lines, since);
        pause(if session.is_local() {
            PAUSE_HERE
        } else {
            PAUSE
        })
        .await;
    }
}

fn key(line: &Line) -> (String, String) {
    (line.group.clone(), line.id.clone())
}

/// What the next look can find again; everything older is forgotten.
fn known_since(
    known: BTreeSet<(String, String)>,
    seen: &[Line],
    since: i64,
) -> BTreeSet<(String, String)> {
    let recent: BTreeSet<_> = seen.iter().filter(|l| l.at >= since).map(key).collect();
    known
        .into_iter()
        .filter(|key| recent.contains(key))
        .collect()
}

/// Milliseconds since the epoch.
fn before_now(time: Duration) -> i64 {
    let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp::now().as_millisecond().saturating_sub(time)
}

/// Log groups, each with the name that the stack file has for who writes there.
fn sources(stack: &Stack, function: Option<&str>) -> Result<BTreeMap<String, String>, Error> {
    let all = stack.functions.keys();
    let all = all.map(|key| (stack.log_group_name(key), key.clone()));
    let of_stage = stack.api.logs.is_some();
    let of_stage = of_stage.then(|| (stack.access_log_group_name(), STAGE.to_owned()));
    let all: BTreeMap<String, String> = all.chain(of_stage).collect();
    let Some(wanted) = function else {
        return Ok(all);
    };
    let found: BTreeMap<_, _> = all
        .iter()
        .filter(|(group, name)| *name == wanted || group.ends_with(&format!("/{wanted}")))
        .map(|(group, name)| (group.clone(), name.clone()))
        .collect();
    if found.is_empty() {
        if wanted == STAGE {
            return Err(Error::usage("the stack keeps no access log")
                .hint("`logs: { retention: 14d }` under `api` turns it on"));
        }
        let unfit = stack.no_function(wanted);
        return Err(Error::usage(unfit.message).hints(unfit.hint));
    }
    Ok(found)
}

/// In the words of `CloudWatch`: one term in quotes, or what the user wrote.
fn pattern(args: &Logs) -> Result<Option<String>, Error> {
    match &args.connection {
        Some(id) if id.contains('"') => Err(Error::usage("a connection's id has no quotes")),
        Some(id) => Ok(Some(format!("\"{id}\""))),
        None => Ok(args.filter.clone()),
    }
}

fn is_of_lambda(text: &str) -> bool {
    OF_LAMBDA.iter().any(|start| text.starts_with(start))
}

fn show(context: &Context, source: &str, line: &Line) {
    if context.global.json {
        let message = serde_json::from_str(&line.text).ok();
        context.print_json(&json!({
            "type": "log",
            "version": 1,
            "at": time(line).to_string(),
            "source": source,
            "group": line.group,
            "stream": line.stream,
            "message": message.unwrap_or_else(|| Value::from(line.text.as_str())),
        }));
        return;
    }
    context.print(&format!("{}\n", text(context.look, source, line)));
}

fn time(line: &Line) -> Timestamp {
    Timestamp::from_millisecond(line.at).unwrap_or_default()
}

/// When, who, what; further lines of a text stand under its first.
fn text(look: Look, source: &str, line: &Line) -> String {
    let at = look.faint(&time(line).strftime("%H:%M:%S%.3f").to_string());
    let name = look.of_name(source, &format!("{source:<12}"));
    let mut lines = line.text.lines();
    let mut out = format!("{at}  {name}  {}", lines.next().unwrap_or_default());
    for line in lines {
        out.push_str(&format!("\n{:28}{line}", ""));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: i64, id: &str) -> Line {
        Line {
            at,
            group: "/aws/lambda/chat-send".to_owned(),
            stream: "s".to_owned(),
            id: id.to_owned(),
            text: "one\ntwo".to_owned(),
        }
    }

    #[test]
    fn a_line_says_when_and_who_and_its_lines_stay_together() {
        let look = Look { colour: false };
        assert_eq!(
            text(look, "send", &line(1_500, "a")),
            "00:00:01.500  send          one\n                            two"
        );
    }

    #[test]
    fn only_what_can_come_again_is_remembered() {
        let seen = [line(10, "a"), line(20, "b")];
        let known = seen.iter().map(key).collect();
        let kept = known_since(known, &seen, 15);
        assert_eq!(kept, BTreeSet::from([key(&seen[1])]));
    }
}
