//! `connect`: one person at the terminal, talking to a WebSocket URL.

use std::process::ExitCode;
use std::time::Duration;

use tokio::io::BufReader;

use super::Context;
use super::door::{Door, Guest};
use super::session::signals;
use crate::cli::talk::Connect;
use crate::error::{Error, ErrorKind};
use crate::talk::terminal::{Options, talk};

pub(crate) async fn run(context: &Context, args: &Connect) -> Result<ExitCode, Error> {
    let door = Door::find(context, args.url.as_deref()).await?;
    let guest = Guest::new(args.user.as_ref(), args.group.as_ref(), args.token.as_ref());
    let client = door.enter(guest).await?;
    let base = &door.base;
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

/// Hours, minutes and seconds, for the line of a frame.
fn now() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}
