use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use super::fake::{self, Elf};
use super::*;

pub(super) fn request(source: &Source) -> Request<'_> {
    Request {
        source,
        arch: Arch::X86_64,
        profile: Profile::Lambda,
        handlers_zip: None,
        native: false,
        provided: false,
    }
}

pub(super) fn run(request: &Request<'_>) -> Result<Artifact, PackageError> {
    package(request, &mut |_| {})
}

pub(super) fn put(dir: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A function as somebody might write it, with leftovers of tools in between.
fn sample(age: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        "lib/b.js",
        "index.js",
        "lib/a.js",
        "run",
        ".git/HEAD",
        ".DS_Store",
        "__pycache__/x.pyc",
    ];
    for name in files {
        let lines = (0..2000).map(|line| format!("content of {name}, line {line}\n"));
        let path = put(dir.path(), name, lines.collect::<String>().as_bytes());
        let time = UNIX_EPOCH + Duration::from_secs(age);
        fs::File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    #[cfg(unix)]
    chmod(&dir.path().join("run"), 0o700);
    dir
}

pub(super) fn listing(zip: &[u8]) -> Vec<(String, u32)> {
    let mut archive = ::zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    (0..archive.len())
        .map(|index| {
            let file = archive.by_index(index).unwrap();
            (
                file.name().unwrap().into_owned(),
                file.unix_mode().unwrap() & 0o7777,
            )
        })
        .collect()
}

fn zip_of(dir: &Path, name: &str, mode: u32, content: &[u8]) -> PathBuf {
    let path = dir.join("given.zip");
    let mut writer = ::zip::ZipWriter::new(fs::File::create(&path).unwrap());
    let options = ::zip::write::SimpleFileOptions::DEFAULT.unix_permissions(mode);
    writer.start_file(name, options).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap();
    path
}

pub(super) fn executable() -> Vec<u8> {
    fake::elf(&Elf {
        machine: 62,
        loader: Some("/lib64/ld-linux-x86-64.so.2"),
        versions: &["GLIBC_2.34"],
    })
}

#[cfg(unix)]
#[test]
fn a_folder_gives_the_same_bytes_wherever_and_whenever() {
    let (one, two) = (sample(1_000_000_000), sample(1_700_000_000));
    let (one, two) = (
        Source::Folder(one.path().to_owned()),
        Source::Folder(two.path().to_owned()),
    );
    let (one, two) = (run(&request(&one)), run(&request(&two)));
    assert_eq!(one, two.clone());
    let artifact = two.unwrap();
    let expected = [
        ("index.js", 0o644),
        ("lib/a.js", 0o644),
        ("lib/b.js", 0o644),
        ("run", 0o755),
    ];
    assert_eq!(
        listing(&artifact.zip),
        expected.map(|(name, mode)| (name.to_owned(), mode))
    );
    // Another value here means that everybody's functions are uploaded again: a change of compressor is one.
    assert_eq!(
        artifact.sha256,
        "N7X3f/0bjkE25fiO8jVdamx5QTwC3kbql3kh9VIep78="
    );
}

#[test]
fn a_changed_byte_changes_the_hash() {
    let dir = sample(1_000_000_000);
    let source = Source::Folder(dir.path().to_owned());
    let before = run(&request(&source)).unwrap();
    put(dir.path(), "lib/a.js", b"content of lib/a.js, line 0\n");
    assert_ne!(run(&request(&source)).unwrap().sha256, before.sha256);
}

#[test]
fn cargos_output_is_left_out_and_other_folders_of_that_name_are_not() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["Cargo.toml", "target/debug/x", "web/target/page.html"] {
        put(dir.path(), name, b"x");
    }
    let artifact = run(&request(&Source::Folder(dir.path().to_owned()))).unwrap();
    let names: Vec<String> = listing(&artifact.zip)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["Cargo.toml", "web/target/page.html"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_the_folder_only() {
    use std::os::unix::fs::symlink;
    let (dir, outside) = (sample(0), tempfile::tempdir().unwrap());
    let source = Source::Folder(dir.path().to_owned());
    symlink("lib/a.js", dir.path().join("link.js")).unwrap();
    let linked = run(&request(&source)).unwrap();
    assert!(listing(&linked.zip).contains(&("link.js".to_owned(), 0o644)));

    let secret = put(outside.path(), "secret", b"s");
    symlink(&secret, dir.path().join("lib/leak")).unwrap();
    let error = run(&request(&source)).unwrap_err();
    assert!(error.message.contains("outside of the folder"), "{error}");
    fs::remove_file(dir.path().join("lib/leak")).unwrap();

    symlink("..", dir.path().join("lib/up")).unwrap();
    let error = run(&request(&source)).unwrap_err();
    assert!(error.message.contains("it would never end"), "{error}");
    fs::remove_file(dir.path().join("lib/up")).unwrap();

    symlink("nowhere", dir.path().join("dangling")).unwrap();
    let error = run(&request(&source)).unwrap_err();
    assert!(error.message.contains("dangling"), "{error}");
}

#[test]
fn a_folder_over_the_limit_names_its_largest_files() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "index.js", b"x");
    for (name, size) in [("big.bin", 200), ("bigger.bin", 201)] {
        // Sparse: the size counts, and nothing is written.
        fs::File::create(dir.path().join(name))
            .unwrap()
            .set_len(size * MB)
            .unwrap();
    }
    let error = run(&request(&Source::Folder(dir.path().to_owned()))).unwrap_err();
    assert!(
        error
            .message
            .ends_with("holds 401.1 MB, and Lambda unpacks at most 250 MB"),
        "{error}"
    );
    let named = "its largest files: bigger.bin (201 MB), big.bin (200 MB), index.js (0.1 MB)";
    assert_eq!(error.hints, [named]);
}

#[test]
fn a_zip_over_the_limit_is_refused() {
    assert!(within_zip_limit(ZIP_LIMIT, "x").is_ok());
    let error = within_zip_limit(ZIP_LIMIT + 1, "x").unwrap_err();
    assert_eq!(
        error.message,
        "x is 50.1 MB as a zip, and Lambda takes at most 50 MB in a request"
    );
}

#[test]
fn empty_missing_and_wrong_sources_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let file = put(dir.path(), "file", b"x");
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let message = |source: Source| run(&request(&source)).unwrap_err().message;
    assert!(message(Source::Folder(empty)).ends_with("has no file to deploy"));
    assert!(message(Source::Folder(file.clone())).ends_with("is not a folder"));
    assert!(message(Source::Folder(dir.path().join("no"))).starts_with("cannot read "));
    assert!(message(Source::Zip(file)).contains("is not a zip"));
    assert!(message(Source::Zip(dir.path().join("no.zip"))).starts_with("cannot read "));
    let cargo = Source::Cargo {
        dir: dir.path().to_owned(),
        bin: None,
    };
    assert!(message(cargo).ends_with("it has no Cargo.toml"));
}

#[cfg(unix)]
#[test]
fn a_provided_folder_needs_an_executable_bootstrap() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "readme", b"x");
    let source = Source::Folder(dir.path().to_owned());
    let mut asked = request(&source);
    asked.provided = true;
    assert!(
        run(&asked)
            .unwrap_err()
            .message
            .contains("has no file `bootstrap`")
    );

    let bootstrap = put(dir.path(), BOOTSTRAP, &executable());
    chmod(&bootstrap, 0o644);
    assert!(run(&asked).unwrap_err().hints[0].starts_with("run: chmod +x "));

    chmod(&bootstrap, 0o755);
    assert!(listing(&run(&asked).unwrap().zip).contains(&(BOOTSTRAP.to_owned(), 0o755)));

    asked.arch = Arch::Arm64;
    assert!(
        run(&asked)
            .unwrap_err()
            .message
            .contains("is built for x86_64")
    );
    asked.native = true;
    assert!(run(&asked).is_ok());
}

#[test]
fn a_zip_is_taken_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = zip_of(dir.path(), "index.js", 0o644, b"x");
    let artifact = run(&request(&Source::Zip(path.clone()))).unwrap();
    assert_eq!(artifact.zip, fs::read(path).unwrap());
    assert_eq!(
        artifact.sha256,
        STANDARD.encode(Sha256::digest(&artifact.zip))
    );
}

#[test]
fn a_provided_zip_needs_a_bootstrap_that_lambda_can_start() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = |name: &str, mode: u32, content: &[u8]| {
        let source = Source::Zip(zip_of(dir.path(), name, mode, content));
        run(&Request {
            provided: true,
            ..request(&source)
        })
    };
    assert!(outcome(BOOTSTRAP, 0o755, &executable()).is_ok());
    assert!(outcome(BOOTSTRAP, 0o755, b"#!/bin/sh\n").is_ok());
    let nested = outcome("out/bootstrap", 0o755, &executable()).unwrap_err();
    assert!(nested.hints[0].starts_with("it is in `out/`"), "{nested:?}");
    let mode = outcome(BOOTSTRAP, 0o750, &executable()).unwrap_err();
    assert!(mode.message.contains("has mode 0750"), "{mode}");
    let text = outcome(BOOTSTRAP, 0o755, b"hello").unwrap_err();
    assert!(text.message.contains("is not a Linux executable"), "{text}");
    let escape = outcome("../bootstrap", 0o755, b"x").unwrap_err();
    assert!(
        escape.message.contains("outside of the function's folder"),
        "{escape}"
    );
}

#[test]
fn a_damaged_bootstrap_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = zip_of(dir.path(), BOOTSTRAP, 0o755, &executable());
    let mut bytes = fs::read(&path).unwrap();
    let inside = bytes.windows(4).position(|four| four == b"\x7fELF");
    // Deflated, the content may not be found as it was: then any byte after the name will do.
    let at = inside.unwrap_or(30 + BOOTSTRAP.len() + 20);
    bytes[at + 2] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let source = Source::Zip(path);
    let error = run(&Request {
        provided: true,
        ..request(&source)
    })
    .unwrap_err();
    assert!(error.message.contains("is a broken zip"), "{error}");
}

#[test]
fn the_users_zip_comes_before_every_other_handlers() {
    let dir = tempfile::tempdir().unwrap();
    let path = zip_of(dir.path(), BOOTSTRAP, 0o755, &executable());
    let asked = Request {
        handlers_zip: Some(&path),
        ..request(&Source::Shipped)
    };
    let artifact = shipped(
        &asked,
        &[inside(Arch::X86_64, false, b"not even a zip")],
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(artifact.zip, fs::read(&path).unwrap());
}

fn inside(arch: Arch, native: bool, zip: &'static [u8]) -> Embedded {
    Embedded { arch, native, zip }
}

#[test]
fn embedded_handlers_serve_their_own_processor() {
    let all = [
        inside(Arch::X86_64, false, b"for x86_64"),
        inside(Arch::Arm64, false, b"for arm64"),
        inside(Arch::Arm64, true, b"for this machine"),
    ];
    let asked = request(&Source::Shipped);
    for (arch, zip) in [
        (Arch::X86_64, &b"for x86_64"[..]),
        (Arch::Arm64, b"for arm64"),
    ] {
        let artifact = shipped(&Request { arch, ..asked }, &all, &mut |_| {}).unwrap();
        assert_eq!(
            (artifact.zip.as_slice(), artifact.architecture),
            (zip, arch)
        );
    }
    let here = Request {
        native: true,
        ..asked
    };
    let artifact = shipped(&here, &all[2..], &mut |_| {}).unwrap();
    assert_eq!(artifact.zip, b"for this machine");
    assert_eq!(
        embedded::suitable(
            &all[..1],
            &Request {
                arch: Arch::Arm64,
                ..asked
            }
        ),
        None
    );
}

/// Lambda's own handlers are this machine's, too, where it is Linux on the same processor.
#[test]
fn handlers_for_lambda_run_on_a_linux_like_it() {
    let asked = request(&Source::Shipped);
    let here = Request {
        native: true,
        ..asked
    };
    for arch in [Arch::X86_64, Arch::Arm64] {
        let fits = cfg!(target_os = "linux") && Arch::host() == Some(arch);
        let found = embedded::suitable(&[inside(arch, false, b"zip")], &here);
        assert_eq!(found.is_some(), fits, "{arch}");
    }
}

#[test]
fn without_handlers_the_commands_are_named() {
    let error = no_handlers(
        &Request {
            arch: Arch::Arm64,
            ..request(&Source::Shipped)
        },
        false,
    );
    assert!(
        error.message.starts_with("no shipped handlers for arm64"),
        "{error}"
    );
    assert!(
        error.hints[0]
            .contains("cargo build --locked --profile lambda -p handlers --bin bootstrap")
    );
    assert!(error.hints[1].contains("--handlers-zip handlers.zip"));
}
