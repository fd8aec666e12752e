//! Parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use msgai::cli::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return msgai::command::usage(&error),
    };
    msgai::command::run(cli)
}
