//! What `--help` teaches: each command has examples, and each example is a command line that is taken.

use clap::CommandFactory as _;
use msgai::cli::Cli;

/// The lines below `Examples:`, a line that goes on joined to the one before.
fn examples(help: &str) -> Vec<String> {
    let Some((_, below)) = help.split_once("Examples:\n") else {
        return Vec::new();
    };
    let mut lines: Vec<String> = Vec::new();
    for line in below.lines().take_while(|line| line.starts_with("  ")) {
        match lines.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push_str(line.trim());
            }
            _ => lines.push(line.trim().to_owned()),
        }
    }
    lines
}

/// A line's words as a shell sees them; two spaces begin what is said about it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut spaces = 0;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == ' ' => {
                spaces += 1;
                if spaces == 1 {
                    words.push(String::new());
                }
                continue;
            }
            _ if spaces > 1 => break,
            _ => words.last_mut().unwrap().push(c),
        }
        spaces = 0;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Each call of msgai in a line of a shell.
fn calls(line: &str) -> Vec<Vec<String>> {
    let words = words(line);
    let begins = |word: &str| word == "msgai" || word.ends_with("$(msgai");
    let mut calls = Vec::new();
    for (at, _) in words.iter().enumerate().filter(|(_, word)| begins(word)) {
        let mut call = vec!["msgai".to_owned()];
        for word in &words[at + 1..] {
            if ["|", ">", ">>", "&&", "&", "<"].contains(&word.as_str()) {
                break;
            }
            call.push(word.trim_end_matches(')').to_owned());
            if word.ends_with(')') {
                break;
            }
        }
        calls.push(call);
    }
    calls
}

/// The command that a line calls, by its own name; an alias is the command's.
fn command_of(call: &[String]) -> Result<Option<String>, clap::Error> {
    let matches = match Cli::command().try_get_matches_from(call) {
        Err(asked) if !asked.use_stderr() => return Ok(None),
        other => other?,
    };
    Ok(matches.subcommand_name().map(str::to_owned))
}

#[test]
fn every_example_is_taken_and_every_command_has_one_of_its_own() {
    let mut command = Cli::command();
    command.build();
    let help = |command: &clap::Command| {
        let help = command.get_after_help().or(command.get_after_long_help());
        help.map(ToString::to_string).unwrap_or_default()
    };
    let commands = command.get_subcommands();
    for command in commands.filter(|command| command.get_name() != "help") {
        let name = command.get_name();
        let lines = examples(&help(command));
        let mut is_shown = false;
        for line in &lines {
            let calls = calls(line);
            assert!(!calls.is_empty(), "{name}: no call in `{line}`");
            for call in calls {
                let called = command_of(&call).unwrap_or_else(|e| panic!("{name}: `{line}`: {e}"));
                is_shown |= called.as_deref() == Some(name);
            }
        }
        assert!(is_shown, "`msgai {name} --help` has no example of it");
    }
    for line in examples(&help(&Cli::command())) {
        for call in calls(&line) {
            command_of(&call).unwrap_or_else(|e| panic!("`{line}`: {e}"));
        }
    }
}

#[test]
fn a_line_is_read_as_a_shell_reads_it() {
    let line = r"T=$(msgai token --user a) msgai connect 'a  b' | jq  and so on";
    assert_eq!(
        calls(line),
        [
            vec!["msgai", "token", "--user", "a"],
            vec!["msgai", "connect", "a  b"]
        ]
    );
    assert_eq!(calls("msgai init    here, msgai"), [vec!["msgai", "init"]]);
}
