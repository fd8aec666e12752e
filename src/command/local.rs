//! The local cloud that a command uses: the one that `dev` runs, or the same state in this process.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::PORT;
use crate::error::Error;
use crate::local::{LocalCloud, Options, Realism};

/// Where a stack's local cloud keeps its state, beside the stack file.
const FOLDER: &str = ".msgai/local";

/// The authority of that cloud, in its state folder: clients of `wss` trust it.
const AUTHORITY: &str = "tls/ca.pem";

/// How the endpoint file says that clients are told of `wss`.
const SEALED: &str = "tls";

/// The Region of a local stack that names none; nothing leaves the machine, so one is as good as another.
pub(crate) const REGION: &str = "us-east-1";

pub(crate) enum Local {
    /// `dev` runs it.
    Running {
        endpoint: String,
        region: String,
        /// Whether clients are told of `wss`.
        sealed: bool,
    },
    /// In this process, for as long as the command takes.
    Here {
        cloud: LocalCloud,
        region: String,
        _lock: Lock,
    },
}

/// Held by whoever serves a state folder: two would write over each other.
pub(crate) struct Lock {
    _file: File,
    endpoint: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The lock itself goes with its file; a stale endpoint would only mislead.
        std::fs::remove_file(&self.endpoint).ok();
    }
}

impl Local {
    pub(crate) fn endpoint(&self) -> String {
        match self {
            Self::Running { endpoint, .. } => endpoint.clone(),
            Self::Here { cloud, .. } => cloud.endpoint(),
        }
    }

    pub(crate) fn region(&self) -> &str {
        match self {
            Self::Running { region, .. } | Self::Here { region, .. } => region,
        }
    }

    /// Where clients will find it: a one-off listens on any port, but `dev` will serve the same stack.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Running {
                endpoint,
                sealed: true,
                ..
            } => endpoint.replacen("http:", "https:", 1),
            Self::Running { endpoint, .. } => endpoint.clone(),
            Self::Here { .. } => format!("http://127.0.0.1:{PORT}"),
        }
    }
}

fn of_io(what: &str, error: &io::Error) -> Error {
    Error::failed(format!("{what}: {error}"))
}

/// The local cloud of the stack file in this folder.
pub(crate) async fn reach(folder: &Path, region: Option<&str>) -> Result<Local, Error> {
    let dir = state(folder)?;
    if let Some(lock) = lock(&dir)? {
        let options = options(dir, 0, region, Realism::INSTANT);
        let region = options.region.clone();
        let cloud = LocalCloud::start(options)
            .await
            .map_err(|error| of_io("the local cloud does not start", &error))?;
        cloud
            .grant_api_logs()
            .map_err(|error| of_io("the local account is not ready", &error))?;
        Ok(Local::Here {
            cloud,
            region,
            _lock: lock,
        })
    } else {
        let text = std::fs::read_to_string(dir.join("endpoint"))
            .map_err(|error| of_io("the running local cloud does not say where it is", &error))?;
        let mut words = text.split_whitespace();
        Ok(Local::Running {
            endpoint: words.next().unwrap_or_default().to_owned(),
            region: words.next().unwrap_or(REGION).to_owned(),
            sealed: words.next() == Some(SEALED),
        })
    }
}

/// Absolute, because functions run in folders of their own.
pub(crate) fn state(folder: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(folder.join(FOLDER))
        .map_err(|error| of_io("the current folder is unknown", &error))
}

/// What clients of the local cloud in this folder trust, once it has served.
pub(crate) fn authority(folder: &Path) -> Option<PathBuf> {
    let path = folder.join(FOLDER).join(AUTHORITY);
    path.is_file().then_some(path)
}

pub(crate) fn options(dir: PathBuf, port: u16, region: Option<&str>, realism: Realism) -> Options {
    let region = region.unwrap_or(REGION).to_owned();
    Options {
        dir: Some(dir),
        port,
        region,
        realism,
        ..Options::default()
    }
}

/// `None` when another process serves this state.
pub(crate) fn lock(dir: &Path) -> Result<Option<Lock>, Error> {
    std::fs::create_dir_all(dir)
        .map_err(|e| of_io(&format!("cannot make {}", dir.display()), &e))?;
    ignore(dir);
    let path = dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| of_io(&format!("cannot open {}", path.display()), &e))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock {
            _file: file,
            endpoint: dir.join("endpoint"),
        })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(of_io(&format!("cannot lock {}", path.display()), &e)),
    }
}

/// What a local cloud stores is nobody's to commit. Where this cannot be said, nothing else is wrong.
fn ignore(dir: &Path) {
    let Some(parent) = dir.parent() else { return };
    let file = File::options()
        .write(true)
        .create_new(true)
        .open(parent.join(".gitignore"));
    if let Ok(mut file) = file {
        file.write_all(b"*\n").ok();
    }
}

/// Tells other commands where this process serves, and whether it tells clients of `wss`.
pub(crate) fn announce(
    dir: &Path,
    endpoint: &str,
    region: &str,
    sealed: bool,
) -> Result<(), Error> {
    let sealed = if sealed { SEALED } else { "plain" };
    std::fs::write(
        dir.join("endpoint"),
        format!("{endpoint} {region} {sealed}\n"),
    )
    .map_err(|e| of_io("cannot write the local cloud's endpoint file", &e))
}
