//! The words of one chat: which field of a message selects its route, and what the routes are called.
//!
//! In: whom to tell what. Out: the message as that chat understands it, or the word that it does not have.
//! Never: a guess; what the stack does not route is not sent.

use std::fmt;

use serde_json::{Map, Value, json};

/// What a chat calls what the shipped handlers do; `None` where nothing does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// The field that selects the route.
    pub field: String,
    pub send: Option<String>,
    pub catch_up: Option<String>,
    pub mark_read: Option<String>,
    pub typing: Option<String>,
    pub presence: Option<String>,
    /// It is known to keep timelines: what was missed can be asked for.
    pub replays: bool,
}

impl Default for Dialect {
    /// As the shipped handlers' routes are called, for a chat of which only the URL is known.
    fn default() -> Self {
        let called = |name: &str| Some(name.to_owned());
        Self {
            field: "action".to_owned(),
            send: called("sendMessage"),
            catch_up: called("catchUp"),
            mark_read: called("markRead"),
            typing: called("typing"),
            presence: called("presence"),
            replays: false,
        }
    }
}

/// Who is spoken to, or of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    People(Vec<String>),
    Group(String),
}

/// One message to others.
#[derive(Debug, Clone, Copy)]
pub struct Saying<'a> {
    pub text: &'a str,
    /// Who says it, which group messages repeat.
    pub user: Option<&'a str>,
    /// An id of its own makes a retry harmless.
    pub id: Option<&'a str>,
}

/// What nothing in the stack does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoute(&'static str);

impl fmt::Display for NoRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this stack has no route `{}`", self.0)
    }
}

type Said = Result<Value, NoRoute>;

impl Dialect {
    /// A message to people, or to a group.
    pub fn say(&self, whom: &Whom, saying: Saying<'_>) -> Said {
        let mut message = self.begun(self.send.as_ref(), "sendMessage")?;
        let text = json!(saying.text);
        if let Some(id) = saying.id {
            message.insert("messageId".to_owned(), json!(id));
        }
        match whom {
            Whom::Group(_) => {
                address(&mut message, whom);
                if let Some(user) = saying.user {
                    message.insert("senderId".to_owned(), json!(user));
                    message.insert("senderName".to_owned(), json!(user));
                }
                message.insert("message".to_owned(), text);
            }
            Whom::People(people) => {
                address(&mut message, whom);
                if people.len() > 1 {
                    message.insert("isGroupChat".to_owned(), json!(true));
                }
                message.insert("content".to_owned(), text);
            }
        }
        Ok(Value::Object(message))
    }

    /// What was missed, in one's own timeline or the group's; from the server's mark without a position.
    pub fn catch_up(&self, group: Option<&str>, since: Option<u64>) -> Said {
        let mut message = self.begun(self.catch_up.as_ref(), "catchUp")?;
        if let Some(group) = group {
            message.insert("groupId".to_owned(), json!(group));
        }
        if let Some(since) = since {
            message.insert("since".to_owned(), json!(since));
        }
        Ok(Value::Object(message))
    }

    pub fn mark_read(&self, ids: &[String]) -> Said {
        let mut message = self.begun(self.mark_read.as_ref(), "markRead")?;
        message.insert("messageIds".to_owned(), json!(ids));
        Ok(Value::Object(message))
    }

    pub fn typing(&self, whom: &Whom) -> Said {
        let mut message = self.begun(self.typing.as_ref(), "typing")?;
        address(&mut message, whom);
        message.insert("isTyping".to_owned(), json!(true));
        Ok(Value::Object(message))
    }

    /// "I am here"; and who else is, where somebody is named.
    pub fn presence(&self, whom: Option<&Whom>) -> Said {
        let mut message = self.begun(self.presence.as_ref(), "presence")?;
        match whom {
            None => {}
            Some(Whom::People(people)) => {
                message.insert("userIds".to_owned(), json!(people));
            }
            Some(Whom::Group(group)) => {
                message.insert("groupId".to_owned(), json!(group));
            }
        }
        Ok(Value::Object(message))
    }

    fn begun(
        &self,
        route: Option<&String>,
        handler: &'static str,
    ) -> Result<Map<String, Value>, NoRoute> {
        let route = route.ok_or(NoRoute(handler))?;
        Ok(Map::from_iter([(self.field.clone(), json!(route))]))
    }
}

fn address(message: &mut Map<String, Value>, whom: &Whom) {
    let (field, value) = match whom {
        Whom::Group(group) => ("groupId", json!(group)),
        Whom::People(people) => match people.as_slice() {
            [only] => ("recipientId", json!(only)),
            several => ("recipientIds", json!(several)),
        },
    };
    message.insert(field.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(names: &[&str]) -> Whom {
        Whom::People(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn a_chat_is_spoken_to_in_its_own_words() {
        let dialect = Dialect {
            field: "kind".to_owned(),
            send: Some("tell".to_owned()),
            typing: None,
            ..Dialect::default()
        };
        let saying = Saying {
            text: "hi",
            user: None,
            id: Some("m1"),
        };
        assert_eq!(
            dialect.say(&people(&["bob"]), saying).unwrap(),
            json!({"kind": "tell", "messageId": "m1", "recipientId": "bob", "content": "hi"})
        );
        let why = dialect.typing(&people(&["bob"])).unwrap_err();
        assert_eq!(why.to_string(), "this stack has no route `typing`");
    }

    #[test]
    fn questions_name_whom_they_are_about() {
        let dialect = Dialect::default();
        let group = Whom::Group("ward-3".to_owned());
        for (said, message) in [
            (
                dialect.catch_up(None, Some(41)),
                json!({"action": "catchUp", "since": 41}),
            ),
            (
                dialect.catch_up(Some("w"), None),
                json!({"action": "catchUp", "groupId": "w"}),
            ),
            (
                dialect.mark_read(&["m1".to_owned()]),
                json!({"action": "markRead", "messageIds": ["m1"]}),
            ),
            (
                dialect.typing(&people(&["bob", "eve"])),
                json!({"action": "typing", "recipientIds": ["bob", "eve"], "isTyping": true}),
            ),
            (dialect.presence(None), json!({"action": "presence"})),
            (
                dialect.presence(Some(&people(&["bob"]))),
                json!({"action": "presence", "userIds": ["bob"]}),
            ),
            (
                dialect.presence(Some(&group)),
                json!({"action": "presence", "groupId": "ward-3"}),
            ),
        ] {
            assert_eq!(said.unwrap(), message);
        }
    }
}
