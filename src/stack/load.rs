//! File → [`Loaded`], or every problem at its place.
//!
//! In: a path or a text, the environment that was chosen, and a way to ask the process's environment.
//! Out: the stack, what to warn of, and which of its values are secret.
//! Never: the network, a default, a physical name.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{self, PathBuf};

use super::environments::Environments;
use super::interpolate::{Env, FromEnv, Mode, Origins, interpolate};
use super::problem::{Found, Path, Problem, Severity};
use super::show::{self, Placed, Problems, Source};
use super::tree::{Node, Value};
use super::{Stack, derive, foreign, schema, shape, validate, yaml};

/// The name under which a stack file is looked for.
pub const FILE: &str = "stack.yaml";

/// A stack, and what goes with the file it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub stack: Stack,
    pub file: PathBuf,
    /// The environment that was merged in.
    pub environment: Option<String>,
    pub secrets: Secrets,
    pub warnings: Vec<Placed>,
    source: Source,
}

impl Loaded {
    /// The warnings with their lines of the file.
    pub fn render_warnings(&self, colour: bool) -> String {
        show::render(&self.warnings, &self.source, colour)
    }

    /// The warnings without them: enough for who has seen them before.
    pub fn brief_warnings(&self, colour: bool) -> String {
        show::brief(&self.warnings, colour)
    }

    /// The file's text, as it was read.
    pub fn text(&self) -> &str {
        &self.source.text
    }
}

/// Which values hold something from the process's environment: never printed, never stored in clear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeSet<Vec<String>>);

impl Secrets {
    /// Whether the value under these keys is one, as in `["functions", "audit", "environment", "TOKEN"]`.
    pub fn is_secret(&self, path: &[&str]) -> bool {
        self.0
            .iter()
            .any(|secret| secret.iter().map(String::as_str).eq(path.iter().copied()))
    }

    /// The paths of all of them, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &[String]> {
        self.0.iter().map(Vec::as_slice)
    }
}

/// `stack.yaml` here, or in a parent up to the repository's root; without a repository, here only.
/// `start` is absolute: a relative path has no parents to look in.
pub fn find(start: &path::Path) -> Option<PathBuf> {
    let mut nearest = None;
    for folder in start.ancestors() {
        let file = folder.join(FILE);
        if nearest.is_none() && file.is_file() {
            nearest = Some(file);
        }
        if folder.join(".git").exists() {
            return nearest;
        }
    }
    nearest.filter(|file| file.parent() == Some(start))
}

/// Read a stack file. `env` answers for environment variables, and as `AWS_REGION` for the region that a flag chose.
pub fn load(
    file: &path::Path,
    environment: Option<&str>,
    env: Env<'_>,
) -> Result<Loaded, Problems> {
    let name = file.display().to_string();
    let text = read(file).map_err(|(found, text)| {
        let name = name.clone();
        Problems::new(Source { name, text }, vec![found])
    })?;
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(path::Path::new("."));
    let mut loaded = load_source(Source { name, text }, environment, env, Some(folder))?;
    file.clone_into(&mut loaded.file);
    Ok(loaded)
}

/// The same for a text; `name` is what complaints call it. Sources of functions are not looked at.
pub fn load_text(
    text: &str,
    name: &str,
    environment: Option<&str>,
    env: Env<'_>,
) -> Result<Loaded, Problems> {
    let source = Source {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    load_source(source, environment, env, None)
}

/// The text; or why there is none, with as much of it as can be shown.
fn read(file: &path::Path) -> Result<String, (Found, String)> {
    let init = || Some("`msgai init` writes one, `-f` names another".to_owned());
    let none = |message: &str, hint| Err((Found::error(None, message).maybe(hint), String::new()));
    if file.is_dir() {
        let hint = format!("name the file in it: `-f {}`", file.join(FILE).display());
        return none("is a folder, not a stack file", Some(hint));
    }
    let mut bytes = Vec::new();
    let limit = yaml::MAX_BYTES as u64 + 1;
    let outcome = File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return none("there is no such file", init());
        }
        Err(error) => return none(&format!("cannot be read: {error}"), None),
        Ok(_) => {}
    }
    if bytes.len() > yaml::MAX_BYTES {
        return none(TOO_LARGE, init());
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let hint = "save it as UTF-8; in PowerShell, `Set-Content -Encoding utf8`";
        return none(
            "is UTF-16 text, and a stack file is UTF-8",
            Some(hint.to_owned()),
        );
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let message = "here is something that is not UTF-8";
        let hint = "save the file as UTF-8";
        (
            Found::error(Some(at..at), message).maybe(Some(hint.to_owned())),
            text,
        )
    })
}

const TOO_LARGE: &str = "is larger than 1 MiB, which no stack file is";

fn load_source(
    source: Source,
    environment: Option<&str>,
    env: Env<'_>,
    folder: Option<&path::Path>,
) -> Result<Loaded, Problems> {
    let mut tree = match parse(&source.text) {
        Ok(tree) => tree,
        Err(found) => return Err(Problems::new(source, vec![found])),
    };
    let schema = schema::schema();
    let environments = tree
        .map_mut()
        .and_then(|map| map.shift_remove("environments"));
    let mut found = Vec::new();
    if let Some(entry) = environments {
        let merged = Environments {
            all: &entry.node,
            base: &tree,
            schema: &schema,
            text: &source.text,
        };
        merged.check(&mut found);
        if let Some(over) = merged.chosen(environment, &mut found) {
            tree.overlay(over);
        }
    } else if let Some(name) = environment {
        let message =
            format!("environment `{name}` is not declared: the file has no `environments`");
        let hint = format!(
            "write `environments: {{ {name}: {{ suffix: -{name} }} }}`, or leave `-e` and MSGAI_ENV away"
        );
        found.push(Found::error(None, message).maybe(Some(hint)));
    }
    let from_environments: Vec<_> = found.iter().map(|found| found.at.clone()).collect();
    let (origins, unfilled) = interpolate(&mut tree, &source.text, Mode::Fill(env));
    let filled = unfilled.is_empty();
    let misshapen = shape::check(&mut tree, &schema, None, &Path::default());
    let again = |found: &Found| found.at.is_none() || !from_environments.contains(&found.at);
    found.extend(unfilled.into_iter().chain(misshapen).filter(again));

    let stack = deserialize(&tree, &mut found);
    if let Some(stack) = stack.as_ref().filter(|_| filled) {
        let mut problems = validate::problems(stack);
        problems.extend(validate::own_file(stack, path::Path::new(&source.name)));
        problems.extend(
            folder
                .map(|folder| validate::sources(stack, folder))
                .unwrap_or_default(),
        );
        found.extend(problems.into_iter().map(|problem| locate(problem, &tree)));
    }
    for found in &mut found {
        lead_back(found, &tree, &origins);
        veil(found, &origins);
    }
    finish(source, environment, stack, &origins, found)
}

fn finish(
    source: Source,
    environment: Option<&str>,
    stack: Option<Stack>,
    origins: &Origins,
    mut found: Vec<Found>,
) -> Result<Loaded, Problems> {
    let failed = found.iter().any(|found| found.severity == Severity::Error);
    if failed {
        // What every file without `auth` is told would stand between its mistakes.
        found.retain(|found| !validate::is_standing(&found.message));
    }
    match stack {
        Some(stack) if !failed => Ok(Loaded {
            stack: derive::derived(stack),
            file: PathBuf::from(&source.name),
            environment: environment.map(str::to_owned),
            secrets: Secrets(origins.keys().cloned().collect()),
            warnings: show::place(&source, found),
            source,
        }),
        _ => Err(Problems::new(source, found)),
    }
}

fn parse(text: &str) -> Result<Node, Found> {
    if text.len() > yaml::MAX_BYTES {
        return Err(Found::error(None, TOO_LARGE));
    }
    if let Some(found) = foreign::foreign(text) {
        return Err(found);
    }
    let tree = yaml::parse(text)?;
    match tree.value {
        Value::Map(_) => Ok(tree),
        Value::Null => Err(Found::error(None, "the file is empty")
            .maybe(Some("`msgai init` writes one to begin with".to_owned()))),
        _ => {
            let message = format!("a stack file must be a map, and this is {}", tree.kind());
            Err(Found::error(Some(tree.at), message)
                .maybe(Some("it begins with `name: my-chat`".to_owned())))
        }
    }
}

/// The tree as the types have it. A tree without complaints always fits; one with complaints may.
fn deserialize(tree: &Node, found: &mut Vec<Found>) -> Option<Stack> {
    match serde_json::from_value(tree.to_json()) {
        Ok(stack) => Some(stack),
        Err(error) => {
            if found.iter().all(|found| found.severity != Severity::Error) {
                found.push(Found::error(
                    None,
                    format!("does not fit together: {error}"),
                ));
            }
            None
        }
    }
}

fn locate(problem: Problem, tree: &Node) -> Found {
    let top = || Some(tree.map()?.values().next()?.key.clone());
    Found {
        severity: problem.severity,
        at: tree.locate(&problem.at).or_else(top),
        message: problem.message,
        hint: problem.hint,
    }
}

/// A hint that spells a part of what came from the environment in another way says instead where it came from.
fn lead_back(found: &mut Found, tree: &Node, origins: &Origins) {
    let Some(hint) = found.hint.as_ref().map(|hint| hint.to_lowercase()) else {
        return;
    };
    let repeats = |from: &&FromEnv| {
        let value = from.value.to_lowercase();
        let mut parts = value.split(|c: char| !c.is_alphanumeric());
        parts.any(|part| part.len() >= 3 && hint.contains(part))
    };
    let here = |keys: &Vec<String>| {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        tree.locate(&Path::of(&keys))
            .is_some_and(|at| found.at.as_ref() == Some(&at))
    };
    let mut places = origins.iter().filter(|(keys, _)| here(keys));
    if let Some(from) = places.find_map(|(_, all)| all.iter().find(repeats)) {
        found.hint = Some(format!("it comes from `${{env:{}}}`", from.name));
    }
}

/// Put a variable's name where a complaint repeats its value.
fn veil(found: &mut Found, origins: &Origins) {
    // A shorter value may be a part of any word: it is hidden where it is quoted by itself.
    const SHORT: usize = 4;
    let mut secrets: Vec<_> = origins.values().flatten().collect();
    secrets.sort_by_key(|from| std::cmp::Reverse(from.value.len()));
    for from in secrets.into_iter().filter(|from| !from.value.is_empty()) {
        let name = format!("${{env:{}}}", from.name);
        let (value, name) = if from.value.len() < SHORT {
            (format!("`{}`", from.value), format!("`{name}`"))
        } else {
            (from.value.clone(), name)
        };
        found.message = found.message.replace(&value, &name);
        found.hint = found.hint.take().map(|hint| hint.replace(&value, &name));
    }
}
