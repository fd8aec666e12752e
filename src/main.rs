//! Parse, run, exit code.

use std::process::ExitCode;

use msgai::cli::Cli;

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return msgai::command::usage(&error),
    };
    msgai::command::run(cli)
}
