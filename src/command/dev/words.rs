//! What `dev` says: how to talk to it, and what happens meanwhile.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::super::Context;
use super::super::session::Session;
use super::super::token;
use super::denied;
use super::page;
use super::tail;
use crate::local::Happening;
use crate::stack::{Shipped, Stack};

/// The first words a newcomer needs: how to talk, each line to be pasted into another terminal.
pub(super) fn welcome(context: &Context, session: &Session, shows_all: bool) {
    if context.global.json {
        return;
    }
    if let Some(address) = page::address(session) {
        context.say(&format!("console: {address}"));
    }
    let connect = format!("msgai connect --local{}", chosen(context));
    let stack = &session.loaded.stack;
    let needs_token = stack.authorizer().is_some() && !token::mints(session);
    let text = if needs_token {
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
    if !shows_all {
        context.say("`--tail` shows every event");
    }
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
    functions.any(|def| matches!(def.handler, Some(Shipped::Send | Shipped::Chat)))
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

/// What happens, as it is asked for.
pub(super) struct Show<'a> {
    context: &'a Context,
    tail: bool,
    /// What a drawing on the terminal keeps back.
    held: Vec<(Timestamp, Happening)>,
}

impl<'a> Show<'a> {
    pub(super) fn new(context: &'a Context, tail: bool) -> Self {
        Self {
            context,
            tail,
            held: Vec::new(),
        }
    }

    /// Everything with `--tail` or `-v`, each call and log line only with `-v`; else what a person must know.
    fn wants(&self, happening: &Happening) -> bool {
        let global = &self.context.global;
        match happening {
            Happening::Call { .. } | Happening::Log { .. } => global.verbose,
            _ if global.json || global.verbose => true,
            // Its event is the same line with more on it.
            Happening::Connected { .. } => false,
            Happening::Disconnected { .. } => self.tail,
            Happening::Event { error, .. } => self.tail || error.is_some(),
            _ => true,
        }
    }

    pub(super) fn tell(&self, session: &Session, happening: &Happening) {
        self.tell_of(session, Timestamp::now(), happening);
    }

    fn tell_of(&self, session: &Session, at: Timestamp, happening: &Happening) {
        if !self.wants(happening) {
            return;
        }
        if self.context.global.json {
            self.context.say_json(of_happening(happening));
        } else {
            let line = tail::line(self.context.look_err, at, happening);
            self.context.say(&line);
            denied::advise(self.context, session, happening);
        }
    }

    /// Does a deploy and tells what happens meanwhile; after it, where it draws on the terminal.
    pub(super) async fn beside<T>(
        &mut self,
        session: &Session,
        deploy: impl Future<Output = T>,
        happenings: &mut broadcast::Receiver<Happening>,
    ) -> T {
        let mut deploy = std::pin::pin!(deploy);
        let done = loop {
            tokio::select! {
                biased;
                done = &mut deploy => break done,
                happening = happenings.recv() => match happening {
                    Ok(happening) if !self.wants(&happening) => {}
                    Ok(happening) if self.context.can_draw => {
                        self.held.push((Timestamp::now(), happening));
                    }
                    Ok(happening) => self.tell(session, &happening),
                    Err(missed) => self.missed(&missed),
                }
            }
        };
        for (at, happening) in std::mem::take(&mut self.held) {
            self.tell_of(session, at, &happening);
        }
        done
    }

    pub(super) fn missed(&self, error: &RecvError) {
        if let RecvError::Lagged(count) = error
            && self.tail
        {
            self.context
                .say(&format!("{count} lines were too quick to be shown"));
        }
    }

    /// What happened until something failed: with `-v` everything, else only what may be why.
    pub(super) fn drain(&self, session: &Session, happenings: &mut broadcast::Receiver<Happening>) {
        let may_be_why = |happening: &Happening| match happening {
            Happening::Denied { .. } => true,
            Happening::Event { error, .. } => error.is_some(),
            _ => false,
        };
        while let Ok(happening) = happenings.try_recv() {
            if self.context.global.verbose || may_be_why(&happening) {
                self.tell(session, &happening);
            }
        }
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
