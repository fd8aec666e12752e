//! What comes in and what happens, as people read it, or as a program does.
//!
//! In: frames and events. Out: lines, without anything of somebody else's that steers a terminal.

use std::io;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::client::Closed;
use super::plain;
use super::pretty::pretty;

/// Where whole lines go.
pub trait Screen {
    /// Without the last line's end.
    fn write(&mut self, lines: &str) -> io::Result<()>;
}

/// A stream of lines.
#[derive(Debug)]
pub struct Lines<W>(pub W);

impl<W: io::Write> Screen for Lines<W> {
    fn write(&mut self, lines: &str) -> io::Result<()> {
        writeln!(self.0, "{lines}")?;
        self.0.flush()
    }
}

/// How things are shown.
#[derive(Clone, Copy)]
pub struct Form<'a> {
    pub colour: bool,
    /// An object a line, for a program.
    pub json: bool,
    /// JSON of unknown shape goes over several lines.
    pub spread: bool,
    /// The time of day, as it stands before every line, or of an object.
    pub now: &'a (dyn Fn() -> String + Sync),
}

/// One thing that happened.
pub(super) enum Event<'a> {
    /// A frame, and what is to be known of it besides.
    Frame {
        text: &'a str,
        note: &'a str,
    },
    /// Of a replay.
    Missed(&'a Value),
    Binary(usize),
    Closed(&'a Closed),
    /// What this client does or has found out.
    Note(&'a str),
    /// What did not work.
    Trouble(&'a str),
    Pong(f64),
    /// An answer to the person alone.
    Help(&'a str),
}

impl Form<'_> {
    /// With `whole`, frames as they came and not as people read them.
    pub(super) fn show(&self, event: &Event<'_>, whole: bool) -> String {
        if self.json {
            return self.object(event).to_string();
        }
        let (mark, text) = match event {
            Event::Help(text) => return (*text).to_owned(),
            Event::Frame { text, note } => {
                let (mark, text) = self.frame(text, whole);
                (mark, format!("{text}{note}"))
            }
            Event::Missed(data) => (
                "←",
                message(data).unwrap_or_else(|| plain(&data.to_string())),
            ),
            Event::Binary(length) => ("←", format!("(a binary frame of {length} bytes)")),
            Event::Closed(closed) => ("·", format!("closed {closed}")),
            Event::Note(text) => ("·", plain(text)),
            Event::Trouble(text) => ("!", plain(text)),
            Event::Pong(millis) => ("·", format!("there and back in {millis:.1} ms")),
        };
        let time = self.paint(Style::new().dimmed(), &(self.now)());
        let (mark, text) = match mark {
            "←" => (self.paint(AnsiColor::Cyan.on_default(), mark), text),
            "!" => (self.paint(AnsiColor::Yellow.on_default(), mark), text),
            _ => {
                let faint = Style::new().dimmed();
                (self.paint(faint, mark), self.paint(faint, &text))
            }
        };
        format!("{time} {mark} {text}")
    }

    fn object(&self, event: &Event<'_>) -> Value {
        let frame =
            |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| Value::from(text));
        let mut object = match event {
            Event::Frame { text, .. } => json!({"type": "received", "frame": frame(text)}),
            Event::Missed(data) => json!({"type": "missed", "message": data}),
            Event::Binary(length) => json!({"type": "binary", "bytes": length}),
            Event::Closed(closed) => {
                json!({"type": "closed", "code": closed.code, "reason": closed.reason})
            }
            Event::Note(text) => json!({"type": "note", "text": text}),
            Event::Trouble(text) => json!({"type": "trouble", "text": text}),
            Event::Pong(millis) => json!({"type": "pong", "ms": millis}),
            Event::Help(text) => json!({"type": "help", "text": text}),
        };
        object["version"] = json!(1);
        object["at"] = json!((self.now)());
        object
    }

    fn frame(&self, text: &str, whole: bool) -> (&'static str, String) {
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            return ("←", plain(text));
        };
        match one_line(&value).filter(|_| !whole) {
            Some(line) => line,
            None if whole || self.spread => ("←", pretty(&value, self.colour)),
            None => ("←", plain(&value.to_string())),
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// A frame of the shipped handlers or of API Gateway, behind a mark that says what it is.
fn one_line(value: &Value) -> Option<(&'static str, String)> {
    let data = &value["data"];
    match value["type"].as_str() {
        Some("message") => Some(("←", message(data)?)),
        Some("messageStatus") => Some(("·", status(data))),
        Some("typing") => Some(("·", typing(data)?)),
        Some("presence") => Some(("·", presence(data)?)),
        Some("error") => {
            let said = format!("{}: {}", text(&data["code"]), text(&data["message"]));
            Some(("!", said))
        }
        Some(_) => None,
        None => Some(("!", from_gateway(value)?)),
    }
}

fn message(data: &Value) -> Option<String> {
    let said = data.get("content").or_else(|| data.get("message"))?;
    let who = data.get("senderName").or_else(|| data.get("senderId"))?;
    let place = place(data);
    Some(format!("{}{place}: {}", text(who), text(said)))
}

fn place(data: &Value) -> String {
    data.get("groupId")
        .map_or_else(String::new, |group| format!(" in {}", text(group)))
}

fn status(data: &Value) -> String {
    let id = text(&data["messageId"]);
    if let Some(reader) = data.get("readBy") {
        return format!("{id} read by {}", text(reader));
    }
    match (data["status"].as_str(), data["recipients"].as_u64()) {
        _ if data["pending"] == true => format!("{id} stored, and still being delivered"),
        (Some("sent"), _) => format!("{id} stored, nobody is online"),
        (Some(status), Some(1)) => format!("{id} {} to 1 connection", plain(status)),
        (Some(status), Some(many)) => format!("{id} {} to {many} connections", plain(status)),
        _ => plain(&data.to_string()),
    }
}

fn typing(data: &Value) -> Option<String> {
    let who = text(data.get("senderId")?);
    let does = if data["isTyping"] == false {
        "types no more"
    } else {
        "is typing"
    };
    Some(format!("{who}{} {does}", place(data)))
}

fn presence(data: &Value) -> Option<String> {
    let users = data["users"].as_array()?;
    let user = |user: &Value| {
        let is = if user["online"] == true {
            "online"
        } else {
            "offline"
        };
        format!("{} {is}", text(&user["userId"]))
    };
    let users: Vec<String> = users.iter().map(user).collect();
    let more = if data["more"] == true {
        ", and others"
    } else {
        ""
    };
    Some(match users.as_slice() {
        [] => "nobody is here".to_owned(),
        some => format!("{}{more}", some.join(", ")),
    })
}

/// API Gateway's own error frame: a message, and ids to find it in the logs by.
fn from_gateway(value: &Value) -> Option<String> {
    let said = value.get("message")?.as_str()?;
    value.get("connectionId")?;
    let hint = match said {
        "Forbidden" => ", there is no route for this message",
        "Internal server error" => ", the function failed: `msgai logs` says why",
        "Too Many Requests" => ", the stage or the account is throttled",
        _ => "",
    };
    let request = value
        .get("requestId")
        .map_or_else(String::new, |id| format!(" (request {})", text(id)));
    Some(format!("API Gateway: {}{hint}{request}", plain(said)))
}

/// A string without its quotes, anything else as JSON.
fn text(value: &Value) -> String {
    let text = value.as_str().map(plain);
    text.unwrap_or_else(|| plain(&value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> String {
        "12:00:00".to_owned()
    }

    const FORM: Form<'static> = Form {
        colour: false,
        json: false,
        spread: false,
        now: &noon,
    };

    fn line(frame: &Value) -> String {
        let text = frame.to_string();
        FORM.show(
            &Event::Frame {
                text: &text,
                note: "",
            },
            false,
        )
    }

    #[test]
    fn frames_are_read_by_people() {
        let status = |more: Value| {
            let mut data = json!({"messageId": "m1", "status": "delivered"});
            data.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            json!({"type": "messageStatus", "data": data})
        };
        for (frame, shown) in [
            (
                json!({"type": "message", "data": {"senderId": "bob", "content": "hi", "message": "hi"}}),
                "← bob: hi",
            ),
            (
                json!({"type": "message", "data": {"senderId": "bob", "senderName": "Bob", "groupId": "w", "message": "hi"}}),
                "← Bob in w: hi",
            ),
            (
                json!({"type": "message", "data": {}}),
                r#"← {"type":"message","data":{}}"#,
            ),
            (
                status(json!({"recipients": 1})),
                "· m1 delivered to 1 connection",
            ),
            (
                status(json!({"recipients": 3})),
                "· m1 delivered to 3 connections",
            ),
            (
                status(json!({"status": "sent", "recipients": 0})),
                "· m1 stored, nobody is online",
            ),
            (
                status(json!({"status": "read", "readBy": "bob"})),
                "· m1 read by bob",
            ),
            (
                status(json!({"pending": true})),
                "· m1 stored, and still being delivered",
            ),
            (
                json!({"type": "error", "data": {"code": "forbidden", "message": "not in the group"}}),
                "! forbidden: not in the group",
            ),
            (
                json!({"message": "Forbidden", "connectionId": "c=", "requestId": "r="}),
                "! API Gateway: Forbidden, there is no route for this message (request r=)",
            ),
            (
                json!({"type": "typing", "data": {"senderId": "bob", "groupId": "w"}}),
                "· bob in w is typing",
            ),
            (
                json!({"type": "presence", "data": {"users": [
                    {"userId": "bob", "online": true}, {"userId": "zoe", "online": false}], "more": true}}),
                "· bob online, zoe offline, and others",
            ),
            (
                json!({"type": "presence", "data": {"users": []}}),
                "· nobody is here",
            ),
            (json!({"other": 1}), r#"← {"other":1}"#),
            (json!("text"), r#"← "text""#),
        ] {
            assert_eq!(line(&frame), format!("12:00:00 {shown}"));
        }
    }

    #[test]
    fn what_others_write_cannot_steer_the_terminal() {
        let evil = "\u{1b}[2J\u{7}\u{202e}";
        let clean = "\u{fffd}[2J\u{fffd}\u{fffd}";
        let message = json!({"type": "message", "data": {"senderId": evil, "content": evil}});
        assert_eq!(line(&message), format!("12:00:00 ← {clean}: {clean}"));
        let raw = FORM.show(
            &Event::Frame {
                text: evil,
                note: "",
            },
            true,
        );
        assert_eq!(raw, format!("12:00:00 ← {clean}"));
        for frame in [
            json!({"type": "error", "data": {"code": evil, "message": evil}}),
            json!({"message": evil, "connectionId": evil, "requestId": evil}),
            json!({"type": "typing", "data": {"senderId": evil}}),
            json!({"type": "messageStatus", "data": {"messageId": evil, "status": evil, "recipients": 1}}),
            json!({"type": "presence", "data": {"users": [{"userId": evil}]}}),
            json!({"type": "messageStatus", "data": {"messageId": "m", "readBy": evil}}),
        ] {
            assert!(!line(&frame).contains(['\u{1b}', '\u{202e}']), "{frame}");
        }
    }

    #[test]
    fn whole_frames_go_over_lines_and_programs_get_objects() {
        let text = r#"{"type":"message","data":{"senderId":"bob","content":"hi"}}"#;
        let event = Event::Frame { text, note: "" };
        let whole = FORM.show(&event, true);
        assert_eq!(whole.lines().count(), 7, "{whole}");
        let object = Form { json: true, ..FORM }.show(&event, false);
        assert_eq!(
            object,
            format!(r#"{{"type":"received","frame":{text},"version":1,"at":"12:00:00"}}"#)
        );
        let spread = Form {
            spread: true,
            ..FORM
        };
        let other = Event::Frame {
            text: r#"{"a":1}"#,
            note: "",
        };
        assert_eq!(spread.show(&other, false), "12:00:00 ← {\n  \"a\": 1\n}");
    }

    #[test]
    fn colour_is_beside_the_marks() {
        let shown = Form {
            colour: true,
            ..FORM
        }
        .show(&Event::Trouble("no"), false);
        assert_eq!(shown, "\u{1b}[2m12:00:00\u{1b}[0m \u{1b}[33m!\u{1b}[0m no");
    }
}
