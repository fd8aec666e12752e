//! What `init` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct Init {
    /// The folder to write it in; made when it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// The stack's name; else the folder's, or that of what runs
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Messages to people, or to groups
    #[arg(long, value_enum, value_name = "KIND", default_value = "direct")]
    pub template: TemplateKind,
    #[command(flatten)]
    pub from: From,
}

/// What runs, to be written down.
#[derive(Debug, Args)]
#[command(next_help_heading = "From what runs")]
pub struct From {
    /// Write down the WebSocket API with this id or URL, and everything that belongs to it
    #[arg(long, value_name = "ID", conflicts_with = "template")]
    pub from_api: Option<String>,
    /// Write down the WebSocket API of this CloudFormation stack
    #[arg(long, value_name = "NAME", conflicts_with_all = ["from_api", "template"])]
    pub from_stack: Option<String>,
    /// The stage to write down, where the API has several
    #[arg(long, value_name = "NAME")]
    pub stage: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TemplateKind {
    Direct,
    Group,
}
