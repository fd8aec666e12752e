//! The mistakes of newcomers: stack files with one thing wrong each, and all that is said of it.
//!
//! `tests/mistakes/stack/NN-name.yaml` is what somebody wrote, `NN-name.txt` what `msgai validate` answers.
//! `MISTAKES=overwrite cargo test --lib mistakes` writes what is said now; read the difference before keeping it.

use std::path::{Path, PathBuf};

use super::super::load;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes/stack")
}

/// The files of a kind, by name.
fn files(extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the mistakes");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|one| one == extension))
        .collect();
    found.sort();
    found
}

#[expect(
    clippy::disallowed_methods,
    reason = "it asks whoever runs the test, and is no flag of msgai"
)]
fn is_to_overwrite() -> bool {
    std::env::var("MISTAKES").is_ok_and(|word| word == "overwrite")
}

/// What is said of a file, by its name alone.
fn said(file: &Path) -> String {
    let text = match load(file, None, &|_| None) {
        Ok(loaded) => loaded.render_warnings(false),
        Err(problems) => problems.render(false),
    };
    let path = file.display().to_string();
    let name = file.file_name().expect("a name").to_string_lossy();
    text.replace(&path, &name)
}

#[test]
fn each_mistake_is_answered_as_written() {
    let overwrite = is_to_overwrite();
    let all = files("yaml");
    assert!(all.len() >= 50, "{}", all.len());
    let mut wrong = Vec::new();
    for file in &all {
        let answer = said(file);
        let expected = file.with_extension("txt");
        if overwrite {
            std::fs::write(&expected, &answer).expect("the answer is written");
        }
        let kept = std::fs::read_to_string(&expected).unwrap_or_default();
        if kept.replace('\r', "") != answer {
            wrong.push(answer);
        }
    }
    assert!(
        wrong.is_empty(),
        "these are answered otherwise than their .txt says:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_mistake_is_found_and_has_a_next_step() {
    for file in files("yaml") {
        let answer = said(&file);
        assert!(
            answer.contains("error: ") || answer.contains("warning: "),
            "{}",
            file.display()
        );
        let told = answer.matches("error: ").count();
        let hints = answer.matches("\nhint: ").count();
        assert!(hints >= told, "a hint is missing:\n{answer}");
    }
}

#[test]
fn every_answer_has_its_question() {
    for answer in files("txt") {
        assert!(
            answer.with_extension("yaml").exists(),
            "{}",
            answer.display()
        );
    }
}
