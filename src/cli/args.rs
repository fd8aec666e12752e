//! What each verb takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use jiff::{Span, SpanRelativeTo};

use super::{KEEP, PORT, path};

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

/// A length of time; a day of it has 24 hours.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is like `90s`, `5m` or `1d`".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    // A month is no length of time, and refused.
    let time = span.to_duration(SpanRelativeTo::days_are_24_hours());
    Duration::try_from(time.map_err(|_| wrong())?).map_err(|_| wrong())
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
pub struct Policy {
    /// The one that this function's role gets, by its name in the stack file
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// The one to look with, which writes nothing: for `diff`, `status`, `outputs` and `history`
    #[arg(long, conflicts_with = "function")]
    pub look: bool,
}

/// One of the names that `outputs` lists.
fn output(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !text.is_empty() && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("a name is like `url` or `tables.connections`".to_owned())
    }
}

#[derive(Debug, Args)]
pub struct Outputs {
    /// One value alone, such as `url` or `tables.connections`
    #[arg(value_name = "NAME", conflicts_with = "env_file", value_parser = output)]
    pub name: Option<String>,
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
    /// How long it is good for, such as `90s`; 30 days at most
    #[arg(long, value_name = "TIME", default_value = "8h", value_parser = time)]
    pub lasts: Duration,
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_of_days() {
        let hours = |n| Ok(Duration::from_hours(n));
        assert_eq!(time("1d"), hours(24));
        assert_eq!(time("1d 2h"), hours(26));
        assert_eq!(time("90m"), Ok(Duration::from_mins(90)));
        assert_eq!(time("0"), Ok(Duration::ZERO));
        for wrong in ["", "5", "-5m", "1mo", "soon"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
