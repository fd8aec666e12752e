//! Messages to a handler and back: each carries a number, and the answer must carry it too.

use std::time::Duration;

use futures_util::SinkExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::open::{Socket, heard, open};
use crate::{Crowd, PATIENCE, Step, micros, per_second, percentiles};

/// What is said before anything is measured, so that every handler is warm.
const WARM_UP: u32 = 5;

#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Messages over each socket.
    #[arg(long, default_value_t = 100)]
    messages: u32,
    /// After so long nothing more is said; answers are still waited for.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Messages of one socket that wait for their answer, at most.
    #[arg(long, default_value_t = 1)]
    window: u32,
}

/// What one socket heard, or all together.
#[derive(Default)]
struct Tally {
    said: u64,
    /// Microseconds from saying to hearing.
    took: Vec<u32>,
    /// Frames that answer nothing that was said, such as an error.
    strange: u64,
    stranger: Option<String>,
}

pub(crate) async fn run(crowd: &Crowd, plan: &Plan, step: &Step) -> Result<(Value, u64), String> {
    let opened = open(crowd).await;
    let told = opened.told();
    let mut sockets = opened.sockets;
    let warm_up = Plan {
        messages: WARM_UP,
        ..*plan
    };
    round(&mut sockets, &warm_up).await;
    step.wait(&told).await?;
    let begun = Instant::now();
    let mut all = round(&mut sockets, plan).await;
    let took = begun.elapsed();
    all.took.sort_unstable();
    let lost = all.said - all.took.len() as u64;
    let count = u32::try_from(all.took.len()).unwrap_or(u32::MAX);
    let found = json!({
        "open": told,
        "messages": all.said,
        "lost": lost,
        "strange": all.strange,
        "stranger": all.stranger,
        "seconds": took.as_secs_f64(),
        "per_second": per_second(count, took),
        "ms": percentiles(&all.took),
    });
    Ok((found, lost + all.strange))
}

async fn round(sockets: &mut [Socket], plan: &Plan) -> Tally {
    let begun = Instant::now();
    let talks = sockets
        .iter_mut()
        .map(|socket| converse(socket, plan, begun));
    let mut all = Tally::default();
    for one in join_all(talks).await {
        all.said += one.said;
        all.took.extend(one.took);
        all.strange += one.strange;
        all.stranger = all.stranger.or(one.stranger);
    }
    all
}

/// Says and hears until every answer is there, the socket ends, or the time is over.
async fn converse(socket: &mut Socket, plan: &Plan, begun: Instant) -> Tally {
    let (quiet, until) = (begun + Duration::from_secs(plan.seconds), begun + PATIENCE);
    let mut tally = Tally::default();
    let mut said: Vec<Option<Instant>> = Vec::new();
    let mut waiting = 0;
    loop {
        while waiting < plan.window.max(1)
            && said.len() < plan.messages as usize
            && Instant::now() < quiet
        {
            let text = json!({ "action": "echo", "id": said.len() }).to_string();
            said.push(Some(Instant::now()));
            tally.said += 1;
            waiting += 1;
            if socket.send(Message::text(text)).await.is_err() {
                return tally;
            }
        }
        if waiting == 0 {
            return tally;
        }
        let Some(text) = heard(socket, until).await else {
            return tally;
        };
        if let Some(at) = number(&text).and_then(|id| said.get_mut(id)?.take()) {
            tally.took.push(micros(at.elapsed()));
            waiting -= 1;
        } else {
            tally.strange += 1;
            tally.stranger.get_or_insert(text);
        }
    }
}

fn number(text: &str) -> Option<usize> {
    let value: Value = serde_json::from_str(text).ok()?;
    usize::try_from(value["id"].as_u64()?).ok()
}
