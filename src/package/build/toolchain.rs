//! What rustc says about itself.
//!
//! In: a folder, since rustup chooses by folder. Out: the host, and which targets are installed.
//! Never: a download.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::{Arch, PackageError};

/// The Rust that builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Toolchain {
    /// Such as `x86_64-unknown-linux-gnu`.
    pub(super) host: String,
    commit: Option<String>,
    sysroot: PathBuf,
}

/// Which `--target` makes an executable for Lambda.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// None: the host's own.
    Host,
    Other(String),
    /// Its standard library is not installed.
    Missing,
}

impl Toolchain {
    pub(super) fn ask(dir: &Path) -> Result<Self, PackageError> {
        let version = rustc(dir, &["--version", "--verbose"])?;
        let field = |name: &str| {
            version
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(|value| value.trim().to_owned())
        };
        let Some(host) = field("host:") else {
            return Err(PackageError::new(
                "rustc does not say which system it is for",
            ));
        };
        Ok(Self {
            host,
            commit: field("commit-hash:").filter(|commit| commit != "unknown"),
            sysroot: PathBuf::from(rustc(dir, &["--print", "sysroot"])?.trim()),
        })
    }

    pub(super) fn target(&self, arch: Arch) -> Target {
        let candidates =
            ["gnu", "musl"].map(|libc| format!("{}-unknown-linux-{libc}", arch.triple()));
        if candidates.contains(&self.host) {
            return Target::Host;
        }
        let installed = |target: &String| {
            self.sysroot
                .join("lib/rustlib")
                .join(target)
                .join("lib")
                .is_dir()
        };
        candidates
            .into_iter()
            .find(installed)
            .map_or(Target::Missing, Target::Other)
    }

    /// rustc's flags that take this machine's folders out of the executable, so that every checkout gives the same bytes.
    pub(super) fn remaps(&self, root: &Path, target_dir: Option<&Path>) -> Vec<String> {
        // The last one that matches counts, so the inner folders come after the outer.
        let mut pairs = vec![(root.to_owned(), "/src".to_owned())];
        pairs.extend(target_dir.map(|dir| (dir.to_owned(), "/target".to_owned())));
        pairs.extend(cargo_home().map(|home| (home, "/cargo".to_owned())));
        // With its source installed, rustc names the standard library's files there.
        if let Some(commit) = &self.commit {
            pairs.push((
                self.sysroot.join("lib/rustlib/src/rust"),
                format!("/rustc/{commit}"),
            ));
        }
        pairs
            .into_iter()
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
            .collect()
    }
}

/// Where cargo keeps the sources of dependencies: cargo's own variable, not one of ours.
fn cargo_home() -> Option<PathBuf> {
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
}

fn rustc(dir: &Path, args: &[&str]) -> Result<String, PackageError> {
    let output = Command::new("rustc").args(args).current_dir(dir).output().map_err(|error| {
        PackageError::new(format!("cannot run rustc: {error}"))
            .hint("install Rust (https://rustup.rs), or pass --handlers-zip when only the shipped handlers are used")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(PackageError::new(format!(
            "rustc {} failed: {}",
            args.join(" "),
            said.trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toolchain(host: &str, sysroot: &Path) -> Toolchain {
        Toolchain {
            host: host.to_owned(),
            commit: Some("abc123".to_owned()),
            sysroot: sysroot.to_owned(),
        }
    }

    #[test]
    fn the_host_needs_no_target_and_others_need_their_library() {
        let sysroot = tempfile::tempdir().unwrap();
        let linux = toolchain("x86_64-unknown-linux-gnu", sysroot.path());
        assert_eq!(linux.target(Arch::X86_64), Target::Host);
        assert_eq!(linux.target(Arch::Arm64), Target::Missing);

        let musl = "lib/rustlib/aarch64-unknown-linux-musl/lib";
        std::fs::create_dir_all(sysroot.path().join(musl)).unwrap();
        let other = |target: &str| Target::Other(target.to_owned());
        assert_eq!(
            linux.target(Arch::Arm64),
            other("aarch64-unknown-linux-musl")
        );

        let gnu = "lib/rustlib/aarch64-unknown-linux-gnu/lib";
        std::fs::create_dir_all(sysroot.path().join(gnu)).unwrap();
        assert_eq!(
            linux.target(Arch::Arm64),
            other("aarch64-unknown-linux-gnu")
        );

        let mac = toolchain("aarch64-apple-darwin", sysroot.path());
        assert_eq!(mac.target(Arch::Arm64), other("aarch64-unknown-linux-gnu"));
        assert_eq!(mac.target(Arch::X86_64), Target::Missing);
    }

    #[test]
    fn inner_folders_are_remapped_after_outer_ones() {
        let flags = toolchain("x86_64-unknown-linux-gnu", Path::new("/sys")).remaps(
            Path::new("/clone"),
            Some(Path::new("/clone/target/lambda-build")),
        );
        assert_eq!(flags[0], "--remap-path-prefix=/clone=/src");
        assert_eq!(
            flags[1],
            "--remap-path-prefix=/clone/target/lambda-build=/target"
        );
        assert_eq!(
            flags.last().unwrap(),
            "--remap-path-prefix=/sys/lib/rustlib/src/rust=/rustc/abc123"
        );
    }

    #[test]
    fn this_toolchain_answers() {
        let toolchain = Toolchain::ask(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(
            toolchain.host.contains(std::env::consts::ARCH),
            "{toolchain:?}"
        );
        assert!(
            toolchain.sysroot.join("lib/rustlib").is_dir(),
            "{toolchain:?}"
        );
    }
}
