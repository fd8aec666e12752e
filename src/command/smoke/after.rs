//! `deploy --smoke`: a conversation with what was deployed a moment ago, and the way back when it fails.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::Context;
use super::super::rollback::back_to;
use super::super::run::Run;
use super::super::session::Session;
use super::super::token;
use super::words::{Cast, conversation};
use super::{counted, read_script};
use crate::cloud::wait::pause;
use crate::error::{Error, ErrorKind};
use crate::names::Facts;
use crate::plan::Plan;
use crate::plan::switch::Live;
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
                let cast = if token::mints(session) {
                    Cast::minted()
                } else {
                    Cast::named()
                };
                let whole = conversation(Some(stack), &cast);
                ("the smoke test".to_owned(), whole.script()?)
            }
        };
        let secrets = token::secrets(Some(session), &script)?;
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
        let url = session.site.trial_url(&session.loaded.stack).resolve(facts);
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
    context.say(&format!(
        "Smoke test passed in {seconds:.1} s, with {} connections and {}{release}.",
        summary.connections,
        counted(summary.sent)
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
