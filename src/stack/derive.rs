//! Functions that a file asks for without naming them.
//!
//! In: a stack as it was written. Out: the same with those functions beside its own, so that everything after this
//! sees ordinary ones. A function of the file with the same shipped handler is used instead.

use super::{FunctionDef, Shipped, Stack};

/// A function that some key of the file asks for.
pub(super) struct Wanted {
    pub(super) handler: Shipped,
    /// What it is called, unless the file declares one with this handler.
    pub(super) key: &'static str,
    /// The key of the file that asks for it, as a complaint says it.
    pub(super) asks: &'static str,
    applies: fn(&Stack) -> bool,
}

const ALL: [Wanted; 2] = [
    Wanted {
        handler: Shipped::Authorize,
        key: "authorize",
        asks: "auth.jwt",
        applies: |stack| stack.jwt().is_some(),
    },
    Wanted {
        handler: Shipped::Deliver,
        key: "deliver",
        asks: "shards",
        applies: |stack| {
            stack.shards().is_some()
                && [Shipped::Send, Shipped::Chat]
                    .iter()
                    .any(|one| stack.shipped(*one).next().is_some())
        },
    },
];

/// What the file asks for and does not declare.
fn missing(stack: &Stack) -> impl Iterator<Item = &'static Wanted> {
    ALL.iter()
        .filter(|wanted| (wanted.applies)(stack) && stack.shipped(wanted.handler).next().is_none())
}

/// What cannot be added, because the file calls something else so.
pub(super) fn clashes(stack: &Stack) -> Vec<&'static Wanted> {
    missing(stack)
        .filter(|wanted| stack.functions.contains_key(wanted.key))
        .collect()
}

/// The stack with what it asks for. What clashes is left out, which `validate` has complained of.
pub(super) fn derived(mut stack: Stack) -> Stack {
    let missing: Vec<&Wanted> = missing(&stack).collect();
    for wanted in missing {
        let function = FunctionDef {
            handler: Some(wanted.handler),
            ..FunctionDef::default()
        };
        stack
            .functions
            .entry(wanted.key.to_owned())
            .or_insert(function);
    }
    stack
}
