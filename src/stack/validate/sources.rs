//! Whether the sources of functions are there, and are what the file says; whether an output is the file itself.
//!
//! In: a stack and the folder of its file. Out: problems. Never: a build, or more than a look at names.

use std::path::{Component, Path as File};

use super::super::Stack;
use super::super::problem::Problem;
use super::at;
use super::functions::is_zip;

/// Problems with the files that functions' `source` names; `folder` is the stack file's.
pub fn sources(stack: &Stack, folder: &File) -> Vec<Problem> {
    let own = stack.functions.iter().filter_map(|(key, function)| {
        let source = function
            .source
            .as_ref()
            .filter(|source| !source.trim().is_empty())?;
        problem(key, function, source, &folder.join(source))
    });
    own.collect()
}

/// Outputs that would be written into the stack file itself, which `file` is.
pub fn own_file(stack: &Stack, file: &File) -> Vec<Problem> {
    let own = file.file_name().map(Component::Normal);
    let is_own = |output: &&String| {
        let parts = File::new(output).components();
        let parts: Vec<_> = parts.filter(|part| *part != Component::CurDir).collect();
        own.is_some_and(|own| parts == [own])
    };
    let problem = |output: &String| {
        let message = format!("`{output}` is this stack file, and no file of variables");
        let here = at(["outputs", output]).itself();
        Problem::error(here, message).hint("name another one, such as `.env.local`")
    };
    stack.outputs.keys().filter(is_own).map(problem).collect()
}

fn problem(
    key: &str,
    function: &super::super::FunctionDef,
    source: &str,
    file: &File,
) -> Option<Problem> {
    let here = at(["functions", key]);
    if !file.exists() {
        let message = format!("function `{key}` has its source in `{source}`, which is not there");
        let hint = "a path counts from the stack file's folder";
        return Some(Problem::error(here.key("source"), message).hint(hint));
    }
    if is_zip(source) {
        let message = format!("`{source}` is called a zip and is a folder");
        return file
            .is_dir()
            .then(|| Problem::error(here.key("source"), message));
    }
    if !file.is_dir() {
        let message = format!("`{source}` is neither a folder nor a zip");
        let hint = "name the folder that it is in; `entry` says which file begins";
        return Some(Problem::error(here.key("source"), message).hint(hint));
    }
    let cargo = file.join("Cargo.toml").is_file();
    match &function.runtime {
        None if !cargo => {
            let message = format!("folder `{source}` needs a `runtime` and an `entry`");
            let hint = "only a cargo package, with a `Cargo.toml`, needs neither";
            Some(Problem::error(here.key("source"), message).hint(hint))
        }
        Some(runtime) if cargo && !runtime.starts_with("provided") => {
            let message = format!("`{source}` is a cargo package, and cannot run on `{runtime}`");
            let problem = Problem::error(here.key("runtime"), message);
            Some(problem.hint("take `runtime` away: it is `provided.al2023`"))
        }
        _ => None,
    }
}
