//! The stack files that `msgai init` writes.
//!
//! In: which kind of chat, and a name. Out: a commented file that loads without a complaint.
//! Never: a file written; `command/init.rs` does that.

use super::limits;

/// How people find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// From one person to others, by `userId`.
    Direct,
    /// To everyone in a room, by `groupId`.
    Group,
}

const NAME: &str = "{{name}}";

/// A commented `stack.yaml` for a stack of this name.
pub fn template(kind: Template, name: &str) -> String {
    let text = match kind {
        Template::Direct => include_str!("templates/direct.yaml"),
        Template::Group => include_str!("templates/group.yaml"),
    };
    text.replace(NAME, &stack_name(name))
}

/// The nearest name that a stack can have: for a folder's name, say.
pub fn stack_name(text: &str) -> String {
    let dashed: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .skip_while(|c| !c.is_ascii_alphabetic())
        .take(limits::STACK_NAME_LENGTH)
        .collect();
    let words: Vec<&str> = dashed.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return "chat".to_owned();
    }
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::{Severity, load_text};

    #[test]
    fn every_template_loads_and_warns_of_one_thing() {
        for kind in [Template::Direct, Template::Group] {
            for environment in [None, Some("dev")] {
                let text = template(kind, "My chat (2)");
                let loaded = load_text(&text, "stack.yaml", environment, &|_| None).unwrap();
                assert_eq!(loaded.stack.name, "My-chat-2");
                let warnings: Vec<_> = loaded
                    .warnings
                    .iter()
                    .map(|warning| warning.message.as_str())
                    .collect();
                assert_eq!(
                    warnings,
                    ["without `auth` the query string is believed: anyone connects as anyone"]
                );
                assert!(
                    loaded
                        .warnings
                        .iter()
                        .all(|warning| warning.severity == Severity::Warning)
                );
            }
        }
    }

    #[test]
    fn any_folder_has_a_stack_name() {
        assert_eq!(stack_name("my_app v2"), "my-app-v2");
        assert_eq!(stack_name("2024-chat"), "chat");
        assert_eq!(stack_name("日本"), "chat");
        assert_eq!(stack_name(""), "chat");
        assert!(limits::is_stack_name(&stack_name(&"x-".repeat(100))));
    }
}
