//! A person at a terminal, talking.
//!
//! In: lines, as typed. Out: frames to the API, and what comes back as one line each.
//! Never: a clock of its own, or a control character of somebody else's on the screen.

use std::io;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::client::{Client, Closed, Frame};
use super::plain;

/// How long a goodbye may take before the terminal leaves without an answer.
const GOODBYE: Duration = Duration::from_secs(3);

const HELP: &str = "\
/to NAME TEXT          a message to NAME, or to several: /to bob,eve TEXT
/group GROUP TEXT      a message to everybody in GROUP
/raw TEXT              TEXT as it is
{…}                    JSON as it is
/quit                  goodbye";

/// Who talks, and how.
pub struct Options<'a> {
    /// The user's id, which group messages repeat.
    pub user: Option<&'a str>,
    /// How long to listen on when the input ends, so that a piped message hears its answer.
    pub linger: Duration,
    /// The time of day, as it stands before every line.
    pub now: &'a (dyn Fn() -> String + Sync),
    /// Turns true when the person wants to go, as with Ctrl-C.
    pub stop: watch::Receiver<bool>,
}

/// What a typed line means.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Send(String),
    Help,
    Quit,
    Nothing,
    /// It means nothing; this is why.
    Unclear(String),
}

/// Talks until the input ends, `/quit`, or the server closes; gives how it ended.
pub async fn talk<R, W>(
    mut client: Client,
    options: &Options<'_>,
    input: R,
    output: W,
) -> io::Result<Closed>
where
    R: AsyncBufRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut screen = Screen {
        output,
        now: options.now,
    };
    let mut lines = input.lines();
    let mut stop = options.stop.clone();
    let linger = loop {
        tokio::select! {
            Ok(_) = stop.wait_for(|stop| *stop) => break Duration::ZERO,
            frame = client.next() => {
                if let Some(closed) = screen.show(frame).await? {
                    return Ok(closed);
                }
            }
            line = lines.next_line() => {
                let Some(line) = line? else { break options.linger };
                match command(&line, options.user) {
                    Command::Quit => break Duration::ZERO,
                    Command::Nothing => {}
                    Command::Help => screen.write(HELP).await?,
                    Command::Unclear(why) => screen.line("!", &why).await?,
                    Command::Send(text) => {
                        // When the connection is over, the next frame says how.
                        if let Err(error) = client.send(&text).await {
                            screen.line("!", &error.to_string()).await?;
                        }
                    }
                }
            }
        }
    };
    if let Some(closed) = screen.listen(&mut client, linger).await? {
        return Ok(closed);
    }
    if let Err(error) = client.leave().await {
        screen.line("!", &error.to_string()).await?;
    }
    let ended = screen.listen(&mut client, GOODBYE).await?;
    Ok(ended.unwrap_or_else(|| Closed {
        code: 1006,
        reason: "no answer to the goodbye".to_owned(),
    }))
}

/// Where lines go.
struct Screen<'a, W> {
    output: W,
    now: &'a (dyn Fn() -> String + Sync),
}

impl<W: AsyncWrite + Unpin> Screen<'_, W> {
    /// Shows what comes within the time; the end, if it came.
    async fn listen(&mut self, client: &mut Client, time: Duration) -> io::Result<Option<Closed>> {
        let until = Instant::now() + time;
        while let Ok(frame) = timeout_at(until, client.next()).await {
            if let Some(closed) = self.show(frame).await? {
                return Ok(Some(closed));
            }
        }
        Ok(None)
    }

    async fn show(&mut self, frame: Frame) -> io::Result<Option<Closed>> {
        match frame {
            Frame::Text(text) => {
                let (mark, line) = one_line(&text);
                self.line(mark, &line).await?;
            }
            Frame::Binary(length) => {
                self.line("←", &format!("(a binary frame of {length} bytes)"))
                    .await?;
            }
            Frame::Pong(_) => {}
            Frame::Closed(closed) => {
                self.line("·", &format!("closed {closed}")).await?;
                return Ok(Some(closed));
            }
        }
        Ok(None)
    }

    async fn line(&mut self, mark: &str, text: &str) -> io::Result<()> {
        let line = format!("{} {mark} {}", (self.now)(), plain(text));
        self.write(&line).await
    }

    async fn write(&mut self, text: &str) -> io::Result<()> {
        self.output.write_all(text.as_bytes()).await?;
        self.output.write_all(b"\n").await?;
        self.output.flush().await
    }
}

fn command(line: &str, user: Option<&str>) -> Command {
    let line = line.trim();
    if line.is_empty() {
        return Command::Nothing;
    }
    let Some(slash) = line.strip_prefix('/') else {
        return match serde_json::from_str::<Value>(line) {
            Ok(_) => Command::Send(line.to_owned()),
            Err(error) => Command::Unclear(format!(
                "not JSON: {error}; /raw sends it all the same, /help says what else"
            )),
        };
    };
    let (name, rest) = word(slash);
    match name {
        "to" => to(rest),
        "group" => group(rest, user),
        "raw" if !rest.is_empty() => Command::Send(rest.to_owned()),
        "raw" => Command::Unclear("say what: /raw TEXT".to_owned()),
        "help" | "?" => Command::Help,
        "quit" | "exit" | "q" => Command::Quit,
        _ => Command::Unclear(format!("unknown command /{name}; /help lists them")),
    }
}

fn to(rest: &str) -> Command {
    let (names, text) = word(rest);
    let names: Vec<&str> = names.split(',').filter(|name| !name.is_empty()).collect();
    let mut message = Map::from_iter([("action".to_owned(), json!("sendMessage"))]);
    match names.as_slice() {
        [_, ..] if text.is_empty() => {
            return Command::Unclear("say what: /to NAME TEXT".to_owned());
        }
        [] => return Command::Unclear("say to whom: /to NAME TEXT".to_owned()),
        [only] => {
            message.insert("recipientId".to_owned(), json!(only));
        }
        several => {
            message.insert("recipientIds".to_owned(), json!(several));
            message.insert("isGroupChat".to_owned(), json!(true));
        }
    }
    message.insert("content".to_owned(), json!(text));
    Command::Send(Value::Object(message).to_string())
}

fn group(rest: &str, user: Option<&str>) -> Command {
    let (group, text) = word(rest);
    if group.is_empty() || text.is_empty() {
        return Command::Unclear("say where and what: /group GROUP TEXT".to_owned());
    }
    let mut message = Map::from_iter([
        ("action".to_owned(), json!("sendMessage")),
        ("groupId".to_owned(), json!(group)),
    ]);
    if let Some(user) = user {
        message.insert("senderId".to_owned(), json!(user));
        message.insert("senderName".to_owned(), json!(user));
    }
    message.insert("message".to_owned(), json!(text));
    Command::Send(Value::Object(message).to_string())
}

/// A frame as a person reads it, behind a mark that says what it is.
fn one_line(frame: &str) -> (&'static str, String) {
    let Ok(value) = serde_json::from_str::<Value>(frame) else {
        return ("←", frame.to_owned());
    };
    let data = &value["data"];
    match value["type"].as_str() {
        Some("message") => {
            message(data).map_or_else(|| ("←", value.to_string()), |line| ("←", line))
        }
        Some("messageStatus") => ("·", status(data)),
        Some("error") => (
            "!",
            format!("{}: {}", text(&data["code"]), text(&data["message"])),
        ),
        _ => from_gateway(&value).map_or_else(|| ("←", value.to_string()), |line| ("!", line)),
    }
}

fn message(data: &Value) -> Option<String> {
    let said = data.get("content").or_else(|| data.get("message"))?;
    let who = data.get("senderName").or_else(|| data.get("senderId"))?;
    let place = data
        .get("groupId")
        .map_or_else(String::new, |group| format!(" in {}", text(group)));
    Some(format!("{}{place}: {}", text(who), text(said)))
}

fn status(data: &Value) -> String {
    let id = text(&data["messageId"]);
    match (data["status"].as_str(), data["recipients"].as_u64()) {
        (Some("sent"), _) => format!("{id} stored, nobody is online"),
        (Some(status), Some(1)) => format!("{id} {status} to 1 connection"),
        (Some(status), Some(many)) => format!("{id} {status} to {many} connections"),
        _ => data.to_string(),
    }
}

/// API Gateway's own error frame: a message, and ids to find it in the logs by.
fn from_gateway(value: &Value) -> Option<String> {
    let said = value.get("message")?.as_str()?;
    value.get("connectionId")?;
    let hint = match said {
        "Forbidden" => ", there is no route for this message",
        "Internal server error" => ", the function failed: its log group says why",
        _ => "",
    };
    let request = value
        .get("requestId")
        .map_or_else(String::new, |id| format!(" (request {})", text(id)));
    Some(format!("API Gateway: {said}{hint}{request}"))
}

/// A string without its quotes, anything else as JSON.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(first, rest)| (first, rest.trim_start()))
}

#[cfg(test)]
mod tests;
