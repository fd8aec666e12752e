//! What shells and packagers are given: completions, manual pages, the version.

use std::process::Command;

use clap::CommandFactory as _;
use serde_json::Value;

use super::scratch::{Ran, Scratch};

fn is_there(program: &str) -> bool {
    let mut asked = Command::new(program);
    asked.arg("--version").output().is_ok()
}

fn completions(scratch: &Scratch, shell: &str) -> String {
    let ran = scratch.run(&["completions", shell]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{shell}");
    ran.out
}

/// What bash offers for the last of these words.
fn offered(scratch: &Scratch, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let mut bash = Command::new("bash");
    bash.current_dir(&scratch.dir)
        .args(["--noprofile", "--norc", "-c"])
        .arg("source msgai.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \"$0\" msgai \"${!#}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; printf '%s\\n' \"${COMPREPLY[@]}\"")
        .arg("_msgai")
        .args(words);
    let ran = Ran::of(bash);
    assert_eq!(ran.err, "", "{words:?}");
    let mut all: Vec<String> = ran.out.lines().map(str::to_owned).collect();
    all.retain(|word| word.starts_with(words[last]));
    all
}

#[test]
fn bash_completes_commands_flags_and_values() {
    if !is_there("bash") {
        eprintln!("skipped: no bash on this machine");
        return;
    }
    let scratch = Scratch::new("bash", None);
    scratch.write("msgai.bash", &completions(&scratch, "bash"));
    assert_eq!(offered(&scratch, &["msgai", "roll"]), ["rollback"]);
    assert_eq!(offered(&scratch, &["msgai", "out"]), ["outputs"]);
    assert_eq!(
        offered(&scratch, &["msgai", "diff", "--det"]),
        ["--detailed-exitcode"]
    );
    assert_eq!(
        offered(&scratch, &["msgai", "--color", "a"]),
        ["auto", "always"]
    );
    assert_eq!(offered(&scratch, &["msgai", "man"]), [""; 0]);
    for hidden in ["--no-color", "--term", "--ci"] {
        assert_eq!(offered(&scratch, &["msgai", hidden]), [""; 0], "{hidden}");
    }
}

/// Each shell's own words, and every command in them.
#[test]
fn every_shell_is_told_every_command() {
    let scratch = Scratch::new("shells", None);
    let shells = [
        ("bash", "complete -F _msgai"),
        ("zsh", "#compdef msgai"),
        ("fish", "complete -c msgai"),
        ("powershell", "Register-ArgumentCompleter -Native"),
        ("elvish", "set edit:completion:arg-completer[msgai]"),
    ];
    for (shell, sign) in shells {
        let script = completions(&scratch, shell);
        assert!(script.contains(sign), "{shell}");
        for command in msgai::cli::Cli::command().get_subcommands() {
            let name = command.get_name();
            let is_told = script.contains(name) || command.is_hide_set();
            assert!(is_told, "{shell}: {name}");
        }
        assert!(
            !script.contains("no-color"),
            "{shell} is told what is hidden"
        );
    }
    let checks = [("zsh", vec!["-n"]), ("fish", vec!["--no-execute"])];
    for (shell, flags) in checks {
        if !is_there(shell) {
            eprintln!("skipped: no {shell} on this machine to read its completions");
            continue;
        }
        scratch.write(shell, &completions(&scratch, shell));
        let mut reads = Command::new(shell);
        reads.current_dir(&scratch.dir).args(flags).arg(shell);
        let ran = Ran::of(reads);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let scratch = Scratch::new("man", None);
    let ran = scratch.run(&["man", "pages/man1"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
    for command in msgai::cli::Cli::command().get_subcommands() {
        let path = format!("pages/man1/msgai-{}.1", command.get_name());
        let is_written = scratch.dir.join(&path).exists();
        assert_eq!(is_written, !command.is_hide_set(), "{path}");
    }
    let page = scratch.read("pages/man1/msgai-deploy.1");
    assert!(page.contains("\\-\\-drop\\-connections"), "{page}");
    assert!(page.contains("Examples:"), "{page}");
    if !is_there("man") {
        eprintln!("skipped: no man on this machine to render the pages");
        return;
    }
    for page in ["msgai", "msgai-deploy", "msgai-logs"] {
        let mut man = Command::new("man");
        man.current_dir(&scratch.dir)
            .args(["--warnings", "--local-file"])
            .arg(format!("pages/man1/{page}.1"))
            .envs([
                ("MANWIDTH", "80"),
                ("MANPAGER", "cat"),
                ("LC_ALL", "C.UTF-8"),
            ]);
        let ran = Ran::of(man);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{page}");
        assert!(ran.out.contains("SYNOPSIS"), "{page}: {}", ran.out);
    }
}

#[test]
fn the_version_says_what_is_inside() {
    let scratch = Scratch::new("version", None);
    let short = scratch.run(&["-V"]);
    let number = env!("CARGO_PKG_VERSION");
    assert_eq!(short.out, format!("msgai {number}\n"));
    let long = scratch.run(&["version"]);
    assert!(long.out.starts_with(&short.out), "{}", long.out);
    let json = scratch.run(&["version", "--json"]);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["msgai"], number);
    let target = json["target"].as_str().unwrap();
    assert!(long.out.contains(&format!("target    {target}\n")));
    let handlers = json["handlers"].as_array().unwrap();
    assert_eq!(json["handlers_inside"], !handlers.is_empty());
}
