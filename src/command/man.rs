//! `man`: the help as manual pages, one for each command.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use serde_json::json;

use super::Context;
use crate::cli::{Cli, Man};
use crate::error::Error;

pub(crate) fn run(context: &Context, args: &Man) -> Result<ExitCode, Error> {
    let dir = &args.dir;
    write(dir).map_err(|error| {
        Error::failed(format!("cannot write pages to {}: {error}", dir.display()))
    })?;
    if context.global.json {
        context.say_json(json!({ "type": "man", "version": 1, "folder": dir }));
    } else {
        context.say(&format!("wrote {}", dir.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn write(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(Cli::command(), dir)
}
