//! `init`: a commented stack file to begin with, or one from what runs.

mod from;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::Context;
use crate::cli::{Init, TemplateKind};
use crate::error::Error;
use crate::stack::{FILE, Template, stack_name, template};

pub(crate) async fn run(context: &Context, args: &Init) -> Result<ExitCode, Error> {
    if let Some(start) = from::start(&args.from)? {
        return Box::pin(from::run(context, args, start)).await;
    }
    let given = args.name.as_deref().map(chosen).transpose()?;
    let path = place(&args.dir)?;
    let name = match given {
        Some(name) => name,
        None => stack_name(&folder_name(&args.dir)?),
    };
    let kind = match args.template {
        TemplateKind::Direct => Template::Direct,
        TemplateKind::Group => Template::Group,
    };
    write_new(&path, template(kind, &name).as_bytes())?;
    if context.global.json {
        context.say_json(serde_json::json!({ "type": "init", "version": 1, "file": path }));
    } else {
        context.say(&format!("wrote {}", path.display()));
        context.say(&format!(
            "next: {}`msgai dev` runs it on this machine, `msgai diff` shows what a deploy makes",
            enter(&args.dir)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// A name that a person wrote is taken as it is, or not at all.
fn chosen(name: &str) -> Result<String, Error> {
    let near = stack_name(name);
    if near == name {
        return Ok(near);
    }
    Err(
        Error::usage(format!("`{name}` cannot be a stack's name")).hint(format!(
            "a letter, then letters, digits and `-`, at most 40, such as `{near}`"
        )),
    )
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::failed(format!("cannot {what} {}: {error}", path.display()))
}

/// Where the stack file goes, in a folder that is there from now on.
fn place(dir: &Path) -> Result<PathBuf, Error> {
    std::fs::create_dir_all(dir).map_err(|e| cannot("make", dir, &e))?;
    let path = match dir.as_os_str().to_str() {
        Some("." | "./") => FILE.into(),
        _ => dir.join(FILE),
    };
    if path.exists() {
        return Err(there_already(&path));
    }
    Ok(path)
}

fn there_already(path: &Path) -> Error {
    Error::failed(format!("{} is there already", path.display()))
        .hint("remove it first, or name another folder: `msgai init DIR`")
}

fn folder_name(dir: &Path) -> Result<String, Error> {
    let dir = dir.canonicalize().map_err(|e| cannot("find", dir, &e))?;
    let name = dir
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Ok(name.unwrap_or_default())
}

/// Only where there is none: a stack file is the user's work.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let made = std::fs::File::options()
        .write(true)
        .create_new(true)
        .open(path);
    let mut file = made.map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => there_already(path),
        _ => cannot("write", path, &e),
    })?;
    file.write_all(bytes).map_err(|e| cannot("write", path, &e))
}

/// The step into the folder, where the file is not here.
fn enter(dir: &Path) -> String {
    if dir.as_os_str() == "." {
        return String::new();
    }
    let dir = dir.display().to_string();
    let quote = if dir.contains(|c: char| " ()&;$'".contains(c)) {
        "\""
    } else {
        ""
    };
    format!("`cd {quote}{dir}{quote}`, then ")
}
