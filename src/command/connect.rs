//! `connect`: one person at the terminal, or a pipe, talking to a WebSocket URL.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use etcetera::BaseStrategy as _;
use serde_json::json;
use tokio::io::BufReader;

use super::Context;
use super::door::{Door, Guest};
use super::session::signals;
use crate::cli::talk::Connect;
use crate::error::{Error, ErrorKind};
use crate::talk::client::Client;
use crate::talk::editor::{self, Above, Setting};
use crate::talk::keyboard::Keyboard;
use crate::talk::shown::{Form, Lines};
use crate::talk::terminal::{Ended, Options, talk};

/// How often another connection is tried for: about two minutes.
const TRIES: u32 = 12;

pub(crate) async fn run(context: &Context, args: &Connect) -> Result<ExitCode, Error> {
    let door = Door::find(context, args.url.as_deref()).await?;
    let guest = Guest::new(args.user.as_ref(), args.group.as_ref(), args.token.as_ref());
    let client = door.enter(guest).await?;
    let base = door.base.split('?').next().unwrap_or_default();
    if context.global.json {
        context.say_json(json!({ "type": "connected", "version": 1, "url": base }));
    } else {
        context.say(&format!("connected to {base}"));
        context.say("`/to NAME hello` sends a message, /help says more, /quit ends");
    }
    let ended = converse(context, args, &door, guest, client).await;
    let ended = ended.map_err(|error| Error::failed(format!("the terminal went away: {error}")))?;
    done(context, &door, &ended)
}

async fn converse(
    context: &Context,
    args: &Connect,
    door: &Door,
    guest: Guest<'_>,
    client: Client,
) -> std::io::Result<Ended> {
    // Each time a token is made anew, where it can be.
    let dial = async || door.dial(guest).await;
    let options = |is_edited: bool| Options {
        user: guest.user,
        group: guest.group,
        dialect: &door.dialect,
        form: Form {
            colour: context.look.colour && !context.global.json,
            json: context.global.json,
            spread: is_edited,
            now: if context.global.json {
                &super::now
            } else {
                &now
            },
        },
        linger: Duration::from_millis(500),
        tries: if args.no_reconnect { 0 } else { TRIES },
        keeps: !args.no_keep_alive,
        is_heard: door.stack.is_some() && door.dialect.presence.is_some(),
        stop: signals(),
    };
    let Some((mut keyboard, mut above)) = edited(context, args, guest) else {
        let mut keyboard = Keyboard::stream(BufReader::new(tokio::io::stdin()));
        let mut lines = Lines(std::io::stdout());
        let options = options(false);
        let talking = talk(client, dial, &options, &mut keyboard, &mut lines);
        return Box::pin(talking).await;
    };
    let options = options(true);
    let talking = talk(client, dial, &options, &mut keyboard, &mut above);
    let ended = Box::pin(talking).await;
    // In this order: the editor lets go before the terminal is put back.
    drop(keyboard);
    drop(above);
    ended
}

/// Line editing, where there is a terminal that can be drawn on, and somebody at it.
fn edited(context: &Context, args: &Connect, guest: Guest<'_>) -> Option<(Keyboard, Above)> {
    let can_edit = context.can_draw
        && !context.global.json
        && std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal();
    if !can_edit {
        return None;
    }
    let setting = Setting {
        user: guest.user.unwrap_or_default().to_owned(),
        colour: context.look.colour,
        history: history().filter(|_| !args.no_history),
        secrets: guest.token.map(str::to_owned).into_iter().collect(),
    };
    // A terminal that cannot do it still takes lines.
    editor::open(setting).ok()
}

/// Where this system keeps what programs remember.
fn history() -> Option<PathBuf> {
    let places = etcetera::choose_base_strategy().ok()?;
    let folder = places.state_dir().unwrap_or_else(|| places.cache_dir());
    Some(folder.join("msgai").join("connect-history"))
}

fn done(context: &Context, door: &Door, ended: &Ended) -> Result<ExitCode, Error> {
    let closed = &ended.closed;
    if ended.is_stopped {
        return Ok(ExitCode::from(ErrorKind::Stopped.exit_code()));
    }
    if let Some(error) = &ended.why {
        return Err(door.shut(error));
    }
    // By these codes a server says goodbye.
    if ended.is_wanted || closed.is_answer() {
        if !context.global.json {
            context.say(&format!("disconnected: {closed}"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let hints = closed.advice().map(str::to_owned);
    Err(Error::failed(format!("the connection ended: {closed}")).hints(hints))
}

/// Hours, minutes and seconds, for the line of a frame.
fn now() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}
