//! One run of cargo: its arguments, its progress, its executable, and its last words.
//!
//! In: a [`Job`]. Out: the executable's path, as cargo's own messages name it, or what cargo said.
//! Never: a guess where cargo puts things.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use super::super::PackageError;

/// How much of cargo's output an error repeats.
const LAST_LINES: usize = 40;

/// What a cargo that runs us (`cargo run`, `cargo test`) tells about our own package. Build scripts, such as
/// ring's, run again when these change, and with them everything that stands on TLS is built anew.
const OURS: [&str; 10] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
    "OUT_DIR",
];

/// What builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Cargo,
    /// Links with zig, against the glibc that is asked for.
    Zigbuild,
}

/// How rustc is told to leave this machine's folders out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remap {
    No,
    /// With these flags and no others, whatever the environment says.
    Instead(Vec<String>),
    /// With these flags besides the package's own; flags in the environment are the user's will and win.
    Beside(Vec<String>),
}

/// One executable to be built.
#[derive(Debug)]
pub(super) struct Job {
    /// What messages call it.
    pub(super) label: String,
    /// Where cargo runs.
    pub(super) dir: PathBuf,
    bin: String,
    args: Vec<OsString>,
    pub(super) program: Program,
    pub(super) remap: Remap,
    pub(super) target_dir: Option<PathBuf>,
}

impl Job {
    pub(super) fn new(label: &str, dir: &Path, bin: &str) -> Self {
        Self {
            label: label.to_owned(),
            dir: dir.to_owned(),
            bin: bin.to_owned(),
            args: Vec::new(),
            program: Program::Cargo,
            remap: Remap::No,
            target_dir: None,
        }
    }

    pub(super) fn args<const N: usize>(&mut self, args: [&str; N]) {
        self.args.extend(args.map(OsString::from));
    }

    /// Builds; `note` hears each crate that is compiled.
    pub(super) fn run(&self, note: &mut dyn FnMut(&str)) -> Result<PathBuf, PackageError> {
        note(&format!("building {}", self.label));
        let mut child = self
            .command()
            .spawn()
            .map_err(|error| self.cannot_start(&error))?;
        let (executable, last) = self.follow(&mut child, note);
        let status = child
            .wait()
            .map_err(|error| PackageError::new(format!("cannot wait for cargo: {error}")))?;
        if !status.success() {
            return Err(self.failed(&last));
        }
        executable.ok_or_else(|| {
            PackageError::new(format!(
                "cargo built {} but no executable `{}`",
                self.label, self.bin
            ))
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("cargo");
        command.current_dir(&self.dir);
        command.arg(match self.program {
            Program::Cargo => "build",
            Program::Zigbuild => "zigbuild",
        });
        if let Remap::Beside(flags) = &self.remap {
            command
                .arg("--config")
                .arg(format!("build.rustflags={}", toml_list(flags)));
        }
        command.args(&self.args).args(["--bin", &self.bin]);
        if let Some(dir) = &self.target_dir {
            command.arg("--target-dir").arg(dir);
        }
        command.arg("--message-format=json-render-diagnostics");
        if let Remap::Instead(flags) = &self.remap {
            command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        }
        for name in OURS {
            command.env_remove(name);
        }
        // CI often asks for colour, which an error message must not carry.
        command
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Reads both outputs to their end: the executable from the one, progress and last lines from the other.
    fn follow(
        &self,
        child: &mut Child,
        note: &mut dyn FnMut(&str),
    ) -> (Option<PathBuf>, VecDeque<String>) {
        let messages = child.stdout.take().expect("stdout is piped");
        let said = child.stderr.take().expect("stderr is piped");
        std::thread::scope(|scope| {
            let executable = scope.spawn(|| {
                lines(messages)
                    .filter_map(|line| executable_in(&line, &self.bin))
                    .last()
            });
            let mut last = VecDeque::with_capacity(LAST_LINES);
            for line in lines(said) {
                if let Some(crate_name) = line.trim_start().strip_prefix("Compiling ") {
                    note(&format!("building {}: compiling {crate_name}", self.label));
                }
                if last.len() == LAST_LINES {
                    last.pop_front();
                }
                last.push_back(line);
            }
            (
                executable.join().expect("reading lines does not panic"),
                last,
            )
        })
    }

    fn cannot_start(&self, error: &std::io::Error) -> PackageError {
        PackageError::new(format!("cannot build {}: cargo does not start: {error}", self.label))
            .hint("install Rust (https://rustup.rs), or pass --handlers-zip when only the shipped handlers are used")
    }

    fn failed(&self, last: &VecDeque<String>) -> PackageError {
        let said = last
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n");
        let error = PackageError::new(format!("cannot build {}, cargo says:\n{said}", self.label));
        if said.contains("--locked was passed") {
            return error.hint(format!(
                "run `cargo check` in {} to renew Cargo.lock",
                self.dir.display()
            ));
        }
        error.hint(format!(
            "try it by itself, in {}: cargo build --bin {}",
            self.dir.display(),
            self.bin
        ))
    }
}

/// Whether `cargo zigbuild` is installed.
pub(super) fn has_zigbuild() -> bool {
    Command::new("cargo-zigbuild")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A JSON list of plain strings is also a TOML one.
fn toml_list(items: &[String]) -> String {
    serde_json::Value::from(items).to_string()
}

fn lines(stream: impl Read) -> impl Iterator<Item = String> {
    BufReader::new(stream)
        .split(b'\n')
        .map_while(Result::ok)
        .map(|line| String::from_utf8_lossy(&line).trim_end().to_owned())
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<MessageTarget>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct MessageTarget {
    name: String,
    kind: Vec<String>,
}

fn executable_in(line: &str, bin: &str) -> Option<PathBuf> {
    let message: Message = serde_json::from_str(line).ok()?;
    let target = message.target?;
    let is_ours = message.reason == "compiler-artifact"
        && target.name == bin
        && target.kind.iter().any(|kind| kind == "bin");
    message.executable.filter(|_| is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_the_named_binarys() {
        let message = |name: &str, kind: &str| {
            serde_json::json!({
                "reason": "compiler-artifact",
                "target": { "name": name, "kind": [kind] },
                "executable": "/t/debug/bootstrap",
            })
            .to_string()
        };
        let path = Some(PathBuf::from("/t/debug/bootstrap"));
        assert_eq!(
            executable_in(&message("bootstrap", "bin"), "bootstrap"),
            path
        );
        assert_eq!(executable_in(&message("other", "bin"), "bootstrap"), None);
        assert_eq!(
            executable_in(&message("bootstrap", "test"), "bootstrap"),
            None
        );
        assert_eq!(executable_in("warning: not json", "bootstrap"), None);
    }

    #[test]
    fn a_users_job_gets_its_flags_besides_its_own() {
        let mut job = Job::new("audit", Path::new("/src"), "audit");
        job.remap = Remap::Beside(vec!["--a=b \"c\"".to_owned()]);
        job.program = Program::Zigbuild;
        let command = job.command();
        let args: Vec<_> = command.get_args().take(3).collect();
        // After the subcommand: an external one does not see what stands before it.
        assert_eq!(
            args,
            ["zigbuild", "--config", r#"build.rustflags=["--a=b \"c\""]"#]
        );
        assert!(
            command
                .get_envs()
                .all(|(name, _)| name != "CARGO_ENCODED_RUSTFLAGS")
        );
    }

    #[test]
    fn the_cargo_that_runs_us_is_not_heard() {
        let job = Job::new("handlers", Path::new("/src"), "bootstrap");
        let command = job.command();
        let removed: Vec<_> = command
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name)
            .collect();
        assert_eq!(removed, OURS);
    }

    #[test]
    fn a_lambda_job_takes_its_flags_from_nowhere_else() {
        let mut job = Job::new("handlers", Path::new("/src"), "bootstrap");
        job.remap = Remap::Instead(vec!["--a=b c".to_owned(), "--d".to_owned()]);
        let command = job.command();
        let flags = command
            .get_envs()
            .find(|(name, _)| *name == "CARGO_ENCODED_RUSTFLAGS");
        assert_eq!(flags.unwrap().1.unwrap(), "--a=b c\u{1f}--d");
    }
}
