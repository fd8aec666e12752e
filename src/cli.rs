//! The command line: clap structs only. Their doc comments are the manual.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// One file, one command, one WebSocket chat on AWS.
///
/// msgai reads stack.yaml, compares it with what runs in the account, shows the difference and makes it so.
/// It keeps no state file: the account is the state.
#[derive(Debug, Parser)]
#[command(
    name = "msgai",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Examples:\n  msgai dev                    the whole stack on this machine, without AWS\n  msgai diff                   what a deploy would change\n  msgai deploy --yes           in a pipeline\n  msgai deploy -e dev          with the file's `dev` environment\n\nExit codes: 0 done, 1 failed, 2 there are changes (diff --detailed-exitcode), 3 applied in part,\n4 refused, 64 usage, 130 stopped by a signal."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command. Each also comes from an environment variable; a flag wins.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The stack file; else stack.yaml here or in a parent, up to the repository's root
    #[arg(short, long, global = true, env = "MSGAI_FILE", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The environment of the stack file to merge over the rest
    #[arg(
        short = 'e',
        long = "env",
        global = true,
        env = "MSGAI_ENV",
        value_name = "NAME"
    )]
    pub environment: Option<String>,
    /// The AWS profile
    #[arg(long, global = true, env = "AWS_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,
    /// The AWS Region; there is no default
    #[arg(long, global = true, env = "AWS_REGION", value_name = "REGION")]
    pub region: Option<String>,
    /// Another endpoint for every AWS call, such as an emulator's
    #[arg(long, global = true, env = "AWS_ENDPOINT_URL", value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// The local cloud instead of AWS: the one that `dev` runs, or the same state without it
    #[arg(long, global = true, env = "MSGAI_LOCAL", value_parser = clap::builder::FalseyValueParser::new())]
    pub local: bool,
    /// JSON on stdout: one document for a question, one object a line while working
    #[arg(long, global = true, env = "MSGAI_JSON", value_parser = clap::builder::FalseyValueParser::new())]
    pub json: bool,
    /// No progress, only results and errors
    #[arg(short, long, global = true, env = "MSGAI_QUIET", value_parser = clap::builder::FalseyValueParser::new())]
    pub quiet: bool,
    /// More detail: notes and timings
    #[arg(short, long, global = true, env = "MSGAI_VERBOSE", value_parser = clap::builder::FalseyValueParser::new())]
    pub verbose: bool,
    /// When to use colour
    #[arg(
        long,
        global = true,
        env = "MSGAI_COLOR",
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub color: When,
    /// Answer every question with yes
    #[arg(short, long, global = true, env = "MSGAI_YES", value_parser = clap::builder::FalseyValueParser::new())]
    pub yes: bool,
    #[arg(long, hide = true, global = true, env = "NO_COLOR", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub no_color: Option<String>,
    #[arg(long, hide = true, global = true, env = "TERM")]
    pub term: Option<String>,
    #[arg(long, hide = true, global = true, env = "CI")]
    pub ci: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented stack.yaml
    Init(Init),
    /// Check the stack file: every problem, with line and column; no network
    Validate(Validate),
    /// Show what a deploy would change; writes nothing
    #[command(visible_alias = "plan")]
    Diff(Diff),
    /// Show the changes, ask, and make them
    #[command(visible_alias = "apply")]
    Deploy(Deploy),
    /// Every resource: as declared, drifted or missing; and the URL
    Status(Status),
    /// Show what goes and what stays, ask for the stack's name, and delete
    #[command(visible_alias = "delete")]
    Destroy(Destroy),
    /// The URL and the ids of what runs
    Outputs(Outputs),
    /// The whole stack on this machine: local cloud, deploy, watch
    Dev(Dev),
    /// Talk to a WebSocket URL, the stack's own unless one is given
    Connect(Connect),
    /// The JSON Schema of stack.yaml
    Schema,
    /// What this msgai is and carries
    Version,
}

#[derive(Debug, Args)]
pub struct Init {
    /// Where to write it
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Messages to people, or to groups
    #[arg(long, value_enum, default_value = "direct")]
    pub template: TemplateKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TemplateKind {
    Direct,
    Group,
}

#[derive(Debug, Args)]
pub struct Validate {
    /// Also ask AWS: identity, account, Region, and the tables that the file says exist
    #[arg(long)]
    pub online: bool,
}

/// Where the code of functions comes from.
#[derive(Debug, Clone, Default, Args)]
pub struct Code {
    /// A zip of the shipped handlers, instead of the one inside msgai or the one it builds from its checkout
    #[arg(long, env = "MSGAI_HANDLERS_ZIP", value_name = "ZIP")]
    pub handlers_zip: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Diff {
    /// Exit with 2 when there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// One table, for a pull-request comment
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    #[command(flatten)]
    pub code: Code,
}

#[derive(Debug, Args)]
pub struct Deploy {
    /// Accept that open connections are closed
    #[arg(long)]
    pub drop_connections: bool,
    #[command(flatten)]
    pub code: Code,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Show it again every two seconds
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, Args)]
pub struct Destroy {
    /// Tables go too, with all their items
    #[arg(long)]
    pub delete_data: bool,
    /// Log groups stay
    #[arg(long)]
    pub keep_logs: bool,
}

#[derive(Debug, Args)]
pub struct Outputs {
    /// Write KEY=value lines into this file, in place, without touching the others
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Dev {
    /// The loopback port
    #[arg(long, env = "MSGAI_PORT", default_value_t = crate::command::dev::PORT)]
    pub port: u16,
    /// Forget what the local cloud kept
    #[arg(long)]
    pub fresh: bool,
    /// At once, or as slow and as grudging as AWS
    #[arg(long, value_enum, default_value = "instant")]
    pub realism: RealismKind,
    /// Play this conversation with real clients, then end
    #[arg(long, value_name = "FILE")]
    pub play: Option<PathBuf>,
    #[command(flatten)]
    pub code: Code,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RealismKind {
    Instant,
    Aws,
}

#[derive(Debug, Args)]
pub struct Connect {
    /// The URL; else the deployed stack's
    pub url: Option<String>,
    /// Who to be: `userId` in the query string
    #[arg(long)]
    pub user: Option<String>,
    /// In which group: `groupId` in the query string
    #[arg(long)]
    pub group: Option<String>,
    /// A token for the stack's authorizer: `token` in the query string
    #[arg(long, env = "MSGAI_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}
