//! What `dev` says of the console, and what it lets the console offer: the stack's own messages.

use serde_json::{Map, Value, json};

use super::super::session::Session;
use super::super::smoke::way_to_send;
use super::words::finds_by;
use crate::command::local::Local;
use crate::local::console::Suggestions;
use crate::stack::Stack;

/// Where the page is.
pub(super) fn address(session: &Session) -> Option<String> {
    let endpoint = session.local.as_ref().map(Local::endpoint)?;
    Some(format!("{endpoint}/_msgai"))
}

/// People, with tokens where such can be made, and what one says to the other where the shipped handler serves.
pub(super) fn suggestions(stack: &Stack, token: impl Fn(&str) -> Option<String>) -> Suggestions {
    let by_user = finds_by(stack, "userId");
    let by_group = finds_by(stack, "groupId");
    let people = ["alice", "bob", "carol", "dave"];
    let query = |name: &str| match (by_group && !by_user, stack.authorizer().is_some()) {
        // The name is for the page, which takes the first value for it; the token alone says who it is.
        (_, true) => match token(name) {
            Some(token) => format!("userId={name}&token={token}"),
            None => "token=".to_owned(),
        },
        (true, false) => format!("userId={name}&groupId=friends"),
        (false, false) => format!("userId={name}"),
    };
    let mut messages = Vec::new();
    if let Some((field, route)) = way_to_send(stack) {
        let mut direct = begun(field, route);
        direct.insert("recipientId".to_owned(), json!("${peer}"));
        let mut group = begun(field, route);
        group.insert("groupId".to_owned(), json!("friends"));
        for (found, mut message) in [(by_user, direct), (by_group, group)] {
            if found {
                message.insert("content".to_owned(), json!("hello"));
                messages.push((route.to_owned(), Value::Object(message)));
            }
        }
    }
    Suggestions {
        queries: people.map(query).to_vec(),
        messages,
    }
}

fn begun(field: &str, route: &str) -> Map<String, Value> {
    Map::from_iter([(field.to_owned(), json!(route))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::load_text;

    fn suggested(edit: impl Fn(&str) -> String) -> Suggestions {
        let text = edit(include_str!("../../../stack.yaml"));
        let loaded = load_text(&text, "stack.yaml", None, &|_| None);
        let loaded = loaded.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        suggestions(&loaded.stack, |name| Some(format!("{name}s-own")))
    }

    #[test]
    fn people_and_messages_fit_the_stack() {
        let direct = suggested(str::to_owned);
        assert_eq!(direct.queries[0], "userId=alice");
        let (route, message) = &direct.messages[0];
        assert_eq!(route, "sendMessage");
        let said = json!({ "action": "sendMessage", "recipientId": "${peer}", "content": "hello" });
        assert_eq!(*message, said);
        let group = suggested(|text| text.replace("userId-index: userId", "other: other"));
        assert_eq!(group.queries[1], "userId=bob&groupId=friends");
        assert_eq!(group.messages.len(), 1);
        assert_eq!(group.messages[0].1["groupId"], "friends");
        let jwt = "auth: { jwt: { issuer: local, audience: [app] } }\noutputs:";
        let tokens = suggested(|text| text.replace("outputs:", jwt));
        assert_eq!(tokens.queries[1], "userId=bob&token=bobs-own");
    }
}
