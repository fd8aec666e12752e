//! What the verbs take that talk to a chat.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::args::time;
use super::path;

#[derive(Debug, Args)]
pub struct Connect {
    /// Where to; the deployed stack's URL unless one is given
    pub url: Option<String>,
    /// Who to be: `userId` in the query string, or a token of the local cloud's issuer
    #[arg(long, visible_alias = "as")]
    pub user: Option<String>,
    /// In which group: `groupId` in the query string
    #[arg(long)]
    pub group: Option<String>,
    /// A token for the stack's authorizer: `token` in the query string
    #[arg(long, env = "MSGAI_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Do not connect again when the connection is cut
    #[arg(long)]
    pub no_reconnect: bool,
    /// Do not ping, and say nothing to keep an idle connection
    #[arg(long)]
    pub no_keep_alive: bool,
    /// Keep no line for another day, and offer none
    #[arg(long)]
    pub no_history: bool,
}

#[derive(Debug, Args)]
pub struct Send {
    /// What to say; `-` reads it from stdin
    pub text: String,
    /// Who says it: `userId` in the query string, or a token of the local cloud's issuer
    #[arg(
        long = "as",
        visible_alias = "user",
        value_name = "USER",
        required_unless_present = "token"
    )]
    pub user: Option<String>,
    /// To whom; again, or with commas, for several
    #[arg(
        long,
        value_name = "USER",
        value_delimiter = ',',
        required_unless_present = "group"
    )]
    pub to: Vec<String>,
    /// To everybody in this group, as one of it
    #[arg(long, conflicts_with = "to")]
    pub group: Option<String>,
    /// The message's id, by which sending it again is harmless; else one is made
    #[arg(long)]
    pub id: Option<String>,
    /// How long to wait for what the server says of it
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub timeout: Duration,
    /// Where to; the deployed stack's URL unless one is given
    #[arg(long)]
    pub url: Option<String>,
    /// A token for the stack's authorizer: `token` in the query string
    #[arg(long, env = "MSGAI_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

#[derive(Debug, Args)]
pub struct Smoke {
    /// Where to; the deployed stack's URL unless one is given
    pub url: Option<String>,
    /// Hold this conversation instead
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub script: Option<PathBuf>,
    /// Talk in this group, and not to one another
    #[arg(long, conflicts_with = "script")]
    pub group: Option<String>,
    /// The first client's token, where the stack asks for one
    #[arg(
        long,
        env = "MSGAI_TOKEN",
        hide_env_values = true,
        conflicts_with = "script"
    )]
    pub token: Option<String>,
    /// The second client's token, of another user
    #[arg(
        long,
        env = "MSGAI_OTHER_TOKEN",
        hide_env_values = true,
        requires = "token"
    )]
    pub other_token: Option<String>,
}

#[derive(Debug, Args)]
pub struct Bench {
    /// Where to; the deployed stack's URL unless one is given
    pub url: Option<String>,
    /// How many clients connect
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=20_000))]
    pub clients: u32,
    /// How many messages they send, all together
    #[arg(short, long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub messages: u32,
    /// Messages a second, all together, whether or not the ones before have arrived
    #[arg(short, long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub rate: u32,
    /// Messages before that, which are not counted; else one for each client
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub warm_up: Option<u32>,
    /// Talk in groups of so many, where everybody hears everybody; else each to the next
    #[arg(long, value_name = "SIZE", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub groups: Option<u32>,
    /// Characters of each message
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub length: u32,
    /// Handshakes that begin in a second; AWS lets 500 in, of a whole account
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connect_rate: u32,
    /// How long to wait at the end for what has not arrived
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub patience: Duration,
    /// Tokens, one a line, each of another user, where the stack asks for them
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub tokens: Option<PathBuf>,
}
