//! The code of every function of a stack, built and zipped once each.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::Context;
use super::session::{Session, folder};
use crate::cli::Code;
use crate::describe::Artifacts;
use crate::error::Error;
use crate::package::{self, Arch, Artifact, PackageError, Profile, Request, Source};
use crate::plan::wrap::{COLUMNS, elide};
use crate::resource::function;
use crate::stack::{Architecture, FunctionDef};

/// One thing to package, for one or several functions.
#[derive(Clone, PartialEq)]
struct Job {
    source: Source,
    arch: Arch,
    profile: Profile,
    handlers_zip: Option<PathBuf>,
    native: bool,
    provided: bool,
    keys: Vec<String>,
}

/// Packages in the background, so that looking at the cloud goes on meanwhile.
pub(crate) async fn artifacts(
    context: &Context,
    session: &Session,
    code: &Code,
) -> Result<Artifacts, Error> {
    let jobs = jobs(session, code);
    let notes = context.notes();
    let packaged = tokio::task::spawn_blocking(move || {
        let mut all = Artifacts::new();
        for job in jobs {
            let artifact = job
                .run(&mut |text| notes(text))
                .map_err(|e| of_package(&job.keys, e))?;
            let code = function::Code {
                zip: Arc::new(artifact.zip),
                sha256: artifact.sha256,
            };
            all.extend(job.keys.into_iter().map(|key| (key, code.clone())));
        }
        Ok(all)
    });
    let artifacts = packaged.await;
    context.forget_notes();
    artifacts.unwrap_or_else(|error| Err(Error::failed(format!("packaging ended: {error}"))))
}

impl Job {
    fn run(&self, note: &mut dyn FnMut(&str)) -> Result<Artifact, PackageError> {
        let request = Request {
            source: &self.source,
            arch: self.arch,
            profile: self.profile,
            handlers_zip: self.handlers_zip.as_deref(),
            native: self.native,
            provided: self.provided,
        };
        package::package(&request, note)
    }
}

fn jobs(session: &Session, code: &Code) -> Vec<Job> {
    let is_local = session.is_local();
    let mut jobs: Vec<Job> = Vec::new();
    for (key, def) in &session.loaded.stack.functions {
        let arch = match def.architecture.unwrap_or(session.site.architecture) {
            Architecture::X86_64 => Arch::X86_64,
            Architecture::Arm64 => Arch::Arm64,
        };
        let job = Job {
            source: source(session, def),
            arch,
            profile: if is_local {
                Profile::Quick
            } else {
                Profile::Lambda
            },
            handlers_zip: code.handlers_zip(),
            native: is_local,
            provided: def
                .runtime
                .as_deref()
                .is_none_or(|r| r.starts_with("provided")),
            keys: Vec::new(),
        };
        match jobs.iter_mut().find(|known| {
            Job {
                keys: Vec::new(),
                ..(**known).clone()
            } == job
        }) {
            Some(known) => known.keys.push(key.clone()),
            None => jobs.push(Job {
                keys: vec![key.clone()],
                ..job
            }),
        }
    }
    jobs
}

/// Where a function's code comes from.
pub(super) fn source(session: &Session, def: &FunctionDef) -> Source {
    let Some(source) = &def.source else {
        return Source::Shipped;
    };
    let path = folder(&session.loaded.file).join(source);
    if path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("zip"))
    {
        Source::Zip(path)
    } else if def.runtime.is_none() && path.join("Cargo.toml").is_file() {
        Source::Cargo {
            dir: path,
            bin: def.entry.clone(),
        }
    } else {
        Source::Folder(path)
    }
}

fn of_package(keys: &[String], error: PackageError) -> Error {
    let which = match keys {
        [one] => format!("function {one}"),
        all => format!("functions {}", all.join(", ")),
    };
    Error::failed(format!("{which}: {}", error.message)).hints(error.hints)
}

/// How the tool that compiles is heard: a line each time it begins another crate.
const STEP: &str = ": compiling ";

impl Context {
    /// Says things from another thread, where they may be said: on a terminal each over the one before,
    /// elsewhere without the single steps.
    fn notes(&self) -> impl Fn(&str) + Send + use<> {
        let silent = self.global.quiet || self.global.json;
        let (draws, width) = (self.can_draw, self.columns_of_stderr().unwrap_or(COLUMNS));
        move |text: &str| {
            let mut err = std::io::stderr();
            let said = match (silent, draws) {
                (true, _) => Ok(()),
                (false, true) => {
                    write!(err, "{CLEAR}{}", elide(text, width)).and_then(|()| err.flush())
                }
                (false, false) if text.contains(STEP) => Ok(()),
                (false, false) => writeln!(err, "{text}"),
            };
            // A closed stderr stops no build.
            said.ok();
        }
    }

    /// Takes the last note off the terminal.
    fn forget_notes(&self) {
        if self.can_draw && !self.global.quiet && !self.global.json {
            write!(std::io::stderr(), "{CLEAR}").ok();
        }
    }
}

/// To the line's beginning, and nothing on it.
const CLEAR: &str = "\r\x1b[2K";
