//! `connect`: one person at the terminal, talking to a WebSocket URL.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::BufReader;

use super::Context;
use super::local;
use super::output::outputs;
use super::session::{Session, folder, signals};
use super::token;
use crate::cli::Connect;
use crate::error::{Error, ErrorKind};
use crate::talk::client::Client;
use crate::talk::terminal::{Options, talk};

pub(crate) async fn run(context: &Context, args: &Connect) -> Result<ExitCode, Error> {
    let Target {
        base,
        authority,
        token,
    } = match &args.url {
        Some(url) => Target {
            base: url.clone(),
            authority: local::authority(&here(context)),
            token: None,
        },
        None => of_stack(context, args).await?,
    };
    let url = with_query(&base, args, token.as_ref());
    let client = Client::connect_by(&url, &[], &[], authority.as_deref())
        .await
        .map_err(|error| Error::failed(format!("cannot connect to {base}: {error}")))?;
    let stop = signals();
    context.say(&format!("connected to {base}"));
    context.say("`/to NAME hello` sends a message, /help says more, /quit ends");
    let input = BufReader::new(tokio::io::stdin());
    let options = Options {
        user: args.user.as_deref(),
        linger: Duration::from_millis(500),
        now: &now,
        stop: stop.clone(),
    };
    let ended = talk(client, &options, input, tokio::io::stdout())
        .await
        .map_err(|error| Error::failed(format!("the terminal went away: {error}")))?;
    context.say(&format!("disconnected: {ended}"));
    Ok(if *stop.borrow() {
        ExitCode::from(ErrorKind::Stopped.exit_code())
    } else {
        ExitCode::SUCCESS
    })
}

/// Where the stack file is, or would be.
fn here(context: &Context) -> PathBuf {
    context
        .global
        .file
        .as_deref()
        .map_or_else(|| PathBuf::from("."), folder)
}

/// The URL, what to trust there, and what to show where nobody gave a token and one can be made.
struct Target {
    base: String,
    authority: Option<PathBuf>,
    token: Option<String>,
}

async fn of_stack(context: &Context, args: &Connect) -> Result<Target, Error> {
    let session = Session::open(context).await?;
    if session.serves_only_now() {
        // Something else may listen on the port that `dev` would take.
        return Err(Error::failed("nobody serves the local stack now")
            .hint("run `msgai dev` in another terminal"));
    }
    let facts = session.observe().await?.facts();
    let found = outputs(&session, &facts).map(|outputs| outputs.url);
    let url = found.ok_or_else(|| {
        Error::failed("the stack is not deployed here, so there is no URL to connect to")
            .hint("make it with `msgai deploy`, or name a URL: `msgai connect ws://…`")
    })?;
    let token = match &args.user {
        Some(user) if args.token.is_none() && token::mints(&session) => {
            let groups = args.group.clone().into_iter().collect::<Vec<_>>();
            Some(token::mint(&session, user, &groups, token::LASTS)?)
        }
        _ => None,
    };
    Ok(Target {
        base: url,
        authority: session.authority(),
        token,
    })
}

fn with_query(base: &str, args: &Connect, minted: Option<&String>) -> String {
    let pairs = [
        ("userId", args.user.as_ref()),
        ("groupId", args.group.as_ref()),
        ("token", args.token.as_ref().or(minted)),
    ];
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() {
        return base.to_owned();
    }
    format!(
        "{base}{}{query}",
        if base.contains('?') { '&' } else { '?' }
    )
}

/// Hours, minutes and seconds, for the line of a frame.
fn now() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}
