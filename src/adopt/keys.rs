//! What the file calls functions and tables: short words, from what they do.

use std::collections::{BTreeMap, BTreeSet};

use super::system::{System, Table};

/// Physical name → the file's name.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(crate) functions: BTreeMap<String, String>,
    pub(crate) tables: BTreeMap<String, String>,
}

impl Keys {
    pub(crate) fn of(system: &System) -> Self {
        Self {
            functions: functions(system),
            tables: tables(system),
        }
    }
}

fn functions(system: &System) -> BTreeMap<String, String> {
    let mut taken = BTreeSet::new();
    let prefix = prefix(system.functions.keys());
    let name = |name: &String| {
        let mut routes = system.routes.iter().filter(|r| r.function == *name);
        let authorizes = system.authorizer.iter().any(|a| a.function == *name);
        let word = match (routes.next(), routes.next()) {
            (Some(only), None) => Some(only.key.trim_start_matches('$')),
            (None, None) if authorizes => Some("authorizer"),
            _ => None,
        };
        let word = word.filter(|word| is_key(word)).unwrap_or(&name[prefix..]);
        (name.clone(), free(&mut taken, word))
    };
    system.functions.keys().map(name).collect()
}

fn tables(system: &System) -> BTreeMap<String, String> {
    let mut taken = BTreeSet::new();
    let name = |table: &Table| {
        let word = of_variable(system, &table.name).unwrap_or_else(|| of_table(table));
        (table.name.clone(), free(&mut taken, &word))
    };
    system.tables.values().map(name).collect()
}

/// What all names begin with, up to a dash: `chat-` of `chat-connect` and `chat-send`.
fn prefix<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    let names: Vec<&String> = names.collect();
    let Some((first, rest)) = names.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return 0;
    };
    let ends = first.match_indices(['-', '_']).map(|(at, _)| at + 1);
    let common = |end: &usize| {
        let all = rest
            .iter()
            .all(|name| name.starts_with(&first[..*end]) && name.len() > *end);
        all && first.len() > *end
    };
    ends.rev().find(common).unwrap_or_default()
}

/// A table with connections in it.
pub(crate) fn holds_connections(table: &Table) -> bool {
    let by_id = table.key.partition == "connectionId" && table.key.sort.is_none();
    by_id || table.name.to_ascii_lowercase().contains("connection")
}

/// `MESSAGES_TABLE` and `MESSAGES_TABLE_NAME` name `messages`: from that the same variable is derived again.
fn of_variable(system: &System, table: &str) -> Option<String> {
    let all = system.functions.values().flat_map(|f| &f.environment);
    let mut named = all.filter(|(_, value)| *value == table);
    named.find_map(|(name, _)| {
        let word = name
            .strip_suffix("_TABLE")
            .or_else(|| name.strip_suffix("_TABLE_NAME"))?;
        let screams = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        (!word.is_empty() && word.chars().all(screams)).then(|| camel(word))
    })
}

fn of_table(table: &Table) -> String {
    let lower = table.name.to_ascii_lowercase();
    if holds_connections(table) {
        return "connections".to_owned();
    }
    if lower.contains("message") {
        return "messages".to_owned();
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let word: String = table
        .name
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(60)
        .collect();
    word
}

/// `CHAT_MESSAGES` → `chatMessages`.
fn camel(word: &str) -> String {
    let mut out = String::new();
    for part in word.split('_').filter(|part| !part.is_empty()) {
        let lower = part.to_ascii_lowercase();
        let mut letters = lower.chars();
        match letters.next() {
            Some(first) if !out.is_empty() => {
                out.push(first.to_ascii_uppercase());
                out.push_str(letters.as_str());
            }
            _ => out.push_str(&lower),
        }
    }
    out
}

fn is_key(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=60).contains(&word.len()) && word.chars().all(fits)
}

/// The word, with a number where it is taken.
fn free(taken: &mut BTreeSet<String>, word: &str) -> String {
    let numbered = (2..).map(|n| format!("{word}{n}"));
    let mut all = std::iter::once(word.to_owned()).chain(numbered);
    let free = all.find(|one| !taken.contains(one)).unwrap_or_default();
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_become_words() {
        assert_eq!(camel("MESSAGES"), "messages");
        assert_eq!(camel("CHAT_MESSAGES"), "chatMessages");
        assert_eq!(camel("A1"), "a1");
    }

    #[test]
    fn what_all_begin_with_is_left_out() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
            prefix(names.iter())
        };
        assert_eq!(of(&["chat-connect", "chat-send"]), 5);
        assert_eq!(of(&["my-chat-a", "my-chat-b"]), 8);
        assert_eq!(of(&["chat-", "chat-send"]), 0);
        assert_eq!(of(&["chat-connect"]), 0);
        assert_eq!(of(&["connect", "send"]), 0);
    }

    #[test]
    fn a_word_is_given_once() {
        let mut taken = BTreeSet::new();
        let words = ["a", "a", "a", "b"].map(|word| free(&mut taken, word));
        assert_eq!(words, ["a", "a2", "a3", "b"]);
    }
}
