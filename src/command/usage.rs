//! A command line that clap does not take, in our words: what is wrong with it, and what was meant.
//!
//! In: clap's error and the words that were typed. Out: an [`Error`] of usage. Never: a look at a file.

use clap::error::{ContextKind, ContextValue, ErrorKind as Kind};
use clap::{Command, CommandFactory as _};

use crate::cli::Cli;
use crate::error::Error;
use crate::stack::words::{did_you_mean, either, nearest};

/// Other tools' words for our commands.
const COMMANDS_ELSEWHERE: &[(&str, &str)] = &[
    ("up", "deploy"),
    ("push", "deploy"),
    ("publish", "deploy"),
    ("update", "deploy"),
    ("start", "dev"),
    ("serve", "dev"),
    ("run", "dev"),
    ("offline", "dev"),
    ("local", "dev"),
    ("remove", "destroy"),
    ("rm", "destroy"),
    ("down", "destroy"),
    ("teardown", "destroy"),
    ("list", "status"),
    ("ls", "status"),
    ("show", "status"),
    ("info", "status"),
    ("describe", "status"),
    ("new", "init"),
    ("create", "init"),
    ("import", "init"),
    ("tail", "logs"),
    ("wscat", "connect"),
    ("chat", "connect"),
    ("test", "smoke"),
    ("check", "validate"),
    ("lint", "validate"),
    ("undo", "rollback"),
    ("revert", "rollback"),
    ("price", "cost"),
    ("synth", "diff"),
    ("preview", "diff"),
    ("url", "outputs"),
    ("output", "outputs"),
    ("iam", "policy"),
    ("load", "bench"),
];

/// Other tools' flags, and what to do here instead.
const FLAGS_ELSEWHERE: &[(&str, &str)] = &[
    (
        "--dry-run",
        "`msgai diff` shows what a deploy would change, and writes nothing",
    ),
    (
        "--dryrun",
        "`msgai diff` shows what a deploy would change, and writes nothing",
    ),
    (
        "--what-if",
        "`msgai diff` shows what a deploy would change, and writes nothing",
    ),
    (
        "--force",
        "`--yes` answers the question; what is refused has a flag of its own, which the refusal names",
    ),
    ("--auto-approve", "`--yes` answers the question"),
    ("--non-interactive", "`--yes` answers the question"),
    ("--no-confirm", "`--yes` answers the question"),
    (
        "--stage",
        "`-e NAME` chooses an environment of the file; the stage is `api.stage` in it",
    ),
    ("--environment", "did you mean `--env`?"),
    ("--config", "did you mean `--file`?"),
    ("--template-file", "did you mean `--file`?"),
    ("--tail", "did you mean `--follow`?"),
    (
        "--stack-name",
        "the stack is the one of the file: `-f FILE`, `-e NAME`",
    ),
    (
        "--out",
        "what is shown is what a deploy applies; `--json > plan.json` keeps it",
    ),
    (
        "--target",
        "a deploy changes all that differs, and nothing else",
    ),
];

pub(super) fn told(error: &clap::Error, words: &[String]) -> Error {
    let line = Line::new(error, words);
    let (message, hint) = match error.kind() {
        Kind::InvalidSubcommand => line.unknown_command(),
        Kind::UnknownArgument => line.unknown_argument(),
        Kind::InvalidValue | Kind::ValueValidation => line.value(),
        Kind::MissingRequiredArgument => line.missing(),
        Kind::ArgumentConflict => line.conflict(),
        Kind::MissingSubcommand | Kind::DisplayHelpOnMissingArgumentOrSubcommand => (
            "no command is named".to_owned(),
            Some(
                "`msgai help` lists them; `msgai init` writes a stack file to begin with"
                    .to_owned(),
            ),
        ),
        _ => (line.plain(), None),
    };
    let hint = hint.unwrap_or_else(|| line.help());
    Error::usage(message).hint(hint)
}

struct Line<'a> {
    error: &'a clap::Error,
    words: &'a [String],
    cli: Command,
    /// The command that the words name, by its own name.
    command: Option<String>,
}

type Told = (String, Option<String>);

impl<'a> Line<'a> {
    fn new(error: &'a clap::Error, words: &'a [String]) -> Self {
        let cli = Cli::command();
        let mut named = words.iter().skip(1);
        let command = named.find_map(|word| Some(cli.find_subcommand(word)?.get_name().to_owned()));
        Self {
            error,
            words,
            cli,
            command,
        }
    }

    /// A text that clap's error carries.
    fn context(&self, kind: ContextKind) -> &str {
        match self.error.get(kind) {
            Some(ContextValue::String(text)) => text,
            Some(ContextValue::Strings(texts)) => texts.first().map_or("", String::as_str),
            _ => "",
        }
    }

    /// The flag or argument in question, without what stands for its value.
    fn argument(&self) -> &str {
        let whole = self.context(ContextKind::InvalidArg);
        let first = whole.split([' ', '=']).next().unwrap_or_default();
        first.trim_matches(['<', '>', '[', ']', '.'])
    }

    /// The command as a message names it.
    fn whose(&self) -> &str {
        self.command.as_deref().unwrap_or("msgai")
    }

    fn help(&self) -> String {
        match &self.command {
            Some(command) => format!("`msgai help {command}` lists its flags"),
            None => "`msgai help` lists the commands, `msgai help COMMAND` its flags".to_owned(),
        }
    }

    fn unknown_command(&self) -> Told {
        let word = self.context(ContextKind::InvalidSubcommand);
        let known: Vec<&str> = self.cli.get_subcommands().map(Command::get_name).collect();
        let mut elsewhere = COMMANDS_ELSEWHERE.iter();
        let meant = elsewhere
            .find(|(theirs, ours)| *theirs == word && known.contains(ours))
            .map(|(_, ours)| *ours)
            .or_else(|| nearest(word, known.iter().copied()));
        (
            format!("`{word}` is not a command"),
            meant.map(|ours| format!("did you mean `msgai {ours}`?")),
        )
    }

    fn unknown_argument(&self) -> Told {
        let argument = self.context(ContextKind::InvalidArg);
        let whose = self.whose();
        if argument.starts_with('-') {
            let flag = argument.split('=').next().unwrap_or_default();
            let message = format!("`{whose}` has no flag `{flag}`");
            return (message, self.meant_flag(flag));
        }
        let message = format!("`{whose}` takes no `{argument}`");
        (message, self.meant_word(argument))
    }

    fn flags(&self) -> Vec<String> {
        let named = self.command.as_deref();
        let own = named.and_then(|name| self.cli.find_subcommand(name));
        let arguments = own
            .into_iter()
            .chain([&self.cli])
            .flat_map(Command::get_arguments);
        let shown = arguments.filter(|argument| !argument.is_hide_set());
        shown
            .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
            .collect()
    }

    fn meant_flag(&self, flag: &str) -> Option<String> {
        let flags = self.flags();
        let elsewhere = FLAGS_ELSEWHERE.iter().find(|(theirs, _)| *theirs == flag);
        elsewhere
            .map(|(_, hint)| (*hint).to_owned())
            .or_else(|| did_you_mean(flag, flags.iter().map(String::as_str)))
    }

    /// A word that no argument takes: a flag's value without its flag.
    fn meant_word(&self, word: &str) -> Option<String> {
        let single = self.words.iter().find_map(|typed| {
            let long = format!("-{typed}");
            let one = typed.starts_with('-') && !typed.starts_with("--");
            (one && self.flags().contains(&long)).then_some(long)
        });
        if let Some(long) = single {
            return Some(format!(
                "a flag of several letters has two dashes: `{long}`"
            ));
        }
        let file = std::path::Path::new(word).extension();
        let meant = if file.is_some_and(|one| one == "yaml" || one == "yml") {
            format!("-f {word}")
        } else if self.whose() == "rollback" && word.parse::<u64>().is_ok() {
            format!("--to {word}")
        } else if word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        {
            format!("-e {word}")
        } else {
            return None;
        };
        Some(format!("did you mean `msgai {} {meant}`?", self.whose()))
    }

    fn value(&self) -> Told {
        let argument = self.argument();
        let value = self.context(ContextKind::InvalidValue);
        if value.is_empty() {
            let whole = self.context(ContextKind::InvalidArg);
            let follows = argument == "--file" && self.flags().contains(&"--follow".to_owned());
            let hint = if follows {
                "`-f` is `--file`; did you mean `--follow`?".to_owned()
            } else {
                format!("write `{}`", whole.replace(['<', '>'], ""))
            };
            return (format!("`{argument}` needs a value"), Some(hint));
        }
        let cannot = format!("`{argument}` cannot be `{value}`");
        let Some(ContextValue::Strings(choices)) = self.error.get(ContextKind::ValidValue) else {
            return (cannot, Some(self.why()));
        };
        let choices: Vec<&str> = choices
            .iter()
            .map(String::as_str)
            .filter(|one| !one.is_empty())
            .collect();
        let message = format!("{cannot}: it is {}", either(&choices));
        (message, did_you_mean(value, choices))
    }

    /// Why a value does not do, as the one who read it says.
    fn why(&self) -> String {
        let source = std::error::Error::source(self.error).map(ToString::to_string);
        let source = source.unwrap_or_default();
        if let Some((_, range)) = source.split_once(" is not in ") {
            return match range.split_once("..") {
                Some((from, "")) => format!("it is {from} or more"),
                Some((from, to)) => format!("it is {from} to {}", to.trim_start_matches('=')),
                None => format!("it is in {range}"),
            };
        }
        if source.contains("digit") || source.contains("integer") {
            return "it is a whole number, not negative".to_owned();
        }
        source
    }

    fn missing(&self) -> Told {
        let all = match self.error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(all)) => all.clone(),
            _ => Vec::new(),
        };
        let all: Vec<String> = all.iter().map(|one| one.replace(['<', '>'], "")).collect();
        let whose = self.whose();
        let hint = format!("write `msgai {whose} {}`", all.join(" "));
        (format!("`{whose}` needs {}", each_of(&all)), Some(hint))
    }

    fn conflict(&self) -> Told {
        let prior = self.context(ContextKind::PriorArg);
        let prior = prior.split(' ').next().unwrap_or_default();
        let argument = self.argument();
        let message = if prior == argument || prior.is_empty() {
            format!("`{argument}` is there twice")
        } else {
            format!("`{argument}` and `{prior}` do not go together")
        };
        (message, Some("take one away".to_owned()))
    }

    /// Clap's own first line.
    fn plain(&self) -> String {
        let text = self.error.to_string();
        let first = text.lines().find(|line| !line.trim().is_empty());
        first
            .unwrap_or_default()
            .trim()
            .trim_start_matches("error: ")
            .to_owned()
    }
}

/// `a` and `b`, each in backticks.
fn each_of(words: &[String]) -> String {
    either(words).replace(" or ", " and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a command line.
    fn said(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let error = Cli::read(&words).expect_err("a wrong line");
        told(&error, &words).to_string()
    }

    #[test]
    fn every_word_from_elsewhere_leads_to_a_command_of_ours() {
        let cli = Cli::command();
        for (theirs, ours) in COMMANDS_ELSEWHERE {
            assert!(
                cli.find_subcommand(theirs).is_none(),
                "`{theirs}` is a command"
            );
            let known = cli.find_subcommand(ours).is_some();
            assert!(known, "`{ours}` is no command");
        }
    }

    #[test]
    fn a_flag_that_is_meant_is_one_of_ours() {
        let cli = Cli::command();
        let all = cli.get_subcommands().chain([&cli]);
        let all = all.flat_map(Command::get_arguments);
        let ours: Vec<String> = all
            .filter_map(|one| Some(format!("--{}", one.get_long()?)))
            .collect();
        for (theirs, hint) in FLAGS_ELSEWHERE {
            let named = hint.split('`').filter(|word| word.starts_with("--"));
            let missing = named.map(|word| word.split(' ').next().unwrap_or_default().to_owned());
            let missing: Vec<String> = missing.filter(|flag| !ours.contains(flag)).collect();
            assert!(missing.is_empty(), "{theirs}: {missing:?}");
        }
    }

    #[test]
    fn the_command_that_a_message_names_is_the_one_that_was_typed() {
        assert_eq!(
            said("msgai plan --markdwon"),
            "error: `diff` has no flag `--markdwon`\nhint: did you mean `--markdown`?"
        );
        assert_eq!(
            said("msgai -v --nothing"),
            "error: `msgai` has no flag `--nothing`\nhint: `msgai help` lists the commands, `msgai help COMMAND` its flags"
        );
    }
}
