//! What to write in the stack file when IAM denied a function something. The local cloud knows no stack file, so it
//! names the statement; which word of `uses:` makes that statement is known here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::Context;
use super::super::session::Session;
use crate::describe::access::{Deed, Reach, reach};
use crate::local::Happening;
use crate::stack::Stack;

/// Below a denial's line: the statement, and the words that grant it.
pub(super) fn advise(context: &Context, session: &Session, happening: &Happening) {
    if context.global.json {
        return;
    }
    let Happening::Denied {
        principal,
        statement,
        ..
    } = happening
    else {
        return;
    };
    let statement: Value = serde_json::from_str(statement).unwrap_or_default();
    let verb = match statement["Effect"].as_str() {
        Some("Deny") => "it is denied by",
        _ => "it needs",
    };
    context.say(&format!("            {verb} {statement}"));
    let function = principal.rsplit('/').next().unwrap_or_default();
    if let Some(advice) = advice(&session.loaded.stack, function, &statement) {
        context.say(&format!("            {advice}"));
    }
}

/// `None` where the function is none of the stack's, or nothing in the stack file would allow it.
fn advice(stack: &Stack, function: &str, statement: &Value) -> Option<String> {
    if statement["Effect"] != "Allow" {
        return None;
    }
    let mut keys = stack.functions.keys();
    let key = keys.find(|key| stack.function_name(key) == function)?;
    let action = statement["Action"].as_str()?;
    let resource = statement["Resource"].as_str()?;
    let has = reach(&stack.functions[key]);
    let Some(wish) = Wish::of(stack, action, resource) else {
        return Some(format!(
            "no word of `uses:` allows {action}; give the function a role of your own for it"
        ));
    };
    if wish.is_in(&has, stack) {
        return Some("the stack allows it, and its role has lost it: deploy again".to_owned());
    }
    if let Some(index) = &wish.index
        && !stack.tables[&wish.what].indexes.contains_key(index)
    {
        let table = &wish.what;
        return Some(format!("tables.{table}.indexes has no {index}"));
    }
    let (what, word) = (wish.named(), wish.word);
    Some(format!(
        "in the stack file: functions.{key}: {{ uses: {{ {what}: [{word}] }} }}"
    ))
}

/// What a function would have to declare.
struct Wish {
    /// A table's key, or `connections`.
    what: String,
    deed: Option<Deed>,
    index: Option<String>,
    word: &'static str,
    /// Of `@connections`.
    method: Option<&'static str>,
}

impl Wish {
    fn of(stack: &Stack, action: &str, resource: &str) -> Option<Self> {
        if action == "execute-api:ManageConnections" {
            let (word, method) = [("send", "POST"), ("get", "GET"), ("disconnect", "DELETE")]
                .into_iter()
                .find(|(_, method)| resource.contains(&format!("/{method}/@connections/")))?;
            return Some(Self {
                what: "connections".to_owned(),
                deed: None,
                index: None,
                word,
                method: Some(method),
            });
        }
        let (_, table) = resource.split_once(":table/")?;
        let (table, index) = match table.split_once("/index/") {
            Some((table, index)) => (table, Some(index.to_owned())),
            None => (table, None),
        };
        let mut keys = stack.tables.keys();
        let what = keys.find(|key| stack.table_name(key) == table)?.clone();
        let (deed, word) = match action {
            "dynamodb:GetItem" => (Deed::Get, "read"),
            "dynamodb:Query" if index.is_some() => (Deed::QueryIndexes, "read"),
            "dynamodb:Query" => (Deed::Query, "read"),
            "dynamodb:PutItem" => (Deed::Put, "write"),
            "dynamodb:UpdateItem" => (Deed::Update, "update"),
            "dynamodb:DeleteItem" => (Deed::Delete, "delete"),
            _ => return None,
        };
        Some(Self {
            what,
            deed: Some(deed),
            index,
            word,
            method: None,
        })
    }

    fn is_in(&self, has: &Reach, stack: &Stack) -> bool {
        if let Some(method) = self.method {
            return has.connections.contains(method);
        }
        let deeds = has.tables.get(&self.what);
        let declared = self
            .index
            .as_ref()
            .is_none_or(|index| stack.tables[&self.what].indexes.contains_key(index));
        declared
            && deeds
                .zip(self.deed)
                .is_some_and(|(deeds, deed)| deeds.contains(&deed) || self.is_of_users(deeds))
    }

    /// Who may query the index by `userId` alone is a shipped handler, and asks no other.
    fn is_of_users(&self, deeds: &BTreeSet<Deed>) -> bool {
        self.deed == Some(Deed::QueryIndexes) && deeds.contains(&Deed::QueryUsers)
    }

    fn named(&self) -> String {
        match self.method {
            Some(_) => self.what.clone(),
            None => format!("tables.{}", self.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stack::load_text;

    const STACK: &str = "
name: chat
tables:
  connections: { key: connectionId, indexes: { userId-index: userId } }
  messages: { key: messageId }
  notes: { key: id }
functions:
  send: { handler: send }
  audit: { source: ./audit, runtime: nodejs22.x, entry: index.handler, uses: { tables.notes: [read] } }
  connect: { handler: connect }
  disconnect: { handler: disconnect }
api:
  stage: production
  routes: { $connect: connect, $disconnect: disconnect, sendMessage: send, audit: audit }
";

    #[test]
    fn a_statement_becomes_words_of_the_stack_file() {
        let loaded = load_text(STACK, "stack.yaml", None, &|_| None)
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let told = |function: &str, action: &str, resource: &str| {
            let statement = json!({ "Effect": "Allow", "Action": action, "Resource": resource });
            advice(&loaded.stack, function, &statement)
        };
        let table = "arn:aws:dynamodb:us-east-1:000000000000:table/chat-";
        let notes = format!("{table}notes");
        let write = "in the stack file: functions.audit: { uses: { tables.notes: [write] } }";
        assert_eq!(
            told("chat-audit", "dynamodb:PutItem", &notes).as_deref(),
            Some(write)
        );
        let lost = "the stack allows it, and its role has lost it: deploy again";
        assert_eq!(
            told("chat-audit", "dynamodb:GetItem", &notes).as_deref(),
            Some(lost)
        );
        let index = format!("{table}connections/index/userId-index");
        assert_eq!(
            told("chat-send", "dynamodb:Query", &index).as_deref(),
            Some(lost)
        );
        let none = format!("{notes}/index/byDay");
        assert_eq!(
            told("chat-audit", "dynamodb:Query", &none).as_deref(),
            Some("tables.notes.indexes has no byDay")
        );
        let post = "arn:aws:execute-api:us-east-1:000000000000:a1/production/DELETE/@connections/*";
        let words = "in the stack file: functions.audit: { uses: { connections: [disconnect] } }";
        let manage = "execute-api:ManageConnections";
        assert_eq!(told("chat-audit", manage, post).as_deref(), Some(words));
        let scan = told("chat-audit", "dynamodb:Scan", &notes).unwrap();
        assert!(
            scan.starts_with("no word of `uses:` allows dynamodb:Scan"),
            "{scan}"
        );
        assert_eq!(told("another", "dynamodb:PutItem", &notes), None);
    }
}
