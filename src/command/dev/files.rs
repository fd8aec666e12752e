//! What `dev` watches: the stack file, and whatever its functions are made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::ModifyKind;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::super::code;
use super::super::session::{Session, folder};
use crate::cloud::wait::pause;
use crate::error::Error;
use crate::package::{self, Source};

/// Editors write a file in several steps; a change is over when nothing has happened for so long.
const SETTLE: Duration = Duration::from_millis(50);

/// Folders that no function is made of.
const LEFT_OUT: [&str; 6] = [
    "target",
    ".git",
    ".msgai",
    "node_modules",
    "__pycache__",
    ".DS_Store",
];

pub(super) struct Watch {
    watcher: RecommendedWatcher,
    wanted: Arc<Mutex<Wanted>>,
    /// Folders that are watched, and whether with all below them.
    watched: BTreeMap<PathBuf, bool>,
    changes: mpsc::UnboundedReceiver<PathBuf>,
}

/// What was saved at once.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) paths: Vec<PathBuf>,
    pub(super) is_stack_file: bool,
}

/// What a change must be in to matter.
#[derive(Debug, Default)]
struct Wanted {
    file: PathBuf,
    sources: Vec<PathBuf>,
    /// A source itself was made, moved or removed, so that it is to be watched anew.
    is_shaken: bool,
    /// The file cannot be read, perhaps for want of something beside it: whatever comes or goes there matters.
    is_lost: bool,
}

impl Watch {
    pub(super) async fn new(session: &Session) -> Result<Self, Error> {
        let (sender, changes) = mpsc::unbounded_channel();
        let wanted = Arc::new(Mutex::new(Wanted::default()));
        let heard = Arc::clone(&wanted);
        let hear = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if event.kind.is_access() {
                return;
            }
            let comes_or_goes = event.kind.is_create()
                || event.kind.is_remove()
                || matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)));
            let mut wanted = locked(&heard);
            let matters =
                |path: &&PathBuf| wanted.has(path) || (comes_or_goes && wanted.may_want(path));
            if let Some(path) = event.paths.iter().find(matters) {
                wanted.is_shaken |= wanted.sources.contains(path);
                // The receiver is gone when `dev` ends.
                sender.send(path.clone()).ok();
            }
        };
        let watcher = notify::recommended_watcher(hear).map_err(|e| cannot(&e))?;
        let mut watch = Self {
            watcher,
            wanted,
            watched: BTreeMap::new(),
            changes,
        };
        watch.follow(session, None).await?;
        Ok(watch)
    }

    /// The next path that changed; `None` never comes while this lives.
    pub(super) async fn next(&mut self) -> Option<PathBuf> {
        self.changes.recv().await
    }

    /// Everything that changed together with `first`, once whoever writes has finished.
    pub(super) async fn all_with(&mut self, first: PathBuf) -> Changed {
        let mut paths = vec![first];
        loop {
            tokio::select! {
                more = self.changes.recv() => match more {
                    Some(path) if paths.contains(&path) => {}
                    Some(path) => paths.push(path),
                    None => break,
                },
                () = pause(SETTLE) => break,
            }
        }
        let is_stack_file = paths.contains(&locked(&self.wanted).file);
        Changed {
            paths,
            is_stack_file,
        }
    }

    /// Watches what this session is made of, where `changed` may have changed that.
    pub(super) async fn follow(
        &mut self,
        session: &Session,
        changed: Option<&Changed>,
    ) -> Result<(), Error> {
        let file = real(&session.loaded.file);
        let may_differ = changed.is_none_or(|changed| {
            changed.is_stack_file || changed.paths.iter().any(|p| p.ends_with("Cargo.toml"))
        });
        let (is_shaken, was_lost) = {
            let wanted = locked(&self.wanted);
            (wanted.is_shaken, wanted.is_lost)
        };
        if is_shaken {
            // What was watched may be gone, with another thing in its place.
            self.watched.clear();
        } else if !may_differ && !was_lost {
            return Ok(());
        }
        let sources = sources(session).await;
        let mut folders = BTreeMap::from([(folder(&file), false)]);
        for source in &sources {
            let (path, whole) = place(source);
            *folders.entry(path).or_default() |= whole;
        }
        *locked(&self.wanted) = Wanted {
            file,
            sources,
            is_shaken: false,
            is_lost: false,
        };
        self.watch(folders)
    }

    /// The file cannot be read: besides what it said before, everything that comes or goes beside it is watched.
    pub(super) fn lose(&mut self) -> Result<(), Error> {
        let folder = {
            let mut wanted = locked(&self.wanted);
            wanted.is_lost = true;
            folder(&wanted.file)
        };
        let mut folders = self.watched.clone();
        folders.insert(folder, true);
        self.watch(folders)
    }

    fn watch(&mut self, folders: BTreeMap<PathBuf, bool>) -> Result<(), Error> {
        for (path, whole) in &self.watched {
            if folders.get(path) != Some(whole) {
                // It may be gone already.
                drop(self.watcher.unwatch(path));
            }
        }
        for (path, whole) in &folders {
            if self.watched.get(path) != Some(whole) {
                let mode = if *whole {
                    RecursiveMode::Recursive
                } else {
                    RecursiveMode::NonRecursive
                };
                self.watcher.watch(path, mode).map_err(|e| cannot(&e))?;
            }
        }
        self.watched = folders;
        Ok(())
    }
}

impl Wanted {
    fn may_want(&self, path: &Path) -> bool {
        let inside = path.strip_prefix(folder(&self.file));
        self.is_lost && inside.is_ok_and(is_source)
    }

    fn has(&self, path: &Path) -> bool {
        path == self.file
            || self.sources.iter().any(|source| {
                let inside = path.strip_prefix(source);
                // A source that is not there yet may come with a folder above it.
                inside.is_ok_and(is_source) || source.starts_with(path)
            })
    }
}

/// Whether a path inside of a source is part of it, and no more than an editor's own.
fn is_source(inside: &Path) -> bool {
    let mut parts = inside.iter().map(|part| part.to_string_lossy());
    let left_out = parts.any(|part| LEFT_OUT.contains(&&*part));
    let name = inside.file_name().unwrap_or_default().to_string_lossy();
    let is_editors = name.ends_with('~')
        || name.starts_with(".#")
        || name == "4913"
        || Path::new(&*name)
            .extension()
            .is_some_and(|e| e == "swp" || e == "swx");
    !left_out && !is_editors
}

/// The folder to watch for a source, and whether with all below it. One that is not there is awaited from above; a
/// file is watched from its folder, because many an editor puts another in its place.
fn place(source: &Path) -> (PathBuf, bool) {
    if source.is_dir() {
        return (source.to_owned(), true);
    }
    let above = source.ancestors().skip(1).find(|path| path.is_dir());
    (above.unwrap_or(Path::new("/")).to_owned(), false)
}

/// Asking cargo takes a moment, so it is done beside.
async fn sources(session: &Session) -> Vec<PathBuf> {
    let functions = session.loaded.stack.functions.values();
    let mut all: Vec<Source> = functions.map(|def| code::source(session, def)).collect();
    all.dedup();
    let paths = move || {
        let mut paths: Vec<PathBuf> = all
            .iter()
            .flat_map(|source| match source {
                Source::Shipped => package::shipped_sources().into_iter().collect(),
                Source::Cargo { dir, .. } => package::own_sources(dir),
                Source::Folder(path) | Source::Zip(path) => vec![path.clone()],
            })
            .map(|path| real(&path))
            .collect();
        paths.sort();
        paths.dedup();
        paths
    };
    tokio::task::spawn_blocking(paths).await.unwrap_or_default()
}

/// As the system reports it: without links and dots, as far as it is there.
fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => {
            let parent = if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            };
            real(parent).join(name)
        }
        _ => path.to_owned(),
    }
}

fn cannot(error: &notify::Error) -> Error {
    Error::failed(format!("files cannot be watched: {error}"))
}

fn locked(wanted: &Mutex<Wanted>) -> std::sync::MutexGuard<'_, Wanted> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_or_an_editor_leaves_behind_is_no_change() {
        let wanted = Wanted {
            // A folder above may be called as it likes.
            file: PathBuf::from("/target/chat/stack.yaml"),
            sources: vec![PathBuf::from("/target/chat/fn")],
            ..Wanted::default()
        };
        for (path, matters) in [
            ("/target/chat/stack.yaml", true),
            ("/target/chat/other.yaml", false),
            ("/target/chat/fn/index.mjs", true),
            ("/target/chat/fn/deep/er.py", true),
            ("/target/chat/fn", true),
            ("/target/chat/fn/target/debug/x", false),
            ("/target/chat/fn/node_modules/x/index.js", false),
            ("/target/chat/fn/.index.mjs.swp", false),
            ("/target/chat/fn/index.mjs~", false),
            ("/target/chat/fn/.#index.mjs", false),
            ("/target/chat/fnord/index.mjs", false),
        ] {
            assert_eq!(wanted.has(Path::new(path)), matters, "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_awaited_from_above() {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path().canonicalize().unwrap();
        assert_eq!(place(&here), (here.clone(), true));
        assert_eq!(place(&here.join("a/b")), (here.clone(), false));
        std::fs::write(here.join("f.zip"), "").unwrap();
        assert_eq!(place(&here.join("f.zip")), (here.clone(), false));
        assert_eq!(real(&here.join("no/such")), here.join("no/such"));
    }
}
