//! What `dev` says: how to talk to it, and what happens meanwhile.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::super::Context;
use super::super::session::Session;
use super::denied;
use super::page;
use crate::local::Happening;
use crate::stack::{Shipped, Stack};

/// The first words a newcomer needs: how to talk, each line to be pasted into another terminal.
pub(super) fn welcome(context: &Context, session: &Session) {
    if context.global.json {
        return;
    }
    if let Some(address) = page::address(session) {
        context.say(&format!("console: {address}"));
    }
    let connect = format!("msgai connect --local{}", chosen(context));
    let stack = &session.loaded.stack;
    let text = if stack.auth.is_some() {
        format!("talk, in another terminal:\n  {connect} --token TOKEN")
    } else {
        let (group, say) = if by_group(stack) {
            (" --group friends", "/group friends hello")
        } else {
            ("", "/to bob hello")
        };
        let last = if sends(stack) {
            format!("\nand type there: {say}")
        } else {
            String::new()
        };
        format!(
            "talk, in two other terminals:\n  {connect} --user bob{group}\n  \
             {connect} --user alice{group}{last}"
        )
    };
    context.say(&text);
    context.say("a saved change is deployed at once; Ctrl-C ends");
}

/// The flags that chose this stack, for another command line.
fn chosen(context: &Context) -> String {
    let mut flags = String::new();
    if let Some(file) = &context.global.file {
        flags.push_str(&format!(" -f {}", file.display()));
    }
    if let Some(environment) = &context.global.environment {
        flags.push_str(&format!(" -e {environment}"));
    }
    flags
}

/// The shipped handler understands what `connect` makes of a line.
fn sends(stack: &Stack) -> bool {
    let mut functions = stack.functions.values();
    functions.any(|def| def.handler == Some(Shipped::Send))
}

/// People are found by their group, and not by their own id.
fn by_group(stack: &Stack) -> bool {
    finds_by(stack, "groupId") && !finds_by(stack, "userId")
}

/// A table has an index by this attribute.
pub(in crate::command) fn finds_by(stack: &Stack, attribute: &str) -> bool {
    let mut indexes = stack.tables.values().flat_map(|t| t.indexes.values());
    indexes.any(|index| index.key().name() == attribute)
}

/// As a person in the current folder says it.
pub(super) fn short(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(here).unwrap_or(path);
    path.display().to_string()
}

pub(super) fn goodbye(context: &Context) {
    if !context.global.json {
        // Over the `^C` that the terminal has shown.
        let home = if context.can_draw { "\r" } else { "" };
        context.say(&format!(
            "{home}stopped; what was stored is there again next time"
        ));
    }
}

pub(super) fn tell(context: &Context, happening: &Happening) {
    let detail = matches!(happening, Happening::Call { .. } | Happening::Log { .. });
    if detail && !context.global.verbose {
        return;
    }
    if context.global.json {
        context.say_json(of_happening(happening));
    } else {
        context.say(&happening.to_string());
    }
}

fn of_happening(happening: &Happening) -> Value {
    let ms = |took: &Duration| took.as_secs_f64() * 1000.0;
    match happening {
        Happening::Call {
            service,
            operation,
            status,
            took,
            ..
        } => json!({
            "type": "call", "service": service, "operation": operation, "status": status,
            "milliseconds": ms(took),
        }),
        Happening::Connected {
            connection_id,
            query,
        } => json!({ "type": "connected", "connection": connection_id, "query": query }),
        Happening::Event {
            connection_id,
            route_key,
            function,
            status,
            took,
            request_id,
            init,
            error,
        } => json!({
            "type": "event", "connection": connection_id, "route": route_key,
            "function": function, "status": status, "milliseconds": ms(took),
            "request": request_id, "cold": init.is_some(),
            "initMilliseconds": init.as_ref().map(ms), "error": error,
        }),
        Happening::Refused {
            connection_id,
            message,
        } => json!({ "type": "refused", "connection": connection_id, "message": message }),
        Happening::Disconnected {
            connection_id,
            code,
            reason,
        } => json!({
            "type": "disconnected", "connection": connection_id, "code": code, "reason": reason,
        }),
        Happening::Log {
            function,
            request_id,
            line,
        } => json!({
            "type": "log", "function": function, "request": request_id, "line": line,
        }),
        Happening::Denied {
            principal,
            action,
            resource,
            why,
            statement,
        } => json!({
            "type": "denied", "principal": principal, "action": action, "resource": resource,
            "why": why, "statement": serde_json::from_str::<Value>(statement).ok(),
        }),
        Happening::Note { text } => json!({ "type": "note", "text": text }),
    }
}

/// What happened until something failed: with `-v` everything, else only what was denied.
pub(super) fn drain(
    context: &Context,
    session: &Session,
    happenings: &mut broadcast::Receiver<Happening>,
) {
    while let Ok(happening) = happenings.try_recv() {
        if context.global.verbose || matches!(happening, Happening::Denied { .. }) {
            tell(context, &happening);
            denied::advise(context, session, &happening);
        }
    }
}
