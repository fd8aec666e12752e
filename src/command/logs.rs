//! `logs`: what the functions and the stage wrote, one line after the other.

mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Context;
use super::session::{Session, of_cloud, signals};
use crate::apply::stopped;
use crate::cli::Logs;
use crate::cloud::lines::Line;
use crate::cloud::wait::pause;
use crate::error::{Error, ErrorKind};
use crate::stack::Stack;
use line::Form;

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
    let told = Box::pin(tell(context, args));
    if !args.follow {
        return told.await;
    }
    let mut stop = signals();
    tokio::select! {
        done = told => done,
        () = stopped(&mut stop) => Ok(ExitCode::from(ErrorKind::Stopped.exit_code())),
    }
}

/// What there is, and with `--follow` whatever comes.
async fn tell(context: &Context, args: &Logs) -> Result<ExitCode, Error> {
    let session = Session::open(context).await?;
    let sources = sources(&session.loaded.stack, args.function.as_deref())?;
    let pattern = pattern(args)?;
    let verbose = context.global.verbose;
    // Whoever searches a file for a line wants it in one piece.
    let width = context.is_screen().then(|| context.columns());
    let form = Form::new(context.look, verbose, width, sources.values());
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
            if verbose || !is_of_lambda(&line.text) {
                show(context, form, &sources[&line.group], line);
            }
        }
        if !args.follow {
            return Ok(ExitCode::SUCCESS);
        }
        since = since.max(before_now(LATE));
        known.extend(lines.iter().map(key));
        known = known_since(known, &lines, since);
        let rest = if session.is_local() {
            PAUSE_HERE
        } else {
            PAUSE
        };
        pause(rest).await;
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

fn show(context: &Context, form: Form, source: &str, line: &Line) {
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
    context.print(&format!("{}\n", form.text(time(line), source, &line.text)));
}

fn time(line: &Line) -> Timestamp {
    Timestamp::from_millisecond(line.at).unwrap_or_default()
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
    fn only_what_can_come_again_is_remembered() {
        let seen = [line(10, "a"), line(20, "b")];
        let known = seen.iter().map(key).collect();
        let kept = known_since(known, &seen, 15);
        assert_eq!(kept, BTreeSet::from([key(&seen[1])]));
    }
}
