//! Runs cargo: for the shipped handlers in a source checkout, and for a user's own package.
//!
//! In: a folder with a `Cargo.toml`. Out: the path of the executable that cargo built.
//! Never: cargo-lambda or rustup, which download; a target folder other than cargo's.

mod cargo;
mod metadata;
mod toolchain;

use std::path::{Path, PathBuf};

use super::{Arch, PackageError, Profile, Request, elf, read};
use cargo::{Job, Program, Remap};
use metadata::Metadata;
use toolchain::{Target, Toolchain};

/// Beside the ordinary builds, so that neither waits for the other or undoes it.
const OWN_TARGET: &str = "lambda-build";

/// The source checkout of msgai itself: the one it was built in, else the working folder's or one above.
pub(super) fn checkout() -> Option<PathBuf> {
    // A released binary was built on a machine that is not this one.
    let built_in =
        cfg!(not(feature = "embedded-handlers")).then(|| Path::new(env!("CARGO_MANIFEST_DIR")));
    let here = std::env::current_dir().ok();
    find_checkout(built_in, here.as_deref())
}

fn find_checkout(built_in: Option<&Path>, here: Option<&Path>) -> Option<PathBuf> {
    let above = here.into_iter().flat_map(Path::ancestors);
    built_in
        .into_iter()
        .chain(above)
        .find(|dir| is_checkout(dir))
        .map(Path::to_owned)
}

fn is_checkout(dir: &Path) -> bool {
    names_package(&dir.join("Cargo.toml"), "msgai")
        && names_package(&dir.join("handlers/Cargo.toml"), "handlers")
}

fn names_package(manifest: &Path, name: &str) -> bool {
    let wanted = format!("name = \"{name}\"");
    std::fs::read_to_string(manifest)
        .is_ok_and(|text| text.lines().any(|line| line.trim() == wanted))
}

/// Builds the shipped handlers.
pub(super) fn handlers(
    checkout: &Path,
    request: &Request<'_>,
    note: &mut dyn FnMut(&str),
) -> Result<PathBuf, PackageError> {
    let mut job = Job::new("handlers", checkout, "bootstrap");
    job.args(["--locked"]);
    match request.profile {
        // The whole workspace, so that features unify as in an ordinary build and nothing is built twice.
        Profile::Quick => job.args(["--workspace"]),
        Profile::Lambda => {
            job.args(["-p", "handlers", "--profile", "lambda"]);
            job.target_dir = Some(checkout.join("target").join(OWN_TARGET));
        }
    }
    let remap = |toolchain: &Toolchain, job: &Job| {
        Remap::Instead(toolchain.remaps(checkout, job.target_dir.as_deref()))
    };
    build(job, request, remap, note)
}

/// The folders of a user's own package and of what it depends on by path; of a package that cargo cannot read, its own.
pub(super) fn sources(dir: &Path) -> Vec<PathBuf> {
    match Metadata::ask(dir) {
        Ok(metadata) => metadata.sources(dir),
        Err(_) => vec![dir.to_owned()],
    }
}

/// Builds a user's own package.
pub(super) fn own(
    dir: &Path,
    bin: Option<&str>,
    request: &Request<'_>,
    note: &mut dyn FnMut(&str),
) -> Result<PathBuf, PackageError> {
    let metadata = Metadata::ask(dir)?;
    let package = metadata.package(dir)?;
    let bin = package.bin(bin)?;
    let mut job = Job::new(&package.name, dir, bin);
    job.args(["-p", &package.name]);
    if request.profile == Profile::Lambda {
        job.args(["--release"]);
        // What was tested is what is deployed; a package that keeps no lock file has made its choice.
        if metadata.workspace_root.join("Cargo.lock").exists() {
            job.args(["--locked"]);
        }
        job.target_dir = Some(metadata.target_directory.join(OWN_TARGET));
    }
    let remap = |toolchain: &Toolchain, job: &Job| {
        Remap::Beside(toolchain.remaps(&metadata.workspace_root, job.target_dir.as_deref()))
    };
    build(job, request, remap, note)
}

fn build(
    mut job: Job,
    request: &Request<'_>,
    remap: impl Fn(&Toolchain, &Job) -> Remap,
    note: &mut dyn FnMut(&str),
) -> Result<PathBuf, PackageError> {
    if request.native && request.profile == Profile::Quick {
        return job.run(note);
    }
    let toolchain = Toolchain::ask(&job.dir)?;
    if request.profile == Profile::Lambda {
        job.remap = remap(&toolchain, &job);
    }
    if request.native {
        return job.run(note);
    }
    match toolchain.target(request.arch) {
        Target::Host => for_this_system(job, &toolchain, request.arch, note),
        Target::Other(target) => for_another_system(job, &target, request.arch, note),
        Target::Missing => Err(missing_target(request.arch)),
    }
}

/// The plain build; once more with an older glibc when this system's is too new and the means are there.
fn for_this_system(
    mut job: Job,
    toolchain: &Toolchain,
    arch: Arch,
    note: &mut dyn FnMut(&str),
) -> Result<PathBuf, PackageError> {
    let executable = job.run(note)?;
    match elf::check(&read(&executable)?, arch) {
        Ok(()) => return Ok(executable),
        Err(elf::Unfit::Glibc(needed)) if cargo::has_zigbuild() => {
            note(&format!(
                "this system's glibc {needed} is too new for Lambda, building with zig"
            ));
        }
        Err(unfit) => return Err(unfit.explain(&job.label, arch)),
    }
    job.program = Program::Zigbuild;
    job.args(["--target", &format!("{}.{}", toolchain.host, elf::GLIBC)]);
    checked(&job, arch, note)
}

fn for_another_system(
    mut job: Job,
    target: &str,
    arch: Arch,
    note: &mut dyn FnMut(&str),
) -> Result<PathBuf, PackageError> {
    if cargo::has_zigbuild() {
        job.program = Program::Zigbuild;
        let suffix = if target.ends_with("-gnu") {
            format!(".{}", elf::GLIBC)
        } else {
            String::new()
        };
        job.args(["--target", &format!("{target}{suffix}")]);
        return checked(&job, arch, note);
    }
    job.args(["--target", target]);
    checked(&job, arch, note).map_err(|error| {
        error.hint(format!(
            "if no linker for {target} is installed: pip install cargo-zigbuild ziglang, then the same command again"
        ))
    })
}

fn checked(job: &Job, arch: Arch, note: &mut dyn FnMut(&str)) -> Result<PathBuf, PackageError> {
    let executable = job.run(note)?;
    elf::check(&read(&executable)?, arch).map_err(|unfit| unfit.explain(&job.label, arch))?;
    Ok(executable)
}

fn missing_target(arch: Arch) -> PackageError {
    let target = format!("{}-unknown-linux-gnu", arch.triple());
    PackageError::new(format!(
        "cannot build for {arch}: Rust's standard library for {target} is not installed"
    ))
    .hint(format!("run: rustup target add {target}"))
    .hint("and for a linker: pip install cargo-zigbuild ziglang")
    .hint(format!(
        "or build it yourself: cargo zigbuild --target {target}.{}",
        elf::GLIBC
    ))
}

#[cfg(test)]
mod tests;
