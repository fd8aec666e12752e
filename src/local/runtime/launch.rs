//! How a function's process begins: its own `bootstrap`, or this machine's Node.js or Python with our part of it.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Spec;
use super::environment::Unstartable;
use super::interpreter::{Interpreter, Language, number};
use crate::local::World;

/// A program, and what it needs besides Lambda's environment.
pub(super) struct Launch {
    pub(super) program: PathBuf,
    /// What messages call it.
    pub(super) shown: String,
    pub(super) args: Vec<OsString>,
    pub(super) variables: Vec<(String, OsString)>,
    /// In what it writes, a carriage return inside of a line stands for a line break.
    pub(super) folds: bool,
}

impl Launch {
    pub(super) async fn of(world: &World, spec: &Spec) -> Result<Self, Unstartable> {
        let mut launch = match Language::of(&spec.runtime) {
            Some(language) => managed(world, spec, language).await?,
            None => provided(spec)?,
        };
        if spec.format.json {
            let level = spec.format.application.as_deref().unwrap_or("INFO");
            launch.set("AWS_LAMBDA_LOG_FORMAT", "JSON");
            launch.set("AWS_LAMBDA_LOG_LEVEL", level);
        }
        Ok(launch)
    }

    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// The function's own wish goes first.
    fn set_default(&mut self, spec: &Spec, name: &str, value: impl Into<OsString>) {
        if !spec.variables.contains_key(name) {
            self.set(name, value);
        }
    }
}

fn invalid(message: String) -> Unstartable {
    Unstartable {
        kind: "Runtime.InvalidEntrypoint",
        message,
    }
}

fn provided(spec: &Spec) -> Result<Launch, Unstartable> {
    if !spec.runtime.starts_with("provided") {
        return Err(invalid(format!(
            "runtime {} is not run locally",
            spec.runtime
        )));
    }
    let program = spec.folder.join("bootstrap");
    if !program.is_file() {
        let message = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]";
        return Err(invalid(message.to_owned()));
    }
    Ok(Launch {
        program,
        shown: "/var/task/bootstrap".to_owned(),
        args: Vec::new(),
        variables: Vec::new(),
        folds: false,
    })
}

/// A file that is there and empty.
const NOTHING: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// What a process cannot do without on this system, whatever AWS gives it: Windows finds its sockets by `SystemRoot`.
pub(super) fn of_system() -> Vec<(&'static str, OsString)> {
    let names: &[&str] = if cfg!(windows) {
        &["SystemRoot", "TEMP"]
    } else {
        &[]
    };
    let found = |name: &&'static str| Some((*name, std::env::var_os(name)?));
    names.iter().filter_map(found).collect()
}

async fn managed(world: &World, spec: &Spec, language: Language) -> Result<Launch, Unstartable> {
    let interpreters = &world.lambda.fleet().interpreters;
    let found = interpreters.find(world, language, &spec.runtime).await;
    let found = found.map_err(invalid)?;
    let script = interpreters
        .script(language)
        .map_err(|e| invalid(e.to_string()))?;
    let mut launch = Launch {
        program: found.program.clone(),
        shown: found.program.display().to_string(),
        args: Vec::new(),
        variables: Vec::new(),
        folds: true,
    };
    if language == Language::Node {
        launch.args = node_flags(spec, &found);
        inherit(&mut launch, spec, "NODE_PATH");
    }
    launch.args.push(script.into_os_string());
    launch.set("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", spec.runtime));
    // Some builds of Python find their own library by it.
    inherit(&mut launch, spec, "LD_LIBRARY_PATH");
    // The developer's own credentials and settings are not the function's.
    launch.set_default(spec, "AWS_CONFIG_FILE", NOTHING);
    launch.set_default(spec, "AWS_SHARED_CREDENTIALS_FILE", NOTHING);
    Ok(launch)
}

/// What this process has, the function has, too, unless it says otherwise.
fn inherit(launch: &mut Launch, spec: &Spec, name: &str) {
    if let Some(value) = std::env::var_os(name) {
        launch.set_default(spec, name, value);
    }
}

/// As AWS starts Node.js: the heap within the function's memory, and until 22 no guesses what a module is.
fn node_flags(spec: &Spec, node: &Interpreter) -> Vec<OsString> {
    let heap = spec.memory * 9 / 10;
    let mut flags = vec![format!("--max-old-space-size={heap}").into()];
    let own = spec
        .variables
        .get("NODE_OPTIONS")
        .map_or("", String::as_str);
    let old = number(&spec.runtime).parse().is_ok_and(|n: u32| n <= 22);
    if node.guesses && old {
        for feature in ["detect-module", "require-module"] {
            if !own.contains(feature) {
                flags.push(format!("--no-experimental-{feature}").into());
            }
        }
    }
    flags
}
