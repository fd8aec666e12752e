//! What the commands take that are for shells and packagers.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell that is to complete
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// The folder to write them in; made when it is not there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}
