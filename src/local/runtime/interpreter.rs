//! This machine's Node.js and Python, which stand in for the runtimes that AWS manages.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::local::locked;
use crate::local::{Happening, World};

/// What a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Language {
    Node,
    Python,
}

/// A program that runs a language's functions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Interpreter {
    pub(super) program: PathBuf,
    pub(super) version: Version,
    /// It guesses whether a `.js` file is an ES module unless told not to.
    pub(super) guesses: bool,
}

/// As in `22.1.0`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Version {
    major: u32,
    minor: u32,
    text: String,
}

/// What was found so far, and where our part of each runtime lies.
#[derive(Debug, Default)]
pub(super) struct Interpreters {
    /// By the runtime's name. Asked for one after the other: a crowd that connects at once needs one answer.
    known: tokio::sync::Mutex<BTreeMap<String, Arc<Interpreter>>>,
    scripts: Mutex<Option<TempDir>>,
}

impl Language {
    pub(super) fn of(runtime: &str) -> Option<Self> {
        let family = runtime.trim_end_matches(|c: char| !c.is_ascii_alphabetic() || c == 'x');
        match family {
            "nodejs" => Some(Self::Node),
            "python" => Some(Self::Python),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Node => "Node.js",
            Self::Python => "Python",
        }
    }

    fn home(self) -> &'static str {
        match self {
            Self::Node => "https://nodejs.org",
            Self::Python => "https://www.python.org",
        }
    }

    /// Programs to try, the one that fits best first.
    fn programs(self, runtime: &str) -> Vec<String> {
        let number = number(runtime);
        match self {
            Self::Node => vec![
                format!("node-{number}"),
                format!("node{number}"),
                "node".to_owned(),
            ],
            Self::Python => vec![
                format!("python{number}"),
                "python3".to_owned(),
                "python".to_owned(),
            ],
        }
    }

    /// A program in the language: it prints where it is, its version, and whether it guesses.
    fn question(self) -> [&'static str; 2] {
        match self {
            Self::Node => [
                "-p",
                "[process.execPath, process.versions.node, process.allowedNodeEnvironmentFlags.has('--experimental-detect-module')].join('\\n')",
            ],
            Self::Python => [
                "-c",
                "import sys; print(sys.executable); print('%d.%d.%d' % sys.version_info[:3]); print('false')",
            ],
        }
    }

    /// What our part of the runtime is written for.
    fn oldest(self) -> (u32, u32) {
        match self {
            Self::Node => (18, 0),
            Self::Python => (3, 9),
        }
    }

    fn script(self) -> (&'static str, &'static str) {
        match self {
            Self::Node => ("index.mjs", include_str!("node.mjs")),
            Self::Python => ("bootstrap.py", include_str!("python.py")),
        }
    }
}

/// `22` of `nodejs22.x`, `3.12` of `python3.12`.
pub(super) fn number(runtime: &str) -> &str {
    let number = runtime.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    number.trim_end_matches(".x")
}

impl Interpreters {
    /// The program for a runtime; says once when it is of another version.
    pub(super) async fn find(
        &self,
        world: &World,
        language: Language,
        runtime: &str,
    ) -> Result<Arc<Interpreter>, String> {
        let mut known = self.known.lock().await;
        if let Some(found) = known.get(runtime) {
            return Ok(Arc::clone(found));
        }
        let found = search(language, runtime, &language.programs(runtime)).await?;
        if !found.version.is(number(runtime)) {
            let (name, version) = (language.name(), &found.version.text);
            let program = found.program.display();
            let text = format!("{runtime} functions run on {name} {version} here ({program})");
            world.tell(Happening::Note { text });
        }
        let found = Arc::new(found);
        known.insert(runtime.to_owned(), Arc::clone(&found));
        Ok(found)
    }

    /// Where our part of a language's runtime lies, for the program to read.
    pub(super) fn script(&self, language: Language) -> io::Result<PathBuf> {
        let mut scripts = locked(&self.scripts);
        let folder = match &mut *scripts {
            Some(folder) => folder,
            none => none.insert(write_scripts()?),
        };
        Ok(folder.path().join(language.script().0))
    }
}

fn write_scripts() -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("msgai-").tempdir()?;
    for (name, text) in [Language::Node, Language::Python].map(Language::script) {
        std::fs::write(folder.path().join(name), text)?;
    }
    Ok(folder)
}

async fn search(
    language: Language,
    runtime: &str,
    programs: &[String],
) -> Result<Interpreter, String> {
    let mut old = None;
    for program in programs {
        match ask(language, program).await {
            Some(found) if found.version.at_least(language.oldest()) => return Ok(found),
            Some(found) => old = Some(found.version.text),
            None => {}
        }
    }
    let (name, home, (major, minor)) = (language.name(), language.home(), language.oldest());
    let least = match language {
        Language::Node => major.to_string(),
        Language::Python => format!("{major}.{minor}"),
    };
    let instead = old.map_or_else(|| "none".to_owned(), |version| format!("only {version}"));
    Err(format!(
        "{runtime} needs {name} {least} or newer, and there is {instead} on PATH; install it ({home}) and call again"
    ))
}

async fn ask(language: Language, program: &str) -> Option<Interpreter> {
    let mut command = Command::new(program);
    command
        .args(language.question())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let answer = tokio::time::timeout(PATIENCE, command.output()).await;
    let answer = answer.ok()?.ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    let mut lines = text.lines().map(str::trim);
    Some(Interpreter {
        program: PathBuf::from(lines.next().filter(|path| !path.is_empty())?),
        version: Version::parse(lines.next()?)?,
        guesses: lines.next()? == "true",
    })
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(str::parse);
        Some(Self {
            major: parts.next()?.ok()?,
            minor: parts.next()?.ok()?,
            text: text.to_owned(),
        })
    }

    /// Whether it is the one that a runtime's number means.
    fn is(&self, number: &str) -> bool {
        number == self.major.to_string() || number == format!("{}.{}", self.major, self.minor)
    }

    fn at_least(&self, oldest: (u32, u32)) -> bool {
        (self.major, self.minor) >= oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_has_a_language_and_a_number() {
        assert_eq!(Language::of("nodejs22.x"), Some(Language::Node));
        assert_eq!(Language::of("python3.12"), Some(Language::Python));
        assert_eq!(Language::of("provided.al2023"), None);
        assert_eq!(Language::of("java21"), None);
        assert_eq!(number("nodejs22.x"), "22");
        assert_eq!(number("python3.12"), "3.12");
    }

    #[test]
    fn a_version_is_what_its_runtime_means() {
        let node = Version::parse("22.1.0").unwrap();
        assert!(node.is("22") && !node.is("20") && node.at_least((18, 0)));
        let python = Version::parse("3.9.18").unwrap();
        assert!(python.is("3.9") && !python.is("3.12"));
        assert!(python.at_least((3, 9)) && !python.at_least((3, 10)));
    }

    #[tokio::test]
    async fn what_is_not_installed_is_asked_for() {
        let missing = ["no-such-node".to_owned()];
        let error = search(Language::Node, "nodejs22.x", &missing).await;
        assert_eq!(
            error.unwrap_err(),
            "nodejs22.x needs Node.js 18 or newer, and there is none on PATH; install it (https://nodejs.org) and call again"
        );
    }
}
