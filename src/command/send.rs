//! `send`: one message, and what the server says of it.

use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use ulid::Ulid;

use super::Context;
use super::door::{Door, Guest};
use crate::cli::talk::Send;
use crate::error::Error;
use crate::talk::client::{Client, Frame};
use crate::talk::dialect::{Saying, Whom};
use crate::talk::errand::{Unheard, Word, deliver};

/// API Gateway takes no larger message.
const LARGEST: u64 = 128 * 1024;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(3);

pub(crate) async fn run(context: &Context, args: &Send) -> Result<ExitCode, Error> {
    if args.user.is_none() && args.token.as_deref() == Some("") {
        return Err(
            Error::usage("nobody says this: MSGAI_TOKEN is empty").hint("say who with `--as NAME`")
        );
    }
    let text = text(args)?;
    let id = args.id.clone();
    let id = id.unwrap_or_else(|| Ulid::generate().to_string());
    let door = Door::find(context, args.url.as_deref()).await?;
    let whom = match &args.group {
        Some(group) => Whom::Group(group.clone()),
        None => Whom::People(args.to.clone()),
    };
    let saying = Saying {
        text: &text,
        user: args.user.as_deref(),
        id: Some(&id),
    };
    let message = door.dialect.say(&whom, saying).map_err(|missing| {
        Error::failed(format!("the message cannot be sent: {missing}"))
            .hint("`msgai connect` sends any JSON as it is")
    })?;
    let guest = Guest::new(args.user.as_ref(), args.group.as_ref(), args.token.as_ref());
    let mut client = door.enter(guest).await?;
    let said = deliver(&mut client, &message, &id, args.timeout).await;
    goodbye(client).await;
    let word = said.map_err(|unheard| unsaid(&unheard, &id))?;
    tell(context, &word, &id);
    Ok(ExitCode::SUCCESS)
}

fn text(args: &Send) -> Result<String, Error> {
    if args.text != "-" {
        return Ok(args.text.clone());
    }
    let mut text = String::new();
    let mut input = std::io::stdin().take(LARGEST + 1);
    input.read_to_string(&mut text).map_err(|error| {
        Error::failed(format!("the message cannot be read from stdin: {error}"))
    })?;
    // The line's end is the shell's and not the message's.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Error::usage("there is nothing on stdin to send"));
    }
    Ok(text.to_owned())
}

/// The message has been dealt with, so whatever becomes of the goodbye is nobody's loss.
async fn goodbye(mut client: Client) {
    let leaving = async {
        if client.leave().await.is_ok() {
            while !matches!(client.next().await, Frame::Closed(_)) {}
        }
    };
    timeout(GOODBYE, leaving).await.ok();
}

fn tell(context: &Context, word: &Word, id: &str) {
    if context.global.json {
        context.say_json(json!({
            "type": "sent",
            "version": 1,
            "message_id": id,
            "status": word.status,
            "recipients": word.recipients,
            "pending": word.pending,
        }));
    } else {
        context.print(&format!("{id} {word}\n"));
    }
}

fn unsaid(unheard: &Unheard, id: &str) -> Error {
    let error = Error::failed(format!("message {id}: {unheard}"));
    let error = error.details(json!({ "message_id": id }));
    if unheard.is_open() {
        return error.hint(format!(
            "send it again with `--id {id}`: it is delivered once"
        ));
    }
    let hint = match unheard {
        Unheard::Closed(closed) => match closed.advice() {
            Some(advice) => advice.to_owned(),
            None => return error,
        },
        Unheard::Gateway(_) => "`msgai status` shows the routes that are deployed".to_owned(),
        Unheard::Refused { code, .. } => match code.as_str() {
            "forbidden" => "say it as one of the group, with `--as`".to_owned(),
            "unsupported" => {
                "see the indexes of table `connections`: `--to` needs userId, `--group` groupId"
                    .to_owned()
            }
            "conflict" => "leave out `--id`, or take another".to_owned(),
            _ => return error,
        },
        _ => return error,
    };
    error.hint(hint)
}
