//! The command line: clap structs only. Their doc comments are the manual.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{FalseyValueParser, OsStringValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;

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
    /// Write a commented stack.yaml
    #[command(after_help = "\
Examples:
  msgai init                         here
  msgai init ward --template group   in the new folder `ward`")]
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
  msgai outputs --json | jq -r .url
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
    Connect(Connect),
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
    /// Arithmetic on prices and quotas of one Region, as the last line says; no account is asked.
    #[command(after_help = "\
Examples:
  msgai cost --users 5000
  msgai cost --users 5000 --messages-per-user-day 200 --recipients 8
  msgai cost --users 100000 --json | jq .dollars")]
    Cost(Cost),
    /// Print the least IAM policy for who deploys, or of a function
    #[command(after_help = "\
Examples:
  msgai policy > deployer.json
  msgai policy --function sendMessage
  msgai policy -e dev | aws iam put-user-policy --user-name ci --policy-name chat-dev \\
      --policy-document file:///dev/stdin")]
    Policy(Policy),
    /// Print the JSON Schema of stack.yaml
    #[command(after_help = "\
Examples:
  msgai schema > stack.schema.json")]
    Schema,
    /// Print the version, and where the handlers come from
    Version,
}

#[derive(Debug, Args)]
pub struct Init {
    /// The folder to write it in; made when it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Messages to people, or to groups
    #[arg(long, value_enum, value_name = "KIND", default_value = "direct")]
    pub template: TemplateKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TemplateKind {
    Direct,
    Group,
}

#[derive(Debug, Args)]
pub struct Validate {
    /// Also ask AWS: identity, account, Region, names, existing tables, permissions and limits
    #[arg(long)]
    pub online: bool,
    #[command(flatten)]
    pub adopt: Adopt,
}

/// What is there and becomes the stack's.
#[derive(Debug, Clone, Default, Args)]
pub struct Adopt {
    /// Take over an object that has no stack's mark, such as `table/Connections` or `api/ID`; may be repeated
    #[arg(long = "adopt", value_name = "TYPE/NAME")]
    pub named: Vec<String>,
}

/// Where the code of functions comes from.
#[derive(Debug, Clone, Default, Args)]
pub struct Code {
    /// A zip of the shipped handlers, instead of those inside msgai or built from its checkout
    #[arg(long, env = "MSGAI_HANDLERS_ZIP", value_name = "ZIP", value_parser = path())]
    handlers_zip: Option<PathBuf>,
}

impl Code {
    pub fn handlers_zip(&self) -> Option<PathBuf> {
        let named = self.handlers_zip.clone();
        named.filter(|zip| !zip.as_os_str().is_empty())
    }
}

/// How runs of one stack keep apart.
#[derive(Debug, Clone, Args)]
pub struct Locking {
    /// How long to wait for another run of this stack, such as `5m`; `0` refuses at once
    #[arg(long, env = "MSGAI_LOCK_WAIT", value_name = "TIME", default_value = "90s", value_parser = time)]
    pub lock_wait: Duration,
    /// Keep no lock and no history: for who may not use the table `msgai-ledger`
    #[arg(long, env = "MSGAI_NO_LOCK", value_parser = FalseyValueParser::new())]
    pub no_lock: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is like `90s` or `5m`".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let time: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(time).map_err(|_| wrong())
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
    pub adopt: Adopt,
    #[command(flatten)]
    pub code: Code,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
#[derive(Debug, Args)]
pub struct Deploy {
    /// Accept that open connections are closed
    #[arg(long)]
    pub drop_connections: bool,
    /// Do not ask beforehand what the caller may do, nor for limits
    #[arg(long)]
    pub no_preflight: bool,
    /// Accept that the API is made anew, under another URL
    #[arg(long)]
    pub new_url: bool,
    /// Begin an index that AWS builds for minutes, and leave it building
    #[arg(long)]
    pub no_wait: bool,
    /// Hold a conversation with the deployed stack, and switch back when it fails; without FILE, one message
    #[arg(long, value_name = "FILE", num_args = 0..=1, value_parser = path())]
    pub smoke: Option<Option<PathBuf>>,
    /// How many releases can be gone back to; what only older ones need is removed
    #[arg(long, env = "MSGAI_KEEP", value_name = "N", default_value_t = KEEP, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub keep: u16,
    #[command(flatten)]
    pub adopt: Adopt,
    #[command(flatten)]
    pub locking: Locking,
    #[command(flatten)]
    pub code: Code,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// The release to go back to; else the one before the one that is live
    #[arg(long, value_name = "N")]
    pub to: Option<u64>,
    #[command(flatten)]
    pub locking: Locking,
}

#[derive(Debug, Args)]
pub struct History {
    /// One release, change by change
    pub release: Option<u64>,
    /// How many runs, the newest first
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub number: usize,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Show it again every two seconds
    #[arg(long)]
    pub watch: bool,
    #[command(flatten)]
    pub adopt: Adopt,
}

#[derive(Debug, Args)]
pub struct Destroy {
    /// Delete the tables, too, with all their items
    #[arg(long)]
    pub delete_data: bool,
    /// Keep the log groups
    #[arg(long)]
    pub keep_logs: bool,
    /// Do not ask beforehand what the caller may do
    #[arg(long)]
    pub no_preflight: bool,
    #[command(flatten)]
    pub locking: Locking,
}

#[derive(Debug, Args)]
pub struct Logs {
    /// One function, by its name in the stack file; `api` is the access log
    #[arg(value_name = "FUNCTION")]
    pub function: Option<String>,
    /// Go on with what comes
    #[arg(long)]
    pub follow: bool,
    /// How far back, such as `10m` or `2h`
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub since: Duration,
    /// Only lines that name this connection
    #[arg(long, value_name = "ID")]
    pub connection: Option<String>,
    /// Only lines that match this filter pattern of CloudWatch Logs
    #[arg(long, value_name = "PATTERN", conflicts_with = "connection")]
    pub filter: Option<String>,
}

#[derive(Debug, Args)]
pub struct Cost {
    /// People who use it on a day
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub users: u32,
    /// Messages that each of them sends on a day
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub messages_per_user_day: u32,
    /// Connections that a message reaches
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub recipients: u32,
    /// Hours that each of them is connected on a day
    #[arg(long, value_name = "H", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=24))]
    pub hours: u8,
    /// Bytes of a message, as it goes out
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub message_bytes: u32,
    /// How much busier the busiest minute is than the mean of a day
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub peak: u16,
}

#[derive(Debug, Args)]
pub struct Policy {
    /// The one that this function's role gets, by its name in the stack file
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
}

#[derive(Debug, Args)]
pub struct Outputs {
    /// Write KEY=value lines into this file, in place, without touching the others
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
#[derive(Debug, Args)]
pub struct Dev {
    /// The loopback port; 0 takes any free one
    #[arg(long, env = "MSGAI_PORT", default_value_t = PORT)]
    pub port: u16,
    /// Forget what the local cloud kept
    #[arg(long)]
    pub fresh: bool,
    /// At once, or as slow and as strict as AWS
    #[arg(long, value_enum, value_name = "KIND", default_value = "instant")]
    pub realism: RealismKind,
    /// Name clients a `wss://` URL; its certificate is of an authority in .msgai/local/tls
    #[arg(long)]
    pub tls: bool,
    /// Of a hundred clients that leave, `$disconnect` never hears of so many, as may happen on AWS
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub lose_disconnects: u8,
    /// Let through what the functions' role may not do, and only tell of it
    #[arg(long)]
    pub no_iam: bool,
    /// Show every event on a line of its own; with `-v`, each call and log line, too
    #[arg(long)]
    pub tail: bool,
    /// Delay every call of AWS, and of functions by the gateway, by this much, such as `40ms`
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub latency: Option<Duration>,
    /// Play this conversation with real clients, then end
    #[arg(long, value_name = "FILE")]
    pub play: Option<PathBuf>,
    #[command(flatten)]
    pub locking: Locking,
    #[command(flatten)]
    pub code: Code,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RealismKind {
    Instant,
    Aws,
}

#[derive(Debug, Args)]
pub struct Token {
    /// Whom it names
    #[arg(long)]
    pub user: String,
    /// A group to be in, where the stack has a `groups_claim`; again for another
    #[arg(long)]
    pub group: Vec<String>,
    /// How long it is good for, such as `90s`; 8h unless said otherwise
    #[arg(long, value_name = "TIME")]
    pub lasts: Option<String>,
}

#[derive(Debug, Args)]
pub struct Connect {
    /// Where to; the deployed stack's URL unless one is given
    pub url: Option<String>,
    /// Who to be: `userId` in the query string, or a token of the local cloud's issuer
    #[arg(long)]
    pub user: Option<String>,
    /// In which group: `groupId` in the query string
    #[arg(long)]
    pub group: Option<String>,
    /// A token for the stack's authorizer: `token` in the query string
    #[arg(long, env = "MSGAI_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}
