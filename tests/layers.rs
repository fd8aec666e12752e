//! What may depend on what: the modules of `src/` against one table.
//!
//! A new module needs a row here, and a row is a decision. Code under `#[cfg(test)]` is free.

#[path = "layers/code.rs"]
mod code;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use Use::{Any, Only};

/// Which of our own modules a module may use.
#[derive(Clone, Copy)]
enum Use {
    Any,
    Only(&'static [&'static str]),
}

/// The layers, from the top down.
const LAYERS: &[(&str, Use)] = &[
    ("main", Any),
    ("lib", Any),
    ("cli", Any),
    ("command", Any),
    (
        "adopt",
        Only(&["stack", "describe", "resource", "cloud", "names"]),
    ),
    (
        "apply",
        Only(&["plan", "resource", "ledger", "cloud", "report", "names"]),
    ),
    ("preflight", Only(&["plan", "resource", "cloud", "names"])),
    ("report", Only(&["names", "plan"])),
    ("plan", Only(&["resource", "names", "observe"])),
    ("observe", Only(&["resource", "cloud", "names"])),
    ("release", Only(&["resource", "cloud", "names"])),
    (
        "describe",
        Only(&["stack", "package", "resource", "names", "error"]),
    ),
    ("cost", Only(&["stack"])),
    ("resource", Only(&["cloud", "names", "error"])),
    ("ledger", Only(&["cloud", "names"])),
    ("stack", Only(&["names", "error"])),
    ("cloud", Only(&["error", "names"])),
    ("error", Only(&[])),
    ("names", Only(&[])),
    ("package", Only(&[])),
    ("local", Only(&[])),
    ("talk", Only(&[])),
];

/// Paths that only some modules may name. A name that ends in `_` stands for all that begin so.
const RESERVED: &[(&str, &[&str])] = &[
    ("aws_sdk_", &["cloud", "resource", "ledger", "adopt"]),
    ("indicatif", &["report"]),
    ("serde_yaml", &["stack"]),
    ("println!", PRINTING),
    ("print!", PRINTING),
    ("eprintln!", PRINTING),
    ("eprint!", PRINTING),
];

const PRINTING: &[&str] = &["report", "command", "main"];

/// Paths that a module may not name, nor import what they are in: planning is pure. `::x` is anything's `x`.
const FORBIDDEN: &[(&str, &[&str])] = &[(
    "plan",
    &[
        "tokio",
        "std::env",
        "std::fs",
        "std::net",
        "std::process",
        "std::time::SystemTime",
        "std::time::Instant",
        "fastrand",
        "::now",
    ],
)];

#[test]
fn every_module_keeps_to_its_layer() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&source, &source, &mut files);
    assert!(
        files.iter().any(|(path, _)| path == "lib.rs"),
        "src/ is read"
    );
    let found = violations(&files);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// A file, what is wrong in it, and what the complaint must say.
const PLANTED: &[(&str, &str, &str)] = &[
    (
        "plan/order.rs",
        "use crate::apply::apply;",
        "plan must not use apply",
    ),
    (
        "plan/mod.rs",
        "use crate::{names::Kind, cloud::{fault::Fault, Cloud}};",
        "plan must not use cloud",
    ),
    (
        "report/lines.rs",
        "fn f(x: &crate::cloud::Cloud) {}",
        "report must not use cloud",
    ),
    (
        "local/iam.rs",
        "use super::super::names::Place;",
        "local must not use names",
    ),
    (
        "talk/mod.rs",
        "use super::names;",
        "talk must not use names",
    ),
    (
        "package.rs",
        "pub(crate) use crate::error;",
        "package must not use error",
    ),
    (
        "stack/load.rs",
        "use crate::unheard_of::X;",
        "stack uses unheard_of, which has no row",
    ),
    (
        "observe.rs",
        "use aws_sdk_iam::Client;",
        "observe must not name aws_sdk_iam",
    ),
    (
        "apply.rs",
        "fn f() { indicatif::ProgressBar::new(1); }",
        "apply must not name indicatif",
    ),
    (
        "describe.rs",
        "use serde_yaml as yaml;",
        "describe must not name serde_yaml",
    ),
    (
        "cloud/wait.rs",
        "fn f() { std::eprintln!(\"x\"); }",
        "cloud must not name eprintln!",
    ),
    (
        "apply.rs",
        "fn f() { println!(\"x\") }",
        "apply must not name println!",
    ),
    (
        "plan/mod.rs",
        "use std::{collections::BTreeMap, fs};",
        "plan must not name std::fs",
    ),
    (
        "plan/mod.rs",
        "fn f() { ::std::env::var(\"X\"); }",
        "plan must not name std::env",
    ),
    (
        "plan/mod.rs",
        "use std::time::*;",
        "plan must not name std::time::SystemTime",
    ),
    (
        "plan/mod.rs",
        "use std::{time::{self, Duration}};",
        "plan must not name std::time::SystemTime",
    ),
    (
        "plan/mod.rs",
        "use jiff::Timestamp; fn f() { Timestamp::now(); }",
        "plan must not name ::now",
    ),
    (
        "plan/mod.rs",
        "fn f() { tokio::spawn(g()); }",
        "plan must not name tokio",
    ),
    (
        "plan.rs",
        "#[cfg(test)] mod tests { use crate::local; } use crate::talk;",
        "plan must not use talk",
    ),
    ("weather.rs", "", "weather has no row"),
];

#[test]
fn planted_violations_are_caught() {
    for (path, source, expected) in PLANTED {
        let found = violations(&[((*path).to_owned(), (*source).to_owned())]);
        assert!(
            found.iter().any(|one| one.contains(expected)),
            "{path}: {source}\n{found:?}"
        );
    }
}

#[test]
fn what_is_allowed_passes() {
    let fine = [
        (
            "plan/mod.rs",
            "use crate::resource::Kind; use std::time::Duration; use super::names::X;",
        ),
        ("plan/diff.rs", "use super::order; use super::super::names;"),
        (
            "plan/render.rs",
            "// use crate::apply;\n/* crate::local */ const X: &str = \"crate::cloud\";",
        ),
        (
            "plan/text.rs",
            "const C: char = '\"'; const T: &str = r#\"tokio::spawn \" std::fs\"#; fn f<'a>() {}",
        ),
        (
            "local/mod.rs",
            "#[cfg(test)]\nmod tests { use crate::cloud::Cloud; fn f() { println!(\"{}\", '}') } }",
        ),
        ("local/tests.rs", "use crate::cloud::Cloud;"),
        ("local/iam/tests/roles.rs", "use aws_sdk_iam::Client;"),
        (
            "resource/api.rs",
            "use aws_sdk_apigatewayv2::Client; use crate::cloud::Cloud;",
        ),
        (
            "command/diff.rs",
            "fn f() { println!(\"x\"); writeln!(out); }",
        ),
        ("main.rs", "use msgai::command;"),
        (
            "stack/load.rs",
            "use serde_yaml::Spanned; use crate::error::Error;",
        ),
        (
            "apply.rs",
            "macro_rules! blueprint { () => {} } fn f() { blueprint!(); self.println(); }",
        ),
    ];
    let files = fine.map(|(path, source)| (path.to_owned(), source.to_owned()));
    assert_eq!(violations(&files), Vec::<String>::new());
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) {
    let entries = fs::read_dir(dir)
        .expect("the folder is there")
        .map(|entry| entry.expect("readable"));
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let inside = path
                .strip_prefix(root)
                .expect("below the root")
                .components();
            let name = inside
                .map(|part| part.as_os_str().to_string_lossy())
                .collect::<Vec<_>>()
                .join("/");
            files.push((name, fs::read_to_string(&path).expect("readable")));
        }
    }
    files.sort();
}

/// Everything in these files (path below `src/`, content) that the table does not allow.
fn violations(files: &[(String, String)]) -> Vec<String> {
    let layers: BTreeMap<&str, Use> = LAYERS.iter().copied().collect();
    let mut found = Vec::new();
    for (path, source) in files {
        let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
        let module = parts[0];
        let Some(may) = layers.get(module) else {
            found.push(format!("src/{path}: {module} has no row in LAYERS"));
            continue;
        };
        if parts.iter().skip(1).any(|part| *part == "tests") {
            continue;
        }
        let depth = parts.len() - usize::from(parts.last() == Some(&"mod"));
        for (line, name) in code::names(source) {
            found.extend(
                judge(module, *may, depth, &name, &layers)
                    .map(|why| format!("src/{path}:{line}: {why}")),
            );
        }
    }
    found
}

fn judge(
    module: &str,
    may: Use,
    depth: usize,
    name: &str,
    layers: &BTreeMap<&str, Use>,
) -> Option<String> {
    if let Some(other) = own_module(name, depth).filter(|other| *other != module) {
        let Only(allowed) = may else { return None };
        if !layers.contains_key(other) {
            return Some(format!("{module} uses {other}, which has no row in LAYERS"));
        }
        return (!allowed.contains(&other))
            .then(|| format!("{module} must not use {other} (`{name}`)"));
    }
    let reserved = RESERVED
        .iter()
        .filter(|(_, users)| !users.contains(&module))
        .map(|(path, _)| *path);
    let forbidden = FORBIDDEN
        .iter()
        .filter(|(of, _)| *of == module)
        .flat_map(|(_, paths)| paths.iter().copied());
    let hit = reserved.chain(forbidden).find(|path| covers(path, name))?;
    let shown = if hit.ends_with('_') {
        name.split("::").next().unwrap_or(name)
    } else {
        hit
    };
    Some(format!("{module} must not name {shown} (`{name}`)"))
}

/// The module at our root that a path leads to, when it leaves through `crate` or enough `super`s.
fn own_module(name: &str, depth: usize) -> Option<&str> {
    let mut parts = name.split("::").peekable();
    if parts.next_if_eq(&"crate").is_none() {
        let climbs = std::iter::from_fn(|| parts.next_if_eq(&"super")).count();
        if climbs == 0 || climbs < depth {
            return None;
        }
    }
    // A capital letter is an item of lib.rs, an exclamation mark a macro.
    parts
        .next()
        .filter(|part| part.starts_with(char::is_lowercase) && !part.ends_with('!'))
}

/// Whether a path in the code is the reserved one, something in it, or a module that brings it in.
fn covers(reserved: &str, name: &str) -> bool {
    if reserved.ends_with('_') {
        return name.starts_with(reserved);
    }
    if reserved.ends_with('!') {
        return name.rsplit("::").next() == Some(reserved);
    }
    if reserved.starts_with("::") {
        return name.ends_with(reserved);
    }
    let name = name.trim_end_matches("::*").trim_end_matches("::self");
    let inside = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    inside(reserved, name) || name.contains("::") && inside(name, reserved)
}
