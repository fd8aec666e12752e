//! `dev`: the whole stack on this machine. A local cloud, the ordinary deploy aimed at it, and again on every change.

mod denied;
mod page;
pub(super) mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use serde_json::json;
use tokio::sync::{broadcast, mpsc, watch};

use super::deploy::finish;
use super::local::{self, Local};
use super::prune;
use super::run::Run;
use super::session::{self, Session, folder, guard, signals};
use super::smoke::read_script;
use super::{Context, diff};
use words::{drain, goodbye, short, tell, welcome};

use crate::cli::{Dev, KEEP, RealismKind};
use crate::cloud::wait::pause;
use crate::error::{Error, ErrorKind};
use crate::local::{Happening, LocalCloud, Manners, Options, Realism};
use crate::names::Facts;
use crate::package;
use crate::plan::guard::Consent;
use crate::stack::Loaded;
use crate::talk::play::{PlayOptions, play};
use crate::talk::script::Script;
use crate::talk::transcript::Line;

/// Editors write a file in several steps; a change is over when nothing has happened for so long.
const SETTLE: Duration = Duration::from_millis(120);

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
    let facts = deploy(context, args, &session, &stop).await?;
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
                drain(context, &session, &mut happenings);
            }
            done
        }
        None => Box::pin(watch_on(context, args, session, happenings, stop)).await,
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
    let realism = match args.realism {
        RealismKind::Instant => Realism::INSTANT,
        RealismKind::Aws => Realism::AWS,
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
        self.cloud.suggest(page::suggestions(stack));
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
) -> Result<Facts, Error> {
    let mut run = Run::new(context, session, "dev", &args.locking, Some(stop.clone()));
    let done = Box::pin(steps(context, args, session, &mut run)).await;
    run.end().await;
    done
}

async fn steps(
    context: &Context,
    args: &Dev,
    session: &Session,
    run: &mut Run<'_>,
) -> Result<Facts, Error> {
    let plan = run.look(|| session.planned(context, &args.code)).await?;
    diff::notes(context, &plan);
    guard(&plan, &[Consent::DropConnections, Consent::NewUrl])?;
    if plan.is_empty() {
        return Ok(plan.facts);
    }
    if context.global.verbose {
        context.say(&plan.text(context.look_err));
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
    mut session: Session,
    mut happenings: broadcast::Receiver<Happening>,
    stop: watch::Receiver<bool>,
) -> Result<ExitCode, Error> {
    let (watcher, mut changes) = watcher(&session)?;
    let mut ended = stop.clone();
    welcome(context, &session);
    loop {
        tokio::select! {
            _ = ended.wait_for(|stop| *stop) => {
                drop(watcher);
                goodbye(context);
                return Ok(ExitCode::from(ErrorKind::Stopped.exit_code()));
            }
            happening = happenings.recv() => {
                if let Ok(happening) = happening {
                    tell(context, &happening);
                    denied::advise(context, &session, &happening);
                }
            }
            Some(path) = changes.recv() => {
                settle(&mut changes).await;
                session = Box::pin(again(context, args, session, &path, &stop)).await;
            }
        }
    }
}

async fn settle(changes: &mut mpsc::UnboundedReceiver<PathBuf>) {
    loop {
        tokio::select! {
            more = changes.recv() => {
                if more.is_none() {
                    return;
                }
            }
            () = pause(SETTLE) => return,
        }
    }
}

/// Deploys what is in the files now. A mistake in them is told, and the old version serves on.
async fn again(
    context: &Context,
    args: &Dev,
    session: Session,
    path: &Path,
    stop: &watch::Receiver<bool>,
) -> Session {
    let begun = Instant::now();
    if !context.global.json {
        context.say(&format!("{} changed", short(path)));
    }
    let next = match renewed(context, &session).await {
        Ok(next) => next,
        Err(error) => {
            context.fail(&error);
            return session;
        }
    };
    match deploy(context, args, &next, stop).await {
        Ok(facts) => {
            if let Err(error) = finish(context, &next, &facts, None, begun) {
                context.fail(&error);
            }
            if !context.global.json {
                let took = begun.elapsed().as_secs_f64();
                context.say(&format!("live after {took:.1} s"));
            }
            next
        }
        Err(error) => {
            context.fail(&error);
            session
        }
    }
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

/// The stack file's folder, and wherever functions are built from.
fn watcher(
    session: &Session,
) -> Result<(RecommendedWatcher, mpsc::UnboundedReceiver<PathBuf>), Error> {
    let cannot = |e: notify::Error| Error::failed(format!("files cannot be watched: {e}"));
    let (sender, receiver) = mpsc::unbounded_channel();
    let file = session.loaded.file.clone();
    let stack_file = file.file_name().map(ToOwned::to_owned);
    let sources = sources(session);
    let roots = sources.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if event.kind.is_access() {
            return;
        }
        let matters = |path: &PathBuf| {
            let hidden = path.components().any(|part| {
                matches!(
                    part.as_os_str().to_str(),
                    Some("target" | ".git" | ".msgai" | "node_modules")
                )
            });
            let is_stack = path.file_name() == stack_file.as_deref();
            !hidden && (is_stack || roots.iter().any(|root| path.starts_with(root)))
        };
        if let Some(path) = event.paths.iter().find(|path| matters(path)) {
            // The receiver is gone when `dev` ends.
            sender.send(path.clone()).ok();
        }
    })
    .map_err(cannot)?;
    watcher
        .watch(&folder(&file), RecursiveMode::NonRecursive)
        .map_err(cannot)?;
    for source in sources {
        watcher
            .watch(&source, RecursiveMode::Recursive)
            .map_err(cannot)?;
    }
    Ok((watcher, receiver))
}

fn sources(session: &Session) -> Vec<PathBuf> {
    let base = folder(&session.loaded.file);
    let functions = session.loaded.stack.functions.values();
    let mut all: Vec<PathBuf> = functions
        .filter_map(|def| match &def.source {
            Some(source) => Some(base.join(source)),
            None => package::shipped_sources(),
        })
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    all.sort();
    all.dedup();
    all
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
