//! Finds or builds what is deployed, and zips it reproducibly.
//!
//! In: where a function's code comes from, and for which processor. Out: a zip with the hash that Lambda gives it.
//! Never: the cloud, a stack, or any other module of ours; a download; a file written outside of cargo's target folder.

mod build;
mod elf;
mod embedded;
mod folder;
mod zip;

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

pub use embedded::{Carried, carried};
use embedded::{EMBEDDED, Embedded};

const MB: u64 = 1024 * 1024;

/// What Lambda takes in a request, without a bucket in between.
pub const ZIP_LIMIT: u64 = 50 * MB;

/// What Lambda unpacks.
const UNZIPPED_LIMIT: u64 = 250 * MB;

/// The file at the zip's root that a `provided.*` runtime starts.
const BOOTSTRAP: &str = "bootstrap";

/// A zip, ready to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    pub zip: Vec<u8>,
    /// Base64 of the zip's SHA-256, as Lambda's `CodeSha256`.
    pub sha256: String,
    pub architecture: Arch,
}

/// Where a function's code comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The handlers that travel with msgai: one zip for all of them.
    Shipped,
    /// A cargo package; `bin` chooses among its binaries.
    Cargo { dir: PathBuf, bin: Option<String> },
    /// Everything in a folder.
    Folder(PathBuf),
    /// A zip, taken as it is.
    Zip(PathBuf),
}

/// The processor that a function runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arch {
    X86_64,
    Arm64,
}

impl Arch {
    /// This machine's, when Lambda has its like.
    pub fn host() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// As a target triple begins.
    fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        })
    }
}

/// How cargo builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// What runs on AWS: optimised, in a target folder of its own, the same bytes in every checkout.
    Lambda,
    /// What `dev` runs: the debug build, in the checkout's own target folder.
    Quick,
}

/// What is to be packaged, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub source: &'a Source,
    pub arch: Arch,
    pub profile: Profile,
    /// The user's `--handlers-zip`, which comes before any other place to find the shipped handlers.
    pub handlers_zip: Option<&'a Path>,
    /// For the local cloud: the host's own binary, whatever it is, unchecked.
    pub native: bool,
    /// The runtime is a `provided.*` one, which needs an executable `bootstrap`.
    pub provided: bool,
}

/// Why there is no artifact, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageError {
    pub message: String,
    pub hints: Vec<String>,
}

impl PackageError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hints: Vec::new(),
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PackageError {}

/// Makes the zip that a function is deployed as. It blocks, for minutes when cargo has to build.
///
/// `note` hears what is being done, such as `building handlers`. Every call builds or zips anew: callers that
/// deploy one source to several functions keep the artifact.
pub fn package(
    request: &Request<'_>,
    note: &mut dyn FnMut(&str),
) -> Result<Artifact, PackageError> {
    match request.source {
        Source::Shipped => shipped(request, EMBEDDED, note),
        Source::Cargo { dir, bin } => {
            let executable = build::own(dir, bin.as_deref(), request, note)?;
            from_executable(&executable, request, note)
        }
        Source::Folder(dir) => from_folder(dir, request, note),
        Source::Zip(path) => from_zip_file(path, request, request.provided),
    }
}

fn shipped(
    request: &Request<'_>,
    embedded: &[Embedded],
    note: &mut dyn FnMut(&str),
) -> Result<Artifact, PackageError> {
    if let Some(path) = request.handlers_zip {
        return from_zip_file(path, request, true);
    }
    if let Some(bytes) = embedded::suitable(embedded, request) {
        return Ok(artifact(bytes.to_vec(), request.arch));
    }
    let Some(checkout) = build::checkout() else {
        return Err(no_handlers(request, !embedded.is_empty()));
    };
    let executable = build::handlers(&checkout, request, note)?;
    from_executable(&executable, request, note)
}

fn no_handlers(request: &Request<'_>, embedded: bool) -> PackageError {
    let arch = request.arch;
    let inside = if embedded && request.native {
        "those inside this msgai do not run on this machine"
    } else if embedded {
        "those inside this msgai are for another processor"
    } else {
        "none are inside this msgai"
    };
    let repository = env!("CARGO_PKG_REPOSITORY");
    PackageError::new(format!(
        "no shipped handlers for {arch}: {inside}, no source checkout is here or above, and no --handlers-zip is given"
    ))
    .hint(format!(
        "in a source checkout (git clone {repository}): cargo build --locked --profile lambda -p handlers --bin bootstrap"
    ))
    .hint("then: zip -j handlers.zip target/lambda/bootstrap, and pass --handlers-zip handlers.zip")
}

fn from_executable(
    executable: &Path,
    request: &Request<'_>,
    note: &mut dyn FnMut(&str),
) -> Result<Artifact, PackageError> {
    note("zipping bootstrap");
    let entry = zip::Entry {
        name: BOOTSTRAP.to_owned(),
        executable: true,
        path: executable.to_owned(),
    };
    let bytes = zip::pack(vec![entry], effort(request))?;
    if !request.native {
        within_zip_limit(bytes.len() as u64, &executable.display().to_string())?;
    }
    Ok(artifact(bytes, request.arch))
}

fn from_folder(
    dir: &Path,
    request: &Request<'_>,
    note: &mut dyn FnMut(&str),
) -> Result<Artifact, PackageError> {
    note(&format!("zipping {}", dir.display()));
    let entries = folder::entries(dir)?;
    if request.provided {
        let bootstrap = entries.iter().find(|entry| entry.name == BOOTSTRAP);
        check_folder_bootstrap(dir, bootstrap, request)?;
    }
    let bytes = zip::pack(entries, zip::Effort::Small)?;
    within_zip_limit(bytes.len() as u64, &dir.display().to_string())?;
    Ok(artifact(bytes, request.arch))
}

fn check_folder_bootstrap(
    dir: &Path,
    bootstrap: Option<&zip::Entry>,
    request: &Request<'_>,
) -> Result<(), PackageError> {
    let Some(entry) = bootstrap else {
        return Err(PackageError::new(format!(
            "{} has no file `{BOOTSTRAP}`, which a provided runtime starts",
            dir.display()
        ))
        .hint(
            "put the executable there under that name, or choose the runtime that the code is for",
        ));
    };
    if !entry.executable {
        return Err(
            PackageError::new(format!("{} is not executable", entry.path.display()))
                .hint(format!("run: chmod +x {}", entry.path.display())),
        );
    }
    if request.native {
        return Ok(());
    }
    let bytes = read(&entry.path)?;
    elf::check_bootstrap(&bytes, request.arch)
        .map_err(|unfit| unfit.explain(&entry.path.display().to_string(), request.arch))
}

fn from_zip_file(
    path: &Path,
    request: &Request<'_>,
    provided: bool,
) -> Result<Artifact, PackageError> {
    let shown = path.display().to_string();
    let bytes = read(path)?;
    within_zip_limit(bytes.len() as u64, &shown)?;
    let mut archive = zip::Archive::read(&bytes, &shown)?;
    within_unzipped_limit(archive.unzipped()?, &shown)?;
    if provided {
        let bootstrap = archive.bootstrap()?;
        match elf::check_bootstrap(&bootstrap, request.arch) {
            // Here it need not fit Lambda's system, but no machine runs another one's code.
            Err(unfit) if !request.native || matches!(unfit, elf::Unfit::Machine(_)) => {
                return Err(unfit.explain(&format!("{BOOTSTRAP} in {shown}"), request.arch));
            }
            _ => {}
        }
    }
    Ok(artifact(bytes, request.arch))
}

/// A debug binary is zipped at every save, and sent once for every function; what is uploaded should be small.
fn effort(request: &Request<'_>) -> zip::Effort {
    match request.profile {
        Profile::Quick if request.native => zip::Effort::Quick,
        Profile::Quick | Profile::Lambda => zip::Effort::Small,
    }
}

fn artifact(zip: Vec<u8>, architecture: Arch) -> Artifact {
    let sha256 = STANDARD.encode(Sha256::digest(&zip));
    Artifact {
        zip,
        sha256,
        architecture,
    }
}

fn within_zip_limit(bytes: u64, what: &str) -> Result<(), PackageError> {
    if bytes <= ZIP_LIMIT {
        return Ok(());
    }
    Err(PackageError::new(format!(
        "{what} is {} as a zip, and Lambda takes at most {} in a request",
        megabytes(bytes),
        megabytes(ZIP_LIMIT)
    ))
    .hint("leave out what the function does not load at run time: tests, sources, development dependencies"))
}

fn within_unzipped_limit(bytes: u64, what: &str) -> Result<(), PackageError> {
    if bytes <= UNZIPPED_LIMIT {
        return Ok(());
    }
    Err(PackageError::new(format!(
        "{what} holds {}, and Lambda unpacks at most {}",
        megabytes(bytes),
        megabytes(UNZIPPED_LIMIT)
    )))
}

/// Rounded up, so that one byte too many never reads as the limit itself.
fn megabytes(bytes: u64) -> String {
    let tenths = (bytes.saturating_mul(10)).div_ceil(MB);
    if tenths.is_multiple_of(10) {
        format!("{} MB", tenths / 10)
    } else {
        format!("{}.{} MB", tenths / 10, tenths % 10)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, PackageError> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> PackageError {
    PackageError::new(format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

/// What a user's package is built from: its own folder, and those of the packages beside it that it depends on.
pub fn own_sources(dir: &Path) -> Vec<PathBuf> {
    build::sources(dir)
}

/// Where the shipped handlers are built from, for whoever watches for changes; `None` when they are not built.
pub fn shipped_sources() -> Option<PathBuf> {
    if !EMBEDDED.is_empty() {
        return None;
    }
    build::checkout().map(|checkout| checkout.join("handlers"))
}
