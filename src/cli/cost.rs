//! What `cost` takes.

use std::time::Duration;

use clap::Args;

use super::args::time;

#[derive(Debug, Args)]
pub struct Cost {
    /// People who use it on a day
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
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
    /// Months that messages have been kept
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub months: u16,
    /// How much busier the busiest minute is than the mean of a day
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub peak: u16,
    /// Draw the costs against the users, with the quotas that are met on the way
    #[arg(long)]
    pub plot: bool,
    /// From what CloudWatch counted for the stack that is deployed, instead
    #[arg(long, conflicts_with_all = ["users", "messages_per_user_day", "recipients", "hours", "months", "peak"])]
    pub measured: bool,
    /// How far back that goes, such as `12h` or `7d`; at most `14d`
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = time, requires = "measured")]
    pub since: Duration,
}
