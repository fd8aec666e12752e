//! What a typed line means.
//!
//! In: a line. Out: a wish, or why it is none. Never: a socket, or what the chat can do.

use serde_json::Value;

use super::dialect::Whom;

/// What may begin a line: its name, what follows it, and what it does.
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    (
        "to",
        "NAME TEXT",
        "a message to NAME, or to several: /to bob,eve TEXT",
    ),
    ("group", "GROUP TEXT", "a message to everybody in GROUP"),
    (
        "typing",
        "[NAME]",
        "tell NAME, or your group, that you type",
    ),
    ("presence", "[NAME]", "who is here: NAME, or your group"),
    (
        "catchup",
        "[GROUP] [SINCE]",
        "what you missed, yourself or in GROUP, behind position SINCE",
    ),
    (
        "read",
        "[ID]",
        "say that you read message ID, or all that came",
    ),
    (
        "json",
        "[JSON]",
        "send JSON; alone, show frames whole, and back",
    ),
    ("raw", "TEXT", "send TEXT as it is"),
    ("ping", "", "how long a frame takes there and back"),
    ("help", "", "this"),
    ("quit", "", "goodbye"),
];

/// What somebody wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Say(Whom, String),
    /// To whom one spoke last.
    Go(String),
    Typing(Option<Vec<String>>),
    Presence(Option<Vec<String>>),
    CatchUp {
        group: Option<String>,
        since: Option<u64>,
    },
    Read(Option<String>),
    Send(String),
    /// Frames whole, or as people read them.
    Whole,
    Ping,
    Help,
    Quit,
    Nothing,
    /// It means nothing; this is why.
    Unclear(String),
}

pub(super) fn help() -> String {
    let line = |(name, args, does): &(&str, &str, &str)| {
        format!("{:<26} {does}\n", format!("/{name} {args}"))
    };
    let commands: String = COMMANDS.iter().map(line).collect();
    format!(
        "{commands}{{…}}                        JSON as it is\nTEXT                       to whom you spoke last"
    )
}

pub(super) fn wish(line: &str) -> Wish {
    let line = line.trim();
    if line.is_empty() {
        return Wish::Nothing;
    }
    let Some(slash) = line.strip_prefix('/') else {
        return said(line);
    };
    let (name, rest) = word(slash);
    match name {
        "to" => to(rest),
        "group" => group(rest),
        "typing" => Wish::Typing(names(rest)),
        "presence" => Wish::Presence(names(rest)),
        "catchup" => catch_up(rest),
        "read" => Wish::Read(Some(rest.to_owned()).filter(|id| !id.is_empty())),
        "json" if rest.is_empty() => Wish::Whole,
        "json" => match serde_json::from_str::<Value>(rest) {
            Ok(_) => Wish::Send(rest.to_owned()),
            Err(error) => Wish::Unclear(format!("not JSON: {error}")),
        },
        "raw" if !rest.is_empty() => Wish::Send(rest.to_owned()),
        "raw" => Wish::Unclear("say what: /raw TEXT".to_owned()),
        "ping" => Wish::Ping,
        "help" | "?" => Wish::Help,
        "quit" | "exit" | "q" => Wish::Quit,
        _ => Wish::Unclear(unknown(name)),
    }
}

/// Only an object is meant as a frame: `42`, `true` and `"so" he said` are what people say.
fn said(line: &str) -> Wish {
    if !line.starts_with('{') {
        return Wish::Go(line.to_owned());
    }
    match serde_json::from_str::<Value>(line) {
        Ok(_) => Wish::Send(line.to_owned()),
        Err(error) => Wish::Unclear(format!(
            "not JSON: {error}; /raw sends it all the same, /help says what else"
        )),
    }
}

fn unknown(name: &str) -> String {
    let near = COMMANDS
        .iter()
        .map(|(known, ..)| (strsim::osa_distance(known, name), known));
    let near = near
        .min()
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len());
    match near {
        Some((_, near)) => format!("unknown command /{name}; did you mean /{near}?"),
        None => format!("unknown command /{name}; /help lists them"),
    }
}

fn to(rest: &str) -> Wish {
    let (people, text) = word(rest);
    match names(people) {
        None => Wish::Unclear("say to whom: /to NAME TEXT".to_owned()),
        Some(_) if text.is_empty() => Wish::Unclear("say what: /to NAME TEXT".to_owned()),
        Some(people) => Wish::Say(Whom::People(people), text.to_owned()),
    }
}

fn group(rest: &str) -> Wish {
    let (group, text) = word(rest);
    if group.is_empty() || text.is_empty() {
        return Wish::Unclear("say where and what: /group GROUP TEXT".to_owned());
    }
    Wish::Say(Whom::Group(group.to_owned()), text.to_owned())
}

fn catch_up(rest: &str) -> Wish {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let number = |word: &str| word.parse().ok();
    let (group, since) = match words.as_slice() {
        [] => (None, None),
        [only] if number(only).is_some() => (None, number(only)),
        [only] => (Some(*only), None),
        [group, since] if number(since).is_some() => (Some(*group), number(since)),
        _ => return Wish::Unclear("say so: /catchup [GROUP] [SINCE]".to_owned()),
    };
    Wish::CatchUp {
        group: group.map(str::to_owned),
        since,
    }
}

/// One, or several with commas between.
fn names(text: &str) -> Option<Vec<String>> {
    let names = text.split([',', ' ']).filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(str::to_owned).collect();
    (!names.is_empty()).then_some(names)
}

/// The first word, and the rest without the space between.
fn word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(first, rest)| (first, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn lines_become_wishes() {
        let send = |text: &str| Wish::Send(text.to_owned());
        let go = |text: &str| Wish::Go(text.to_owned());
        let hi = |whom| Wish::Say(whom, "hi  there".to_owned());
        let catch_up = |group: Option<&str>, since| Wish::CatchUp {
            group: group.map(str::to_owned),
            since,
        };
        for (line, meant) in [
            ("/to bob hi  there", hi(Whom::People(people(&["bob"])))),
            (
                "/to bob,eve hi  there",
                hi(Whom::People(people(&["bob", "eve"]))),
            ),
            (
                " /group ward-3 hi  there ",
                hi(Whom::Group("ward-3".to_owned())),
            ),
            ("hi", go("hi")),
            ("42", go("42")),
            ("true", go("true")),
            (r#""so" he said"#, go(r#""so" he said"#)),
            ("[sigh] no", go("[sigh] no")),
            ("/json 42", send("42")),
            ("/typing", Wish::Typing(None)),
            ("/typing bob", Wish::Typing(Some(people(&["bob"])))),
            (
                "/presence bob, eve",
                Wish::Presence(Some(people(&["bob", "eve"]))),
            ),
            ("/catchup", catch_up(None, None)),
            ("/catchup 41", catch_up(None, Some(41))),
            ("/catchup ward-3", catch_up(Some("ward-3"), None)),
            ("/catchup ward-3 41", catch_up(Some("ward-3"), Some(41))),
            ("/read", Wish::Read(None)),
            ("/read m1", Wish::Read(Some("m1".to_owned()))),
            ("/json", Wish::Whole),
            (r#"/json {"a": 1}"#, send(r#"{"a": 1}"#)),
            (r#"{"a": 1}"#, send(r#"{"a": 1}"#)),
            ("/raw not json", send("not json")),
            ("/ping", Wish::Ping),
            ("/quit", Wish::Quit),
            ("/help", Wish::Help),
            ("  ", Wish::Nothing),
        ] {
            assert_eq!(wish(line), meant, "{line}");
        }
    }

    #[test]
    fn what_means_nothing_is_told() {
        for line in [
            "/to",
            "/to bob",
            "/to , hi",
            "/group g",
            "/raw",
            "{\"a\"",
            "/json {",
            "/catchup a b",
        ] {
            assert!(matches!(wish(line), Wish::Unclear(_)), "{line}");
        }
        let unclear = |text: &str| Wish::Unclear(text.to_owned());
        assert_eq!(
            wish("/presense bob"),
            unclear("unknown command /presense; did you mean /presence?")
        );
        assert_eq!(
            wish("/shout hi"),
            unclear("unknown command /shout; /help lists them")
        );
    }

    #[test]
    fn help_names_every_command() {
        for (name, ..) in COMMANDS {
            assert!(help().contains(&format!("/{name} ")), "{name}");
            assert!(
                !matches!(wish(&format!("/{name} x")), Wish::Unclear(why) if why.starts_with("unknown"))
            );
        }
    }
}
