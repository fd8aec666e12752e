//! What two clients say to one another to see whether a chat works.
//!
//! In: a stack, if it is known, and who talks. Out: a conversation in steps that have names.

use super::super::dev::words::finds_by;
use crate::error::Error;
use crate::stack::{Shipped, Stack};
use crate::talk::script::Script;

/// Who talks, and how each comes in.
pub(crate) struct Cast {
    alice: Person,
    bob: Person,
    /// Where both are, if anywhere.
    group: Option<String>,
    /// They talk in the group, whatever else is possible.
    in_group: bool,
}

struct Person {
    query: String,
    /// By what others name this one, if that is known.
    id: Option<String>,
}

/// One thing to try.
pub(super) struct Step {
    pub(super) name: &'static str,
    lines: Vec<String>,
}

pub(super) struct Conversation {
    pub(super) steps: Vec<Step>,
}

impl Cast {
    /// By names of their own in every run.
    pub(super) fn named() -> Self {
        let person = |letter: &str| Person {
            query: format!("?userId=smoke-${{id}}-{letter}&groupId=smoke-${{id}}"),
            id: Some(format!("smoke-${{id}}-{letter}")),
        };
        Self {
            alice: person("a"),
            bob: person("b"),
            group: Some("smoke-${id}".to_owned()),
            in_group: false,
        }
    }

    /// By tokens of the local cloud's issuer.
    pub(super) fn minted() -> Self {
        let person = |letter: &str| Person {
            query: format!("?token=${{token:smoke-{letter}:smoke}}&groupId=smoke"),
            id: Some(format!("smoke-{letter}")),
        };
        Self {
            alice: person("a"),
            bob: person("b"),
            group: Some("smoke".to_owned()),
            in_group: false,
        }
    }

    /// By tokens that somebody gave, which may name who they are for.
    pub(super) fn given(alice: Option<String>, bob: Option<String>) -> Self {
        let person = |letter: &str, id| Person {
            query: format!("?token=${{given:{letter}}}"),
            id,
        };
        Self {
            alice: person("a", alice),
            bob: person("b", bob),
            group: None,
            in_group: false,
        }
    }

    /// In this group, and nowhere else.
    pub(super) fn in_group(mut self, group: &str) -> Self {
        let own = self.group.take().map(|own| format!("&groupId={own}"));
        let named: String = form_urlencoded::byte_serialize(group.as_bytes()).collect();
        for person in [&mut self.alice, &mut self.bob] {
            if let Some(own) = &own {
                person.query = person.query.replace(own, "");
            }
            person.query.push_str(&format!("&groupId={named}"));
        }
        self.group = Some(group.to_owned());
        self.in_group = true;
        self
    }

    /// Both are one user, and nobody says something to himself.
    fn is_one(&self) -> bool {
        self.alice.id == self.bob.id
    }
}

impl Conversation {
    /// As lines of a script.
    pub(super) fn script(&self) -> Result<Script, Error> {
        Script::parse(&self.text())
            .map_err(|error| Error::failed(format!("no conversation fits this stack: {error}")))
    }

    fn text(&self) -> String {
        let lines = self.steps.iter().flat_map(|step| &step.lines);
        let lines: Vec<&str> = lines.map(String::as_str).collect();
        lines.join("\n")
    }

    /// The number of each step's last line.
    pub(super) fn ends(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().scan(0, |line, step| {
            *line += step.lines.len();
            Some(*line)
        })
    }
}

/// Two people connect; where the shipped handlers serve, one says something to the other, who then is gone.
/// Of a stack that nobody knows, the shipped handlers are expected.
pub(super) fn conversation(stack: Option<&Stack>, cast: &Cast) -> Conversation {
    let connect = Step {
        name: "two clients connect",
        lines: vec![
            format!("alice connects {}", cast.alice.query),
            format!("bob connects {}", cast.bob.query),
        ],
    };
    let mut steps = vec![connect];
    let way = match stack {
        Some(stack) => way_to_send(stack),
        None => Some(("action", "sendMessage")),
    };
    if let (Some(way), Some(to)) = (way, To::of(stack, cast)) {
        steps.extend(talk(way, &to));
    }
    Conversation { steps }
}

/// How the message finds the other one.
enum To {
    Person(String),
    /// Everybody in the group hears it, whoever said it, too.
    Group(String),
}

impl To {
    fn of(stack: Option<&Stack>, cast: &Cast) -> Option<Self> {
        let finds = |attribute| stack.is_none_or(|stack| finds_by(stack, attribute));
        let person = cast.bob.id.as_ref().filter(|_| !cast.is_one());
        match (&cast.group, person) {
            (Some(group), _) if cast.in_group => Some(Self::Group(group.clone())),
            (_, Some(bob)) if finds("userId") => Some(Self::Person(bob.clone())),
            (Some(group), _) if finds("groupId") => Some(Self::Group(group.clone())),
            _ => None,
        }
    }
}

fn talk((field, action): (&str, &str), to: &To) -> Vec<Step> {
    let to_whom = match to {
        To::Person(bob) => format!(r#""recipientId":"{bob}""#),
        To::Group(group) => format!(r#""groupId":"{group}","senderName":"smoke""#),
    };
    let says = |n: u8| {
        format!(
            r#"alice sends {{"{field}":"{action}","messageId":"smoke-${{id}}-{n}",{to_whom},"content":"smoke"}}"#
        )
    };
    let hears = |by: &str, n: u8| {
        format!(
            r#"{by} receives {{"type":"message","data":{{"messageId":"smoke-${{id}}-{n}","content":"smoke"}}}}"#
        )
    };
    let is_told = |n: u8, what: &str| {
        format!(
            r#"alice receives {{"type":"messageStatus","data":{{"messageId":"smoke-${{id}}-{n}",{what}}}}}"#
        )
    };
    let (own, nobody) = match to {
        To::Person(_) => (None, r#""status":"sent","recipients":0"#),
        To::Group(_) => (Some("alice"), r#""status":"delivered","recipients":1"#),
    };
    let own = |n: u8| own.map(|alice| hears(alice, n));
    let mut said = vec![says(1), hears("bob", 1)];
    said.extend(own(1));
    let mut gone = vec!["bob vanishes".to_owned(), says(2)];
    gone.extend(own(2));
    gone.push(is_told(2, nobody));
    vec![
        Step {
            name: "one hears what the other says",
            lines: said,
        },
        Step {
            name: "the sender is told so",
            lines: vec![is_told(1, r#""status":"delivered""#)],
        },
        Step {
            name: "who is gone is not reached",
            lines: gone,
        },
    ]
}

/// The field of a message that selects its route, and its value for the shipped handler that sends.
pub(in crate::command) fn way_to_send(stack: &Stack) -> Option<(&str, &str)> {
    let select = stack.api.select.as_deref();
    let select = select.unwrap_or("$request.body.action");
    let field = select.strip_prefix("$request.body.")?;
    let is_plain = field.chars().all(|c| c.is_alphanumeric() || c == '_');
    let sends = |key: &str, function: &str| {
        let handler = stack.functions.get(function).and_then(|def| def.handler);
        match handler {
            Some(Shipped::Send) => !key.starts_with('$'),
            // It goes by the route's name.
            Some(Shipped::Chat) => key == "sendMessage",
            _ => false,
        }
    };
    let mut routes = stack.api.routes.iter();
    let route = routes.find(|(key, def)| sends(key, def.function()))?;
    is_plain.then_some((field, route.0.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::load_text;

    fn written(edit: impl Fn(&str) -> String) -> String {
        let text = edit(include_str!("../../../stack.yaml"));
        let loaded = load_text(&text, "stack.yaml", None, &|_| None);
        let loaded = loaded.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        read(&conversation(Some(&loaded.stack), &Cast::named()))
    }

    fn read(conversation: &Conversation) -> String {
        if let Err(error) = conversation.script() {
            panic!("{}: {error}", conversation.text());
        }
        conversation.text()
    }

    #[test]
    fn what_is_said_fits_the_stack() {
        let direct = written(str::to_owned);
        assert!(direct.contains(r#""action":"sendMessage""#), "{direct}");
        assert!(
            direct.contains(r#""recipientId":"smoke-${id}-b""#),
            "{direct}"
        );
        let group = written(|text| text.replace("userId-index: userId", ""));
        assert!(group.contains(r#""groupId":"smoke-${id}""#), "{group}");
        assert!(
            group.contains("alice receives {\"type\":\"message\""),
            "{group}"
        );
        let typed = written(|text| text.replace("body.action", "body.kind"));
        assert!(typed.contains(r#"{"kind":"sendMessage","#), "{typed}");
    }

    /// Nobody knows what other functions understand.
    #[test]
    fn without_a_shipped_handler_people_only_connect() {
        let own = "sendMessage: { source: ./code }\n  more: { handler: send";
        let other = written(|text| text.replace("sendMessage: { handler: send", own));
        assert_eq!(other.lines().count(), 2, "{other}");
    }

    #[test]
    fn tokens_say_who_talks_and_one_user_does_not_talk_to_himself() {
        let one = || Some("alice".to_owned());
        let two = read(&conversation(
            None,
            &Cast::given(one(), Some("bob".to_owned())),
        ));
        assert!(two.contains(r#""recipientId":"bob""#), "{two}");
        let alone = read(&conversation(None, &Cast::given(one(), one())));
        assert_eq!(alone.lines().count(), 2, "{alone}");
        let group = Cast::given(one(), one()).in_group("ward 3");
        let group = read(&conversation(None, &group));
        assert!(
            group.starts_with("alice connects ?token=${given:a}&groupId=ward+3\n"),
            "{group}"
        );
        assert!(group.contains(r#""groupId":"ward 3""#), "{group}");
    }

    #[test]
    fn a_group_that_is_named_takes_the_place_of_the_own_one() {
        let text = read(&conversation(None, &Cast::named().in_group("ward-3")));
        assert!(
            text.starts_with("alice connects ?userId=smoke-${id}-a&groupId=ward-3\n"),
            "{text}"
        );
    }

    #[test]
    fn every_line_belongs_to_a_step() {
        let whole = conversation(None, &Cast::named());
        let last = whole.ends().last();
        assert_eq!(last, Some(whole.text().lines().count()));
    }
}
