//! `bench`: many clients against the deployed URL, and how long what one says takes to the others.

mod room;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::Context;
use super::dev::words::finds_by;
use super::door::{Door, Guest};
use super::session::signals;
use super::token;
use crate::cli::talk::Bench;
use crate::error::{Error, ErrorKind};
use crate::talk::bench::{Member, Plan, Progress, Report, run as play};

/// On AWS, from so many messages on it is asked first.
const ASKED: usize = 1000;

/// Members of a group where people are found by group alone and nobody said how many.
const GROUP: usize = 5;

/// Whether each message has arrived is noted for each who hears it; more of these notes than this fill a machine.
const MOST_HEARD: usize = 20_000_000;

pub(crate) async fn run(context: &Context, args: &Bench) -> Result<ExitCode, Error> {
    let plan = plan(args);
    room::for_sockets(args.clients)?;
    let door = Door::find(context, args.url.as_deref()).await?;
    let people = people(args, &door, &plan)?;
    let reach = people.size.unwrap_or(1);
    if (plan.messages + plan.warm_up).saturating_mul(reach) > MOST_HEARD {
        return Err(
            Error::usage("so many messages to so many cannot be kept count of")
                .hint("send fewer with `--messages`, or to smaller `--groups`"),
        );
    }
    if door.is_here() {
        if !context.global.json {
            context.say("this measures the local cloud on this machine, which says nothing of AWS");
        }
    } else {
        ask(context, &plan, &people, reach)?;
    }
    let tokens = &people.tokens;
    let dial = async |member: &Member| {
        let guest = Guest {
            // Whoever has a token is who it says.
            user: Some(member.user.as_str()).filter(|_| tokens.is_empty()),
            group: member.group.as_deref(),
            token: tokens.get(&member.user).map(String::as_str),
        };
        door.dial(guest).await
    };
    let tell = |progress: Progress| tell(context, &plan, people.members.len(), progress);
    let stop = signals();
    let playing = play(
        &plan,
        people.members.clone(),
        &door.dialect,
        dial,
        stop,
        &tell,
    );
    let report = Box::pin(playing)
        .await
        .map_err(|missing| Error::failed(format!("there is nothing to measure: {missing}")))?;
    show(context, &door, &report);
    verdict(&report)
}

fn plan(args: &Bench) -> Plan {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Plan {
        run: std::iter::repeat_with(fastrand::alphanumeric)
            .take(8)
            .collect(),
        warm_up: count(args.warm_up.unwrap_or(args.clients)),
        messages: count(args.messages),
        rate: f64::from(args.rate),
        length: count(args.length),
        connect_rate: f64::from(args.connect_rate),
        patience: args.patience,
    }
}

/// Who comes.
struct People {
    members: Vec<Member>,
    /// By the user that each names.
    tokens: BTreeMap<String, String>,
    /// Of a group, if they talk in groups.
    size: Option<usize>,
}

fn people(args: &Bench, door: &Door, plan: &Plan) -> Result<People, Error> {
    let by_group_alone = door
        .stack
        .as_ref()
        .is_some_and(|stack| finds_by(stack, "groupId") && !finds_by(stack, "userId"));
    let size = args
        .groups
        .map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    let size = size.or_else(|| by_group_alone.then_some(GROUP));
    let clients = usize::try_from(args.clients).unwrap_or(usize::MAX);
    let tokens = match &args.tokens {
        Some(path) => tokens(path, clients)?,
        None if door.asks_for_token() => {
            return Err(
                Error::usage("clients of this stack sign in, and there are no tokens")
                    .hint("write one user's token a line into a file, and say `--tokens FILE`"),
            );
        }
        None => BTreeMap::new(),
    };
    let run = &plan.run;
    let users: Vec<String> = if tokens.is_empty() {
        (0..clients).map(|n| format!("bench-{run}-{n}")).collect()
    } else {
        tokens.keys().cloned().collect()
    };
    let group = |n: usize| size.map(|size| format!("bench-{run}-{}", n / size));
    let users = users.into_iter().enumerate();
    let members = users.map(|(n, user)| Member {
        user,
        group: group(n),
    });
    Ok(People {
        members: members.collect(),
        tokens,
        size,
    })
}

/// By the user that each names, since that is how others find its client.
fn tokens(path: &Path, most: usize) -> Result<BTreeMap<String, String>, Error> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::failed(format!("cannot read the tokens in {name}: {error}")))?;
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty());
    let mut tokens = BTreeMap::new();
    for (index, token) in lines.take(most) {
        let user = token::subject(token).ok_or_else(|| {
            // The line itself is a secret.
            Error::failed(format!(
                "{name}:{}: this token does not say who it is for",
                index + 1
            ))
            .hint("a bench needs JSON Web Tokens with a `sub`")
        })?;
        tokens.insert(user, token.to_owned());
    }
    if tokens.len() < 2 {
        return Err(Error::failed(format!(
            "{name} has tokens of fewer than two users"
        )));
    }
    Ok(tokens)
}

/// What it takes on AWS, before it is taken.
fn ask(context: &Context, plan: &Plan, people: &People, reach: usize) -> Result<(), Error> {
    let clients = people.members.len();
    let messages = plan.messages + plan.warm_up;
    let frames = messages * (2 + reach);
    let calls = messages + 2 * clients;
    if !context.global.json {
        context.say(&format!(
            "on AWS this is billed as about {frames} messages of API Gateway ({messages} in, the rest out), \
             {calls} invocations of functions and their writes to the tables; \
             what is said stays in the table of messages"
        ));
    }
    if messages < ASKED {
        return Ok(());
    }
    let question = format!("Send {messages} messages with {clients} clients?");
    context.confirm(&question, "bench")
}

/// On one line, drawn over again.
fn tell(context: &Context, plan: &Plan, clients: usize, progress: Progress) {
    if !context.can_draw || context.global.json || context.global.quiet {
        return;
    }
    let text = match progress {
        Progress::Connected(inside) => format!("{inside} of {clients} clients"),
        Progress::Sent(sent, received) => {
            let all = plan.messages + plan.warm_up;
            // Drawing takes time that would be measured.
            if sent % (all / 100).max(1) != 0 {
                return;
            }
            format!("{sent} of {all} sent, {received} received")
        }
    };
    context.draw(&text);
}

fn show(context: &Context, door: &Door, report: &Report) {
    if context.global.json {
        let mut object = json!({
            "type": "bench",
            "version": 1,
            "url": door.base.split('?').next(),
        });
        let more = report.json();
        for (key, value) in more.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        context.say_json(object);
    } else {
        context.draw("");
        context.print(&report.to_string());
    }
}

fn verdict(report: &Report) -> Result<ExitCode, Error> {
    if report.stopped {
        return Ok(ExitCode::from(ErrorKind::Stopped.exit_code()));
    }
    if report.clients < 2 {
        let why = report.shut_out.keys().next();
        let why = why.map_or_else(|| "nobody answered".to_owned(), Clone::clone);
        return Err(Error::failed(format!(
            "fewer than two clients could connect: {why}"
        )));
    }
    if report.is_clean() {
        return Ok(ExitCode::SUCCESS);
    }
    let shut_out: u64 = report.shut_out.values().sum();
    let errors: u64 = report.errors.values().sum();
    let parts = [
        (shut_out, "clients could not connect"),
        (report.dropped(), "messages did not arrive"),
        (errors, "errors were told"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    Err(Error::failed(parts.join(", "))
        .hint("`msgai logs --since 5m` shows what the functions wrote; a lower `--rate` shows where it begins"))
}
