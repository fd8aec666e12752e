//! Loads one WebSocket API on this machine and counts: sockets opened and held, messages there and back, posts to many.
//!
//! In: the URL of a stage whose route `echo` answers with the message and whose route `who` answers with the
//! connection's id. Out: one JSON object. Never: another machine, or load without an end.

mod open;
mod post;
mod talk;

use std::time::Duration;

use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// Whatever does not happen within this time does not happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// Measures a WebSocket API on this machine; `benches/peers` runs it against several.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Print the opening as a line of its own, and wait for a line on stdin before what follows.
    #[arg(long, global = true)]
    step: bool,
    /// `cargo bench` gives it to every bench.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum What {
    /// Open sockets and hold them.
    Hold {
        #[command(flatten)]
        crowd: Crowd,
    },
    /// Send messages over each socket and wait for the answer to each.
    Talk {
        #[command(flatten)]
        crowd: Crowd,
        #[command(flatten)]
        talk: talk::Plan,
    },
    /// Post to every socket by `@connections`.
    Post {
        #[command(flatten)]
        crowd: Crowd,
        #[command(flatten)]
        post: post::Plan,
    },
}

/// The sockets to open.
#[derive(clap::Args)]
struct Crowd {
    /// Such as `ws://127.0.0.1:4747/production`.
    #[arg(value_parser = on_this_machine)]
    url: String,
    #[arg(long, default_value_t = 100)]
    sockets: u32,
    /// Sockets opened in a second, at most.
    #[arg(long, default_value_t = 500)]
    rate: u32,
    /// Handshakes under way at once, at most.
    #[arg(long, default_value_t = 8)]
    at_once: usize,
}

/// Load is for this machine alone.
fn on_this_machine(url: &str) -> Result<String, String> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    if host == "127.0.0.1" {
        Ok(url.to_owned())
    } else {
        Err(format!("host {host:?} is not 127.0.0.1"))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let args = Args::parse();
    let Some(what) = args.what else {
        say("nothing to measure without a server: see benches/peers");
        return Ok(());
    };
    let step = Step(args.step);
    let (found, lost) = match what {
        What::Hold { crowd } => hold(&crowd, &step).await?,
        What::Talk { crowd, talk } => talk::run(&crowd, &talk, &step).await?,
        What::Post { crowd, post } => post::run(&crowd, &post, &step).await?,
    };
    say(&found.to_string());
    if lost == 0 {
        Ok(())
    } else {
        Err(format!("{lost} frames or sockets were lost"))
    }
}

async fn hold(crowd: &Crowd, step: &Step) -> Result<(Value, u64), String> {
    let opened = open::open(crowd).await;
    let told = opened.told();
    let held = opened.hold();
    step.wait(&told).await?;
    let lost = held.ended();
    Ok((json!({ "open": told, "lost": lost }), lost))
}

/// A pause between two parts, in which whoever runs this may look at the server.
struct Step(bool);

impl Step {
    async fn wait(&self, told: &Value) -> Result<(), String> {
        if !self.0 {
            return Ok(());
        }
        say(&told.to_string());
        let mut line = String::new();
        let mut words = BufReader::new(tokio::io::stdin());
        let read = tokio::time::timeout(PATIENCE, words.read_line(&mut line)).await;
        match read {
            Ok(Ok(1..)) => Ok(()),
            _ => Err("nobody said to go on".to_owned()),
        }
    }
}

#[expect(clippy::print_stdout, reason = "a bench prints what it measured")]
fn say(text: &str) {
    println!("{text}");
}

/// Of sorted microseconds: the middle, and what all but 5 and all but 1 of a hundred stay below; in milliseconds.
fn percentiles(sorted: &[u32]) -> Value {
    let at = |hundredth: usize| {
        let place = sorted.len() * hundredth / 100;
        let found = sorted.get(place.min(sorted.len().saturating_sub(1)));
        found.map(|micros| f64::from(*micros) / 1000.0)
    };
    json!({ "p50": at(50), "p95": at(95), "p99": at(99) })
}

fn micros(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(u32::MAX)
}

fn per_second(count: u32, took: Duration) -> f64 {
    f64::from(count) / took.as_secs_f64().max(1e-9)
}
