//! Files that nobody wrote on purpose, or somebody did.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::variables::expand;
use super::super::{FILE, load as load_file, load_text};
use super::{GOOD, complaints, load, spoilt};

fn only(text: &str) -> String {
    let mut all = complaints(text, None, &|_| None);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn an_alias_bomb_does_not_go_off() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, of) in ["b", "c", "d", "e", "f", "g", "h", "i"]
        .iter()
        .zip("abcdefgh".chars())
    {
        let nine = vec![format!("*{of}"); 9].join(", ");
        writeln!(bomb, "{name}: &{name} [{nine}]").unwrap();
    }
    assert_eq!(
        only(&bomb),
        "5:24 error: aliases repeat more than a stack file can hold"
    );
}

#[test]
fn deep_nesting_is_refused() {
    assert_eq!(
        only(&"[".repeat(100_000)),
        "1:33 error: is nested deeper than 32 levels"
    );
    assert_eq!(
        only(&format!("a: {}", "{b: ".repeat(1000))),
        "1:128 error: is nested deeper than 32 levels"
    );
    let blocks: Vec<String> = (0..500).map(|depth| " ".repeat(depth)).collect();
    let blocks = format!(
        "{}a:
",
        blocks.join(
            "a:
"
        )
    );
    assert_eq!(
        only(&blocks),
        "33:33 error: is nested deeper than 32 levels"
    );
    assert_eq!(
        only(&"- ".repeat(10_000)),
        "1:65 error: is nested deeper than 32 levels"
    );
}

#[test]
fn floods_are_refused() {
    let mut keys = String::new();
    for n in 0..60_000 {
        writeln!(keys, "k{n}: 1").unwrap();
    }
    assert_eq!(only(&keys), "25000:9 error: is larger than any stack file");
    assert_eq!(
        only(&"#".repeat(2_000_000)),
        "- error: is larger than 1 MiB, which no stack file is"
    );
    assert_eq!(
        only(&format!("name: {}", "x".repeat(900_000)))
            .lines()
            .count(),
        1
    );
}

#[test]
fn many_comments_are_welcome() {
    let words = "  # a word\n".repeat(100);
    let text: String = GOOD.lines().flat_map(|line| [&words, line, "\n"]).collect();
    assert!(load(&text).is_ok());
}

#[test]
fn files_that_hold_nothing() {
    for text in ["", "\n\n", "# only a comment\n", "---\n", "~", "null\n"] {
        assert_eq!(
            only(text),
            "- error: the file is empty / `msgai init` writes one to begin with",
            "{text:?}"
        );
    }
    assert_eq!(
        only("chat\n"),
        "1:1 error: a stack file must be a map, and this is a string / it begins with `name: my-chat`"
    );
    assert_eq!(
        only("- chat\n"),
        "1:1 error: a stack file must be a map, and this is a list / it begins with `name: my-chat`"
    );
    assert_eq!(
        only("\0\u{1}\u{2}"),
        "1:1 error: `\\u{0}` cannot begin a value / put the value in quotes, or check the indentation"
    );
}

#[test]
fn line_ends_and_marks_of_windows_are_welcome() {
    let text = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    assert!(load(&text).is_ok());
    let wrong = text.replace("$connect: connect", "$connect: onconect");
    assert_eq!(
        only(&wrong),
        "23:15 error: route `$connect` names function `onconect`, which is not declared / did you mean `connect`?"
    );
    let nam = text.replace("name: chat", "nam: chat");
    assert_eq!(
        only(&nam),
        "1:1 error: `nam` is not a key of a stack file / did you mean `name`?"
    );
}

/// What reading a file says; the file's folder cut away.
fn said(write: impl FnOnce(&std::path::Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    write(&file);
    let text = load_file(&file, None, &|_| None).unwrap_err().render(false);
    text.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn files_that_cannot_be_read() {
    assert_eq!(
        said(|_| {}),
        "error: stack.yaml: there is no such file\nhint: `msgai init` writes one, `-f` names another\n"
    );
    assert_eq!(
        said(|file| std::fs::create_dir(file).unwrap()),
        "error: stack.yaml: is a folder, not a stack file\nhint: name the file in it: `-f stack.yaml/stack.yaml`\n"
    );
    assert_eq!(
        said(|file| std::fs::write(file, b"name: ch\xff\xfet").unwrap()),
        "error: stack.yaml:1:9: here is something that is not UTF-8\n  |\n1 | name: ch\u{fffd}\u{fffd}t\n  |         ^\nhint: save the file as UTF-8\n"
    );
    assert_eq!(
        said(|file| std::fs::write(file, b"\xff\xfen\0a\0").unwrap()),
        "error: stack.yaml: is UTF-16 text, and a stack file is UTF-8\nhint: save it as UTF-8; in PowerShell, `Set-Content -Encoding utf8`\n"
    );
    assert_eq!(
        said(|file| std::fs::write(file, vec![b'#'; 5_000_000]).unwrap()),
        "error: stack.yaml: is larger than 1 MiB, which no stack file is\nhint: `msgai init` writes one, `-f` names another\n"
    );
}

/// Load, and render whatever comes of it.
fn survives(text: &str) -> Result<(), TestCaseError> {
    let lines = text.matches('\n').count() + 1;
    let env = |name: &str| (name.len().is_multiple_of(2)).then(|| "${api.url} {".to_owned());
    for environment in [None, Some("dev")] {
        match load_text(text, "stack.yaml", environment, &env) {
            Ok(loaded) => {
                drop(loaded.render_warnings(false));
            }
            Err(problems) => {
                prop_assert!(!problems.all.is_empty());
                prop_assert!(
                    problems
                        .all
                        .iter()
                        .all(|placed| placed.line.unwrap_or(1) <= lines)
                );
                prop_assert!(
                    problems.render(false).starts_with("error: ")
                        || problems.render(false).starts_with("warning: ")
                );
                drop(problems.render(true));
            }
        }
    }
    Ok(())
}

/// What a slip of the hand, or a malicious one, puts into a file.
fn scrap() -> impl Strategy<Value = String> {
    let scraps = [
        "",
        " ",
        "\n",
        "\t",
        ":",
        ": ",
        "-",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "&a ",
        "*a",
        "<<: *a",
        "!!str ",
        "|\n",
        ">-\n",
        "#",
        "'",
        "\"",
        "\\",
        "$",
        "${",
        "${env:A}",
        "${env:AB}",
        "${api.url}",
        "$${",
        "~",
        "null",
        "true",
        "7",
        "-1",
        "1e400",
        ".nan",
        "é",
        "\u{feff}",
        "\u{1b}",
        "日本",
        "environments:\n  dev: {name: }\n",
        "name",
        "key",
        "tables",
        "? ",
        "---\n",
        "%",
    ];
    prop_oneof![
        prop::sample::select(scraps.map(str::to_owned).to_vec()),
        ".{0,8}"
    ]
}

/// The good file with some spans replaced.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (0..GOOD.len(), 0..40_usize, scrap());
    prop::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (start, length, scrap) in edits {
            let start = start.min(text.len());
            let end = (start + length % 12).min(text.len());
            drop(text.splice(start..end, scrap.chars()));
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}") {
        survives(&text)?;
    }

    #[test]
    fn no_slip_makes_it_panic(text in mutated()) {
        survives(&text)?;
    }

    /// Whatever an environment variable holds, the function gets exactly that.
    #[test]
    fn a_value_of_the_environment_arrives_as_it_is(value in prop_oneof![prop::collection::vec(scrap(), 0..5).prop_map(|scraps| scraps.concat()), ".{0,20}"]) {
        let text = spoilt("environment: { LEVEL: info }", "environment: { VALUE: \"<${env:V}>\" }");
        let env = |name: &str| (name == "V").then(|| value.clone());
        let loaded = load_text(&text, "stack.yaml", None, &env).unwrap();
        let arrived = expand(&loaded.stack.functions["authorize"].environment["VALUE"], |late| format!("late {late}"));
        prop_assert_eq!(arrived, format!("<{value}>"));
    }
}
