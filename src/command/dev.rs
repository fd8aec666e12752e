//! `dev`: the whole stack on this machine. A local cloud, the ordinary deploy aimed at it, and again on every change.

mod denied;
mod files;
mod page;
mod tail;
pub(super) mod words;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;
use tokio::sync::{broadcast, watch};

use super::deploy::finish;
use super::local::{self, Local};
use super::prune;
use super::run::Run;
use super::session::{self, Session, folder, guard, signals};
use super::smoke::read_script;
use super::{Context, diff, token};
use files::{Changed, Watch};
use words::{Show, goodbye, short, welcome};

use crate::cli::{Dev, KEEP, RealismKind};
use crate::error::{Error, ErrorKind};
use crate::local::{Happening, LocalCloud, Manners, Options, Realism};
use crate::names::Facts;
use crate::plan::guard::Consent;
use crate::plan::wrap::COLUMNS;
use crate::stack::Loaded;
use crate::talk::play::{PlayOptions, play};
use crate::talk::script::Script;
use crate::talk::transcript::Line;

pub(crate) async fn run(context: &Context, args: &Dev) -> Result<ExitCode, Error> {
    let begun = Instant::now();
    // A script with a mistake in it is better known before anything is built.
    let script = args.play.as_deref().map(read_script).transpose()?;
    let loaded = session::load(context)?;
    context.warnings(&loaded);
    let (cloud, local) = start(context, args, &loaded).await?;
    let mut happenings = cloud.watch();
    let stop = signals();
    let session = Session::at(context, loaded, Some(local), true).await?;
    // What is saved while the first build runs counts, too.
    let first = Box::pin(deploy(context, args, &session, &stop, false));
    let (watch, facts) = futures_util::join!(Watch::new(&session), first);
    let (watch, facts) = (watch?, facts?);
    cloud.suggest(&session);
    if context.can_draw {
        // Apart from the progress above it.
        context.say("");
    }
    finish(context, &session, &facts, None, begun)?;
    let took = begun.elapsed().as_secs_f64();
    if context.global.json {
        let endpoint = session.local.as_ref().map(Local::endpoint);
        let console = page::address(&session);
        let ready =
            json!({ "type": "ready", "endpoint": endpoint, "console": console, "seconds": took });
        context.say_json(ready);
    } else {
        context.say(&format!("ready in {took:.1} s"));
    }
    let done = match script {
        Some((name, script)) => {
            let done = converse(context, &session, &facts, &name, &script).await;
            if done.is_err() {
                Show::new(context, args.tail).drain(&session, &mut happenings);
            }
            done
        }
        None => {
            Box::pin(watch_on(
                context, args, &cloud, session, watch, happenings, stop,
            ))
            .await
        }
    };
    cloud.shutdown().await;
    done
}

/// The local cloud, and how this process reaches it as any other command would.
async fn start(context: &Context, args: &Dev, loaded: &Loaded) -> Result<(Serving, Local), Error> {
    let dir = local::state(&folder(&loaded.file))?;
    let Some(lock) = local::lock(&dir)? else {
        return Err(
            Error::refused(format!("`msgai dev` already serves {}", dir.display()))
                .hint("use it with `--local`, or end it first"),
        );
    };
    if args.fresh {
        forget(&dir)?;
    }
    let realism = Realism {
        latency: args.latency.unwrap_or_default(),
        ..match args.realism {
            RealismKind::Instant => Realism::INSTANT,
            RealismKind::Aws => Realism::AWS,
        }
    };
    let region = context
        .global
        .region
        .as_deref()
        .or(loaded.stack.region.as_deref());
    let options = Options {
        // Served always: without it, code that names AWS's hosts would reach them.
        tls: true,
        iam: !args.no_iam,
        manners: Manners {
            lost_disconnects: args.lose_disconnects,
            ..Manners::default()
        },
        ..local::options(dir.clone(), args.port, region, realism)
    };
    let region = options.region.clone();
    let cloud = LocalCloud::start(options).await.map_err(|error| {
        Error::failed(format!(
            "the local cloud does not start on port {}: {error}",
            args.port
        ))
        .hint("take another port with `--port`, or any free one with `--port 0`")
    })?;
    cloud
        .grant_api_logs()
        .map_err(|error| Error::failed(format!("the local account is not ready: {error}")))?;
    let endpoint = cloud.endpoint();
    local::announce(&dir, &endpoint, &region, args.tls)?;
    Ok((
        Serving { cloud, _lock: lock },
        Local::Running {
            endpoint,
            region,
            sealed: args.tls,
        },
    ))
}

/// A local cloud and the right to its state folder.
struct Serving {
    cloud: LocalCloud,
    _lock: local::Lock,
}

impl Serving {
    /// Lets the console offer what this stack understands.
    fn suggest(&self, session: &Session) {
        let stack = &session.loaded.stack;
        let groups = ["friends".to_owned()];
        let token = |name: &str| token::mint(session, name, &groups, token::LASTS).ok();
        self.cloud.suggest(page::suggestions(stack, token));
    }

    fn watch(&self) -> broadcast::Receiver<Happening> {
        self.cloud.watch()
    }

    async fn shutdown(self) {
        self.cloud.shutdown().await;
    }
}

/// Everything but the lock, which this process holds, and the authority, which a browser may have been told to trust.
fn forget(dir: &Path) -> Result<(), Error> {
    let cannot = |e: std::io::Error| Error::failed(format!("cannot empty {}: {e}", dir.display()));
    for entry in std::fs::read_dir(dir).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path
            .file_name()
            .is_some_and(|name| name == "lock" || name == "tls")
        {
            continue;
        }
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        removed.map_err(cannot)?;
    }
    Ok(())
}

/// The ordinary deploy. Nothing is asked: only this machine is concerned.
async fn deploy(
    context: &Context,
    args: &Dev,
    session: &Session,
    stop: &watch::Receiver<bool>,
    shows: bool,
) -> Result<Facts, Error> {
    let mut run = Run::new(context, session, "dev", &args.locking, Some(stop.clone()));
    let done = Box::pin(steps(context, args, session, &mut run, shows)).await;
    run.end().await;
    done
}

async fn steps(
    context: &Context,
    args: &Dev,
    session: &Session,
    run: &mut Run<'_>,
    shows: bool,
) -> Result<Facts, Error> {
    let plan = run.look(|| session.planned(context, &args.code)).await?;
    diff::notes(context, &plan);
    guard(&plan, &[Consent::DropConnections, Consent::NewUrl])?;
    if plan.is_empty() {
        return Ok(plan.facts);
    }
    if (shows || context.global.verbose) && !context.global.json {
        context.say(&plan.text(
            context.look_err,
            context.columns_of_stderr().unwrap_or(COLUMNS),
        ));
    }
    let ledger = run.ledger();
    let applying = run.apply(&plan);
    let (applied, old) = prune::alongside(session, &plan, ledger, KEEP, applying).await?;
    if let Some(old) = old {
        prune::away(context, session, run, &applied.facts, old).await;
    }
    Ok(applied.facts)
}

/// Prints what happens, and deploys again whenever a file changes, until a signal comes.
async fn watch_on(
    context: &Context,
    args: &Dev,
    cloud: &Serving,
    mut session: Session,
    mut watch: Watch,
    mut happenings: broadcast::Receiver<Happening>,
    stop: watch::Receiver<bool>,
) -> Result<ExitCode, Error> {
    let mut show = Show::new(context, args.tail);
    let mut ended = stop.clone();
    welcome(context, &session, args.tail || context.global.verbose);
    loop {
        tokio::select! {
            _ = ended.wait_for(|stop| *stop) => {
                goodbye(context);
                return Ok(ExitCode::from(ErrorKind::Stopped.exit_code()));
            }
            happening = happenings.recv() => match happening {
                Ok(happening) => show.tell(&session, &happening),
                Err(missed) => show.missed(&missed),
            },
            Some(path) = watch.next() => {
                let changed = watch.all_with(path).await;
                let next = again(context, args, &session, &changed, &stop, &mut watch);
                if let Some(next) = show.beside(&session, Box::pin(next), &mut happenings).await {
                    session = next;
                    cloud.suggest(&session);
                }
            }
        }
    }
}

/// Deploys what is in the files now. A mistake in them is told, and the old version serves on.
async fn again(
    context: &Context,
    args: &Dev,
    session: &Session,
    changed: &Changed,
    stop: &watch::Receiver<bool>,
    watch: &mut Watch,
) -> Option<Session> {
    let begun = Instant::now();
    say_changed(context, changed);
    let next = match renewed(context, session).await {
        Ok(next) => next,
        Err(error) => {
            context.fail(&error);
            if let Err(error) = watch.lose() {
                context.fail(&error);
            }
            return None;
        }
    };
    // Before the deploy: a mistake in a new function's code is to be mended there.
    if let Err(error) = watch.follow(&next, Some(changed)).await {
        context.fail(&error);
    }
    match deploy(context, args, &next, stop, changed.is_stack_file).await {
        Ok(facts) => {
            if let Err(error) = finish(context, &next, &facts, None, begun) {
                context.fail(&error);
            }
            let took = begun.elapsed().as_secs_f64();
            if context.global.json {
                context.say_json(json!({ "type": "live", "seconds": took }));
            } else {
                context.say(&format!("live after {took:.1} s"));
            }
            Some(next)
        }
        Err(error) => {
            context.fail(&error);
            None
        }
    }
}

fn say_changed(context: &Context, changed: &Changed) {
    let paths: Vec<String> = changed.paths.iter().map(|path| short(path)).collect();
    if context.global.json {
        context.say_json(json!({ "type": "changed", "paths": paths }));
        return;
    }
    let others = match paths.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    context.say(&format!("{}{others} changed", paths[0]));
}

async fn renewed(context: &Context, session: &Session) -> Result<Session, Error> {
    let loaded = session::load(context)?;
    let local = session.local.as_ref().map(|local| Local::Running {
        endpoint: local.endpoint(),
        region: local.region().to_owned(),
        sealed: matches!(local, Local::Running { sealed: true, .. }),
    });
    Session::at(context, loaded, local, true).await
}

/// Plays a conversation with real clients.
async fn converse(
    context: &Context,
    session: &Session,
    facts: &Facts,
    name: &str,
    script: &Script,
) -> Result<ExitCode, Error> {
    let url = session
        .site
        .url(&session.loaded.stack)
        .resolve(facts)
        .map_err(|id| {
            Error::failed(format!("{id} has no id yet, so there is no URL to talk to"))
        })?;
    let mut tell = |line: &Line| {
        if !context.global.json {
            context.print(&format!("{line}\n"));
        }
    };
    let options = PlayOptions {
        authority: session.authority(),
        secrets: token::secrets(Some(session), script)?,
        ..PlayOptions::default()
    };
    let summary = play(script, &url, &options, &mut tell)
        .await
        .map_err(|error| Error::failed(format!("{name}: {error}")))?;
    if context.global.json {
        context.say_json(json!({
            "type": "played",
            "version": 1,
            "connections": summary.connections,
            "sent": summary.sent,
            "received": summary.received,
            "seconds": summary.took.as_secs_f64(),
        }));
    } else {
        context.print(&format!(
            "{} connections, {} messages sent, {} received, as written ({:.1} s)\n",
            summary.connections,
            summary.sent,
            summary.received,
            summary.took.as_secs_f64(),
        ));
    }
    Ok(ExitCode::SUCCESS)
}
