//! The documents against what they describe: links, paths, the keys of a stack file, the layers, the commands.

#[path = "docs/keys.rs"]
mod keys;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Markdown file of the repository, by its path from the root.
fn documents() -> Vec<PathBuf> {
    let hidden = |name: &str| name.starts_with('.') || name == "target" || name == "node_modules";
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            if hidden(&name) {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A document's lines outside of fenced blocks.
fn prose(text: &str) -> Vec<&str> {
    let mut fenced = false;
    text.lines()
        .filter(|line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            !fenced && !fence
        })
        .collect()
}

/// What stands between backticks, outside of fenced blocks.
fn code(text: &str) -> Vec<String> {
    prose(text)
        .into_iter()
        .flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned))
        .collect()
}

/// The targets of `[…](target)`.
fn links(text: &str) -> Vec<String> {
    let whole = prose(text).join("\n");
    let parts = whole.split("](").skip(1);
    parts
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

/// A heading as a link to it spells it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().replace(' ', "-")
}

fn has_anchor(document: &str, wanted: &str) -> bool {
    let headings = prose(document);
    let mut headings = headings.iter().filter(|line| line.starts_with('#'));
    headings.any(|line| anchor(line.trim_start_matches('#')) == wanted)
}

#[test]
fn every_relative_link_leads_somewhere() {
    let documents = documents();
    assert!(
        documents.contains(&PathBuf::from("README.md")),
        "{documents:?}"
    );
    let mut broken = Vec::new();
    for path in &documents {
        let document = text(&path.to_string_lossy());
        for link in links(&document) {
            if link.contains("://") {
                continue;
            }
            let (file, wanted) = link.split_once('#').unwrap_or((&link, ""));
            let target = path.parent().unwrap_or(Path::new("")).join(file);
            let target = if file.is_empty() {
                path.clone()
            } else {
                target
            };
            let whole = root().join(&target);
            let leads = whole.exists()
                && (wanted.is_empty()
                    || has_anchor(&fs::read_to_string(&whole).unwrap_or_default(), wanted));
            if !leads {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn every_path_in_the_architecture_exists() {
    let folders = [
        "src/",
        "handlers/",
        "tests/",
        "docs/",
        "examples/",
        "benches/",
    ];
    let named: BTreeSet<String> = code(&text("ARCHITECTURE.md"))
        .into_iter()
        .filter(|name| folders.iter().any(|folder| name.starts_with(folder)))
        .collect();
    let missing: Vec<&String> = named
        .iter()
        .filter(|path| !root().join(path).exists())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");

    let unnamed: Vec<String> = fs::read_dir(root().join("src"))
        .expect("src/")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| format!("src/{}", entry.file_name().to_string_lossy()))
        .filter(|path| !path.contains("/."))
        .filter(|path| {
            !named
                .iter()
                .any(|known| known.trim_end_matches('/') == path)
        })
        .collect();
    assert!(unnamed.is_empty(), "not in the code map: {unnamed:?}");
}

type Layers = BTreeMap<String, BTreeSet<String>>;

/// The rows of `LAYERS` in `tests/layers.rs`.
fn layers_of_the_test() -> Layers {
    let source = text("tests/layers.rs");
    let (_, rest) = source.split_once("const LAYERS").expect("the table");
    let (table, _) = rest.split_once("\n];").expect("its end");
    let table: String = table.chars().filter(|c| !c.is_whitespace()).collect();
    let row = |row: &str| {
        let (name, may) = row.split_once('"').expect("a module's name");
        let may = if may.starts_with(",Any") {
            vec!["any"]
        } else {
            may.split('"').skip(1).step_by(2).collect()
        };
        (
            name.to_owned(),
            may.into_iter().map(str::to_owned).collect(),
        )
    };
    table.split("(\"").skip(1).map(row).collect()
}

/// The same from the table in `ARCHITECTURE.md`.
fn layers_of_the_document() -> Layers {
    let document = text("ARCHITECTURE.md");
    let mut layers = Layers::new();
    let lines = document
        .lines()
        .skip_while(|line| *line != "| Module | May use |");
    for line in lines.skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let words = |cell: &str| {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        let may: BTreeSet<String> = match cells[1].trim() {
            "any" => BTreeSet::from(["any".to_owned()]),
            "none" => BTreeSet::new(),
            cell => words(cell),
        };
        let modules: Vec<String> = words(cells[0]).into_iter().collect::<Vec<_>>();
        layers.extend(modules.into_iter().map(|module| (module, may.clone())));
    }
    layers
}

#[test]
fn the_layers_are_those_of_the_test() {
    let enforced = layers_of_the_test();
    assert!(enforced["plan"].contains("resource"), "{enforced:?}");
    assert_eq!(layers_of_the_document(), enforced);
}

#[test]
fn the_readme_has_every_command() {
    let readme = text("README.md");
    for command in msgai::cli::Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(
            readme.contains(&format!("| `{name}` |")),
            "{name} has no row"
        );
    }
}

/// Blocks that are run begin with a command; what cannot be run says which language it is.
#[test]
fn every_block_is_run_or_says_that_it_is_not() {
    const LANGUAGES: [&str; 9] = [
        "console", "text", "yaml", "json", "js", "rust", "toml", "python", "hcl",
    ];
    let book = documents().into_iter();
    let book = book.filter(|path| path.starts_with("docs") || path == Path::new("README.md"));
    for path in book.filter(|path| !path.starts_with("docs/adr")) {
        let place = path.display();
        let mut language = None;
        let mut first = false;
        for line in text(&path.to_string_lossy()).lines() {
            match (line.strip_prefix("```"), language) {
                (Some(opened), None) => {
                    let known = LANGUAGES.iter().find(|known| **known == opened);
                    language = Some(*known.unwrap_or_else(|| panic!("{place}: {line}")));
                    first = true;
                }
                (Some(_), Some(_)) => language = None,
                (None, Some("console")) if first => {
                    assert!(
                        line.starts_with("$ "),
                        "{place}: a block begins with {line}"
                    );
                    first = false;
                }
                (None, _) => {}
            }
        }
    }
}

/// Whatever page there is, the book's contents lead to it.
#[test]
fn the_book_has_every_page() {
    let contents = text("docs/README.md");
    let all = links(&contents);
    for path in documents() {
        let Ok(page) = path.strip_prefix("docs") else {
            continue;
        };
        let page = page.to_string_lossy().replace('\\', "/");
        let is_kept_apart = page == "README.md" || page.starts_with("adr/");
        assert!(
            is_kept_apart || all.contains(&page),
            "docs/{page} is not in the contents"
        );
    }
}
