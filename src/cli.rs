//! The command line: clap structs only. Their doc comments are the manual.

mod args;
mod cost;
mod init;
mod shell;
pub mod talk;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{FalseyValueParser, OsStringValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use args::*;
pub use cost::Cost;
pub use init::*;
pub use shell::*;

/// Where `dev` listens unless told otherwise.
pub const PORT: u16 = 4747;

/// How many releases are kept unless told otherwise.
pub const KEEP: u16 = 5;

/// One file, one command, one WebSocket chat on AWS.
///
/// msgai reads stack.yaml, compares it with what runs in the account, shows the difference and makes it so.
/// It keeps no state file: the account is the state.
#[derive(Debug, Parser)]
#[command(name = "msgai", version, max_term_width = 100, after_help = AFTER)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
Examples:
  msgai init chat              a commented stack.yaml to begin with
  msgai dev                    the whole stack on this machine, without AWS
  msgai diff                   what a deploy would change
  msgai deploy                 make it so, after a question
  msgai deploy -e dev --yes    the file's `dev` environment, in a pipeline

Exit codes:
  0  done, or nothing to do     3  applied in part
  1  failed                     4  refused
  2  there are changes          64  the command line is wrong
     (diff --detailed-exitcode) 130  stopped by a signal";

impl Cli {
    /// Reads a command line, its program's name first.
    ///
    /// # Errors
    /// What clap does not take, or a question that it answers itself, such as `--help`.
    pub fn read<I, T>(words: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let matches = Self::command().try_get_matches_from(words)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        let deepest = matches.subcommand().map_or(&matches, |(_, inner)| inner);
        let source = deepest.value_source("profile");
        cli.global.profile_is_flag = source == Some(ValueSource::CommandLine);
        Ok(cli)
    }
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
    #[arg(short, long, global = true, env = "MSGAI_FILE", value_name = "FILE", value_parser = path())]
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
    /// The AWS profile whose credentials and Region are used
    #[arg(long, global = true, env = "AWS_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,
    /// Said as a flag, so it goes before credentials in the environment.
    #[arg(skip)]
    pub profile_is_flag: bool,
    /// The AWS Region; there is no default
    #[arg(long, global = true, env = "AWS_REGION", value_name = "REGION", value_parser = region)]
    pub region: Option<String>,
    /// Another endpoint for every AWS call, such as an emulator's
    #[arg(long, global = true, env = "AWS_ENDPOINT_URL", value_name = "URL", value_parser = endpoint)]
    pub endpoint_url: Option<String>,
    /// The local cloud instead of AWS: the one that `dev` runs, or the same state without it
    #[arg(long, global = true, env = "MSGAI_LOCAL", value_parser = FalseyValueParser::new())]
    pub local: bool,
    /// JSON on stdout: one document for a question, one object a line while working
    #[arg(long, global = true, env = "MSGAI_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
    /// No progress, only results and errors
    #[arg(short, long, global = true, env = "MSGAI_QUIET", value_parser = FalseyValueParser::new())]
    pub quiet: bool,
    /// More detail: notes and timings
    #[arg(short, long, global = true, env = "MSGAI_VERBOSE", value_parser = FalseyValueParser::new())]
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
    #[arg(short, long, global = true, env = "MSGAI_YES", value_parser = FalseyValueParser::new())]
    pub yes: bool,
    #[arg(long, hide = true, global = true, env = "NO_COLOR", hide_env = true)]
    pub no_color: Option<String>,
    #[arg(long, hide = true, global = true, env = "TERM", hide_env = true)]
    pub term: Option<String>,
    #[arg(long, hide = true, global = true, env = "CI", hide_env = true)]
    pub ci: Option<String>,
    #[arg(long, hide = true, global = true, env = "COLUMNS", hide_env = true)]
    pub columns: Option<String>,
}

impl Global {
    /// A variable that is set to nothing is not set.
    #[must_use]
    pub fn settled(mut self) -> Self {
        let texts = [
            &mut self.environment,
            &mut self.profile,
            &mut self.region,
            &mut self.endpoint_url,
            &mut self.no_color,
            &mut self.ci,
        ];
        for text in texts {
            text.take_if(|text| text.is_empty());
        }
        self.file.take_if(|file| file.as_os_str().is_empty());
        self
    }
}

/// A path; an empty one is none, as [`Global::settled`] says.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// What may stand in a host's name, as a Region does in every endpoint's.
fn region(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if text.chars().all(fits) && !text.starts_with('-') {
        Ok(text.to_owned())
    } else {
        Err("a Region is like `us-east-1`".to_owned())
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    if text.is_empty() || host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) {
        Ok(text.to_owned())
    } else {
        Err("an endpoint is like `http://127.0.0.1:4566`".to_owned())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    // An empty variable is as good as none.
    #[value(alias = "")]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented stack.yaml: to begin with, or from what runs
    ///
    /// With `--from-api` or `--from-stack` nothing in the account is changed: what runs is read, and the code of its
    /// functions is put beside the file. `msgai diff` then shows what taking it over changes; `msgai deploy` asks before.
    #[command(after_help = "\
Examples:
  msgai init                         here
  msgai init ward --template group   in the new folder `ward`
  msgai init chat --from-api k3v9x1  what was made by hand or by a script
  msgai init --from-stack my-chat    what CloudFormation made")]
    Init(Init),
    /// Check the stack file: every problem, with line and column
    ///
    /// No network is needed, unless `--online` asks AWS, too.
    #[command(after_help = "\
Examples:
  msgai validate
  msgai validate -e dev --online
  msgai validate --json | jq '.problems[].line'")]
    Validate(Validate),
    /// Show what a deploy would change
    ///
    /// Nothing is written. What is shown is the very value that a deploy applies.
    #[command(
        visible_alias = "plan",
        after_help = "\
Examples:
  msgai diff
  msgai diff --detailed-exitcode     0 no changes, 1 failed, 2 changes
  msgai diff --markdown              for a pull request
  msgai diff --json | jq .counts"
    )]
    Diff(Diff),
    /// Show the changes, ask, and make them
    ///
    /// A deploy that failed or was stopped is finished by the next one.
    /// With `--local` only this machine is concerned, and nothing is asked.
    #[command(
        visible_alias = "apply",
        after_help = "\
Examples:
  msgai deploy
  msgai deploy -e dev
  msgai deploy --smoke               try it, and switch back when it fails
  msgai deploy --yes --json          in a pipeline"
    )]
    Deploy(Deploy),
    /// Show every resource: live, drifted or missing; and the URL
    #[command(after_help = "\
Examples:
  msgai status
  msgai status --local --watch
  msgai status --json | jq '.resources[] | select(.standing != \"live\")'")]
    Status(Status),
    /// Show what goes and what stays, ask for the stack's name, and delete
    ///
    /// Tables stay, with all their items, unless `--delete-data` is said.
    /// With `--local` only this machine is concerned, and nothing is asked, but for the items of tables.
    #[command(
        visible_alias = "delete",
        after_help = "\
Examples:
  msgai destroy
  msgai destroy -e dev --delete-data --yes"
    )]
    Destroy(Destroy),
    /// Go back to the release before, in seconds
    ///
    /// Functions and routes serve again what they served then; nothing is built or uploaded.
    /// Data and settings stay as they are, and the next deploy makes the file's state again.
    #[command(after_help = "\
Examples:
  msgai rollback
  msgai rollback --to 5
  msgai history                      which releases there are")]
    Rollback(Rollback),
    /// Show who deployed what, when, and what came of it
    #[command(
        visible_alias = "events",
        after_help = "\
Examples:
  msgai history
  msgai history 7                    release 7, change by change
  msgai history --json | jq -c 'select(.outcome != \"done\")'"
    )]
    History(History),
    /// Break the lock of a run that is dead
    ///
    /// A lock runs out by itself 30 seconds after its holder died, and the next run takes it over.
    #[command(after_help = "\
Examples:
  msgai unlock
  msgai unlock -e dev --yes")]
    Unlock,
    /// Show the URL and the ids, or write them into a file
    #[command(after_help = "\
Examples:
  msgai outputs
  msgai outputs url                  one value, for a script
  msgai outputs --json | jq -r .tables.connections
  msgai outputs --env-file .env.local")]
    Outputs(Outputs),
    /// Run the whole stack on this machine: local cloud, deploy, watch
    ///
    /// What is stored stays in .msgai/local beside the stack file. Other commands find it with `--local`.
    #[command(after_help = "\
Examples:
  msgai dev
  msgai connect --local --user alice      in another terminal
  msgai dev --tail -v                     every event, and what functions log
  msgai dev --realism aws --fresh         as slow and as strict as AWS
  msgai dev --play conversation.txt       play a conversation, then end")]
    Dev(Dev),
    /// Talk to the stack, or to any WebSocket URL
    #[command(after_help = "\
Examples:
  msgai connect --local --user alice
  msgai connect --user alice --group ward-3
  msgai connect wss://abc.execute-api.us-east-1.amazonaws.com/production
  echo '{\"action\":\"ping\"}' | msgai connect --local --user alice")]
    Connect(talk::Connect),
    /// Send one message and wait for what the server says of it
    ///
    /// It ends with 0 when the message is stored or delivered, with 1 when it is refused or nothing is heard of it.
    #[command(after_help = "\
Examples:
  msgai send --local --as alice --to bob 'on my way'
  msgai send --as alice --to bob,eve hello
  msgai send --as alice --group ward-3 hello
  date | msgai send --as cron --to alice -
  msgai send --as alice --to bob --id order-17 hello     again without harm")]
    Send(talk::Send),
    /// Try the deployed stack with two real clients: pass or fail, with timings
    ///
    /// They connect, one says something to the other, and when the other is gone nobody is said to have heard.
    /// `deploy --smoke` does it after a deploy, and goes back when it fails.
    #[command(after_help = "\
Examples:
  msgai smoke
  msgai smoke --local
  msgai smoke wss://abc.execute-api.us-east-1.amazonaws.com/production
  msgai smoke --script conversation.txt
  msgai smoke --json | jq '.steps[] | {step, ms}'")]
    Smoke(talk::Smoke),
    /// Measure the deployed stack with many clients: latency, losses, repeats
    ///
    /// Every message has its time beforehand, and a late one counts from when it was due.
    /// On AWS it is billed as any use; what it will take is said before, and a large run is asked about.
    #[command(after_help = "\
Examples:
  msgai bench --local
  msgai bench --clients 100 --messages 5000 --rate 200
  msgai bench --clients 50 --groups 25 --rate 20
  msgai bench --json | jq .latency_ms
  msgai bench wss://abc.execute-api.us-east-1.amazonaws.com/production --yes")]
    Bench(talk::Bench),
    /// Print a token of the local cloud's own issuer
    #[command(after_help = "\
Examples:
  msgai token --local --user alice
  msgai token --local --user alice --group ward-3 --lasts 90s
  MSGAI_TOKEN=$(msgai token --local --user alice) msgai connect --local")]
    Token(Token),
    /// Show what the functions wrote
    #[command(after_help = "\
Examples:
  msgai logs --follow
  msgai logs sendMessage --since 2h
  msgai logs --connection L0SM9cOFvHcCIhw=          one connection, through every function
  msgai logs --filter '{ $.outcome = \"storage\" }' --since 1d
  msgai logs --json | jq -c 'select(.message.outcome != \"delivered\")'")]
    Logs(Logs),
    /// Estimate what the stack costs a month, and which quota it meets first
    ///
    /// Arithmetic on prices and quotas of one Region, as the last lines say. No account is asked, unless
    /// `--measured` asks CloudWatch what was used.
    #[command(after_help = "\
Examples:
  msgai cost --users 5000
  msgai cost --users 5000 --messages-per-user-day 200 --recipients 8
  msgai cost --users 5000 --plot
  msgai cost --measured --since 7d
  msgai cost --users 100000 --json | jq .toPay")]
    Cost(Cost),
    /// Print the least IAM policy for who deploys, or of a function
    #[command(after_help = "\
Examples:
  msgai policy > deployer.json
  msgai policy --look > reviewer.json     for the job that only shows the diff
  msgai policy --function sendMessage
  msgai policy -e dev | aws iam put-user-policy --user-name ci --policy-name chat-dev \\
      --policy-document file:///dev/stdin")]
    Policy(Policy),
    /// Print the JSON Schema of stack.yaml
    #[command(after_help = "\
Examples:
  msgai schema > stack.schema.json")]
    Schema,
    /// Print completions for a shell
    #[command(after_help = "\
Examples:
  msgai completions bash > ~/.local/share/bash-completion/completions/msgai
  msgai completions zsh > ~/.zfunc/_msgai         with ~/.zfunc in fpath
  msgai completions fish > ~/.config/fish/completions/msgai.fish
  msgai completions powershell >> $PROFILE
  msgai completions elvish > ~/.config/elvish/lib/msgai.elv")]
    Completions(Completions),
    /// Write a manual page for each command
    #[command(
        hide = true,
        after_help = "\
Examples:
  msgai man ~/.local/share/man/man1
  msgai man man1                     as release archives carry them"
    )]
    Man(Man),
    /// Print what this msgai is, and the handlers inside
    #[command(after_help = "\
Examples:
  msgai version
  msgai version --json | jq '.handlers[].architecture'
  msgai -V                           the number alone")]
    Version,
}
