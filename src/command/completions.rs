//! `completions`: what a shell needs to complete msgai's command line.

use std::process::ExitCode;

use clap::{Command, CommandFactory as _};

use super::Context;
use crate::cli::{Cli, Completions};

pub(crate) fn run(context: &Context, args: &Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut shown(&Cli::command()),
        "msgai",
        &mut script,
    );
    context.print(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}

/// The command without what is hidden, which `clap_complete` would offer.
fn shown(command: &Command) -> Command {
    let arguments = command.get_arguments();
    let commands = command.get_subcommands();
    Command::new(lasting(command.get_name()))
        .about(command.get_about().cloned().unwrap_or_default())
        .version(command.get_version().map(lasting))
        .visible_aliases(command.get_visible_aliases().map(lasting))
        .args(arguments.filter(|one| !one.is_hide_set()).cloned())
        .subcommands(commands.filter(|one| !one.is_hide_set()).map(shown))
}

/// clap keeps names for as long as the process lasts, which is not long here.
fn lasting(name: &str) -> &'static str {
    name.to_owned().leak()
}
