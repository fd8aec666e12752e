//! `deploy --smoke`: a conversation with what was deployed a moment ago, and the way back when it fails.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Context;
use super::dev::words::finds_by;
use super::rollback::back_to;
use super::run::Run;
use super::session::Session;
use super::token;
use crate::cloud::wait::pause;
use crate::error::{Error, ErrorKind};
use crate::names::Facts;
use crate::plan::Plan;
use crate::plan::switch::Live;
use crate::stack::{Shipped, Stack};
use crate::talk::play::{PlayOptions, play};
use crate::talk::script::Script;
use crate::talk::transcript::{Line, Summary};

/// A new policy, alias or deployment takes AWS some seconds to be known everywhere, so one failure proves nothing.
const TRIES: u32 = 3;
const BETWEEN: Duration = Duration::from_secs(3);

/// What is said to the stack.
pub(crate) struct Smoke {
    /// Where it is written, for an error to name.
    name: String,
    script: Script,
    /// What stands for `${token:…}` and `${env:…}` in it.
    secrets: BTreeMap<String, String>,
}

/// A conversation from a file.
pub(crate) fn read_script(path: &Path) -> Result<(String, Script), Error> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::failed(format!("cannot read the conversation {name}: {e}")))?;
    let script = Script::parse(&text).map_err(|e| Error::failed(format!("{name}: {e}")))?;
    Ok((name, script))
}

impl Smoke {
    /// Before anything is deployed: whether there is something to say, and somebody to say it to.
    pub(crate) fn prepared(session: &Session, file: Option<&Path>) -> Result<Self, Error> {
        if session.serves_only_now() {
            return Err(Error::usage("`--smoke` has nobody to talk to here")
                .hint("run `msgai dev` in another terminal"));
        }
        let stack = &session.loaded.stack;
        let (name, script) = match file {
            Some(file) => read_script(file)?,
            None if stack.authorizer().is_some() && !token::mints(session) => {
                return Err(Error::usage(
                    "`--smoke` does not know how clients of this stack sign in",
                )
                .hint(
                    "write a conversation with `?token=${env:NAME}` in it, and say `--smoke FILE`",
                ));
            }
            None => {
                let script =
                    Script::parse(&built_in(stack, token::mints(session))).map_err(|error| {
                        Error::failed(format!("no conversation fits this stack: {error}"))
                    })?;
                ("the smoke test".to_owned(), script)
            }
        };
        let secrets = token::secrets(session, &script)?;
        Ok(Self {
            name,
            script,
            secrets,
        })
    }

    /// Talks to the stack; where that fails, what was live before is live again, and that is an error all the same.
    pub(crate) async fn prove(
        &self,
        context: &Context,
        session: &Session,
        run: &mut Run<'_>,
        plan: &Plan,
        facts: &Facts,
    ) -> Result<(), Error> {
        let url = session.site.url(&session.loaded.stack).resolve(facts);
        let url = url.map_err(|id| {
            Error::failed(format!("{id} has no id yet, so there is no URL to talk to"))
        })?;
        let begun = Instant::now();
        let talking = async { Ok(self.talk(context, session, &url).await) };
        let why = match run.keeping(Box::pin(talking)).await {
            Ok(Ok(summary)) => {
                passed(context, &summary, run.made(), begun);
                return Ok(());
            }
            Ok(Err(why)) => format!("{}: {why}", self.name),
            Err(error) if error.kind == ErrorKind::Stopped => {
                let text = "stopped by a signal before the smoke test was over";
                return Err(Error::new(ErrorKind::Stopped, text)
                    .hint("what was deployed serves; `msgai deploy --smoke` tries it again"));
            }
            Err(error) => return Err(error),
        };
        let became = if plan.is_empty() {
            "nothing was deployed, so there is nothing to switch back".to_owned()
        } else {
            let before = Live::of(&plan.facts);
            run.unproven(&format!("smoke test failed: {why}"));
            back(context, session, run, &before).await
        };
        Err(
            Error::failed(format!("the smoke test failed: {why}; {became}"))
                .hint("`--verbose` says more; mend it and deploy again, or see `msgai history`"),
        )
    }

    async fn talk(
        &self,
        context: &Context,
        session: &Session,
        url: &str,
    ) -> Result<Summary, String> {
        let mut tell = |line: &Line| {
            if context.global.verbose && !context.global.json {
                context.say(&line.to_string());
            }
        };
        let mut left = if session.is_local() { 1 } else { TRIES };
        loop {
            let options = PlayOptions {
                authority: session.authority(),
                secrets: self.secrets.clone(),
                ..PlayOptions::default()
            };
            let done = Box::pin(play(&self.script, url, &options, &mut tell)).await;
            left -= 1;
            match done {
                Ok(summary) => return Ok(summary),
                Err(error) if left == 0 => return Err(error.to_string()),
                Err(error) if context.global.json => drop(error),
                Err(error) => context.say(&format!("not yet: {error}")),
            }
            pause(BETWEEN).await;
        }
    }
}

fn passed(context: &Context, summary: &Summary, release: Option<u64>, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    if context.global.json {
        context.say_json(json!({
            "type": "smoke",
            "version": 1,
            "connections": summary.connections,
            "sent": summary.sent,
            "received": summary.received,
            "seconds": seconds,
        }));
        return;
    }
    let release = release.map_or_else(String::new, |n| format!(": release {n}"));
    let messages = match summary.sent {
        1 => "1 message".to_owned(),
        n => format!("{n} messages"),
    };
    context.say(&format!(
        "Smoke test passed in {seconds:.1} s, with {} connections and {messages}{release}.",
        summary.connections
    ));
}

/// Makes live again what was live before; says what became of that.
async fn back(context: &Context, session: &Session, run: &mut Run<'_>, before: &Live) -> String {
    if !before.is_served() {
        return "there is nothing to switch back to, so what was deployed serves".to_owned();
    }
    let looking = async {
        let observed = session.observe().await?;
        back_to(session, &observed, before).await
    };
    let plan = match run.keeping(Box::pin(looking)).await {
        Ok(Ok(plan)) => plan,
        Ok(Err(missing)) => {
            let gone: Vec<String> = missing.iter().map(ToString::to_string).collect();
            return format!("it cannot be switched back: gone is {}", gone.join(", "));
        }
        Err(error) => return format!("it is not switched back: {}", error.message),
    };
    if plan.is_empty() {
        return "what callers reach is what it was before, so there is nothing to switch back"
            .to_owned();
    }
    if !context.global.json {
        context.say("switching back to what was live before:");
    }
    match run.switch_back(&plan).await {
        Ok(_) => "switched back to what was live before".to_owned(),
        Err(error) => format!("it is not switched back whole: {}", error.message),
    }
}

/// Two people connect, and where the shipped handlers serve, one says something to the other.
fn built_in(stack: &Stack, with_tokens: bool) -> String {
    let connect = if with_tokens {
        "alice connects ?token=${token:smoke-a:smoke}&groupId=smoke\n\
         bob connects ?token=${token:smoke-b:smoke}&groupId=smoke\n"
    } else {
        "alice connects ?userId=smoke-${id}-a&groupId=smoke-${id}\n\
         bob connects ?userId=smoke-${id}-b&groupId=smoke-${id}\n"
    };
    let whose = if with_tokens { "smoke" } else { "smoke-${id}" };
    let Some((field, action)) = way_to_send(stack) else {
        return connect.to_owned();
    };
    let said = format!(r#""{field}":"{action}","messageId":"smoke-${{id}}""#);
    let hears = |by: &str| {
        format!(
            r#"{by} receives {{"type":"message","data":{{"messageId":"smoke-${{id}}","content":"smoke"}}}}"#
        )
    };
    let status = r#"alice receives {"type":"messageStatus","data":{"messageId":"smoke-${id}","status":"delivered"}}"#;
    let (to, hearers) = if finds_by(stack, "userId") {
        (format!(r#""recipientId":"{whose}-b""#), hears("bob"))
    } else if finds_by(stack, "groupId") {
        // Everybody in the group hears it, whoever said it, too.
        let both = format!("{}\n{}", hears("alice"), hears("bob"));
        (format!(r#""groupId":"{whose}","senderName":"smoke""#), both)
    } else {
        return connect.to_owned();
    };
    format!("{connect}alice sends {{{said},{to},\"content\":\"smoke\"}}\n{hearers}\n{status}\n")
}

/// The field of a message that selects its route, and its value for the shipped handler that sends.
pub(super) fn way_to_send(stack: &Stack) -> Option<(&str, &str)> {
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
        let text = edit(include_str!("../../stack.yaml"));
        let loaded = load_text(&text, "stack.yaml", None, &|_| None);
        let loaded = loaded.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let text = built_in(&loaded.stack, false);
        Script::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        text
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
}
