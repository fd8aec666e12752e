use std::fs;

use tempfile::TempDir;

use super::super::tests::{listing, put, request, run};
use super::super::{BOOTSTRAP, Source, package};
use super::*;

#[test]
fn the_checkout_is_the_one_it_was_built_in_or_above_the_working_folder() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "Cargo.toml", b"[package]\nname = \"msgai\"\n");
    let deep = root.join("examples/nursify");
    fs::create_dir_all(&deep).unwrap();
    assert_eq!(find_checkout(None, Some(&deep)), None);
    put(
        root,
        "handlers/Cargo.toml",
        b"[package]\nname = \"handlers\"\n",
    );
    assert_eq!(find_checkout(None, Some(&deep)).as_deref(), Some(root));
    assert_eq!(
        find_checkout(Some(&deep), Some(root)).as_deref(),
        Some(root)
    );
    assert_eq!(find_checkout(Some(root), None).as_deref(), Some(root));
    assert_eq!(find_checkout(Some(&deep), None), None);
}

fn cargo_package(main: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let manifest =
        "[package]\nname = \"audit\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n";
    put(dir.path(), "Cargo.toml", manifest.as_bytes());
    put(dir.path(), "src/main.rs", main.as_bytes());
    dir
}

/// Generated code panics with its absolute path, which would be in the executable if it were not taken out.
const GENERATOR: &str = r#"fn main() {
    let made = std::path::Path::new(&std::env::var("OUT_DIR").unwrap()).join("made.rs");
    std::fs::write(made, "fn made(at: usize) -> u8 { [1, 2][at] }").unwrap();
}"#;
const MAIN: &str = r#"
include!(concat!(env!("OUT_DIR"), "/made.rs"));
fn main() { println!("{}", made(std::env::args().count())) }"#;

#[test]
fn two_checkouts_of_a_cargo_package_give_one_hash() {
    let Some(arch) = Arch::host().filter(|_| cfg!(target_os = "linux")) else {
        return;
    };
    let mut heard = Vec::new();
    let mut artifacts = [cargo_package(MAIN), cargo_package(MAIN)].map(|dir| {
        put(dir.path(), "build.rs", GENERATOR.as_bytes());
        let source = Source::Cargo {
            dir: dir.path().to_owned(),
            bin: None,
        };
        let asked = Request {
            arch,
            ..request(&source)
        };
        let artifact = package(&asked, &mut |note| heard.push(note.to_owned())).unwrap();
        assert!(
            dir.path()
                .join("target/lambda-build/release/audit")
                .exists()
        );
        artifact
    });
    let [one, two] = &mut artifacts;
    assert_eq!(one.sha256, two.sha256);
    assert_eq!(listing(&one.zip), [(BOOTSTRAP.to_owned(), 0o755)]);
    assert_eq!(heard[0], "building audit");
    assert!(
        heard[1].starts_with("building audit: compiling audit v0.0.0"),
        "{heard:?}"
    );
    assert_eq!(
        heard
            .iter()
            .filter(|note| *note == "zipping bootstrap")
            .count(),
        2
    );
}

#[test]
fn what_the_compiler_said_is_passed_on() {
    let dir = cargo_package("fn main() { let x: u8 = \"text\"; }");
    let source = Source::Cargo {
        dir: dir.path().to_owned(),
        bin: None,
    };
    let asked = Request {
        native: true,
        profile: Profile::Quick,
        ..request(&source)
    };
    let error = run(&asked).unwrap_err();
    assert!(error.message.contains("mismatched types"), "{error}");
    assert!(error.message.lines().count() <= 42, "{error}");
    assert!(
        error.hints[0].contains("cargo build --bin audit"),
        "{error:?}"
    );
}
