//! Posting to every socket by `@connections`, over connections that stay open, so many at once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use futures_util::future::{join, join_all};
use futures_util::{SinkExt as _, StreamExt as _, stream};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use crate::open::{Socket, heard, open};
use crate::{Crowd, PATIENCE, Step, on_this_machine, per_second};

/// No peer looks at more of a signature than its scope.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/execute-api/aws4_request, \
                      SignedHeaders=host, Signature=0";

#[derive(clap::Args)]
pub(crate) struct Plan {
    /// What `/@connections/{id}` follows, such as `http://127.0.0.1:4747/production`.
    #[arg(long, value_parser = on_this_machine)]
    callback: String,
    /// Posts to each socket.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// HTTP connections to post over.
    #[arg(long, default_value_t = 32)]
    posters: usize,
    #[arg(
        long,
        default_value = "{\"type\":\"message\",\"data\":{\"content\":\"hi, all of you\"}}"
    )]
    text: String,
}

pub(crate) async fn run(crowd: &Crowd, plan: &Plan, step: &Step) -> Result<(Value, u64), String> {
    let opened = open(crowd).await;
    let told = opened.told();
    let mut sockets = opened.sockets;
    let until = Instant::now() + PATIENCE;
    let paths = names(&mut sockets, plan, crowd.at_once, until).await?;
    step.wait(&told).await?;
    let begun = Instant::now();
    let until = begun + PATIENCE;
    let (posted, heard) = join(
        send(plan, &paths, until),
        join_all(sockets.iter_mut().map(|s| hear(s, plan, until))),
    )
    .await;
    let took = begun.elapsed();
    let refused = posted?;
    let posts = u64::from(plan.rounds) * sockets.len() as u64;
    let lost = posts - heard.iter().sum::<u64>();
    let count = u32::try_from(posts - lost).unwrap_or(u32::MAX);
    let found = json!({
        "open": told,
        "posts": posts,
        "refused": refused,
        "lost": lost,
        "seconds": took.as_secs_f64(),
        "per_second": per_second(count, took),
    });
    Ok((found, lost))
}

/// The path to post to, of each socket; each asks for its own id.
async fn names(
    sockets: &mut [Socket],
    plan: &Plan,
    at_once: usize,
    until: Instant,
) -> Result<Vec<String>, String> {
    let (_, path) = split(&plan.callback);
    let asked = sockets.iter_mut().map(|socket| async move {
        let question = Message::text(json!({ "action": "who" }).to_string());
        socket.send(question).await.map_err(|e| e.to_string())?;
        let id = heard(socket, until)
            .await
            .ok_or("a socket was not told its id")?;
        if id.contains('{') {
            return Err(format!("a socket that asked for its id heard {id}"));
        }
        Ok(format!("{path}/@connections/{}", id.replace('=', "%3D")))
    });
    let answers: Vec<Result<String, String>> = stream::iter(asked)
        .buffer_unordered(at_once.max(1))
        .collect()
        .await;
    answers.into_iter().collect()
}

/// `127.0.0.1:80` and the path of a URL.
fn split(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let at = rest.find('/').unwrap_or(rest.len());
    (&rest[..at], rest[at..].trim_end_matches('/'))
}

/// Posts to all; how many posts were answered with anything but success.
async fn send(plan: &Plan, paths: &[String], until: Instant) -> Result<u64, String> {
    let (host, _) = split(&plan.callback);
    let all = paths.len() * plan.rounds as usize;
    let (next, refused) = (AtomicUsize::new(0), AtomicU64::new(0));
    let mut wires = JoinSet::new();
    let mut posters = Vec::new();
    for _ in 0..plan.posters.max(1) {
        let stream = TcpStream::connect(host).await.map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let (sender, wire) = handshake(TokioIo::new(stream))
            .await
            .map_err(|e| e.to_string())?;
        wires.spawn(wire);
        posters.push(sender);
    }
    let work = join_all(posters.into_iter().map(|mut sender| {
        let (next, refused) = (&next, &refused);
        async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= all {
                    return;
                }
                let path = &paths[number % paths.len()];
                let done = post(&mut sender, host, path, &plan.text);
                let answered = timeout_at(until, done).await.ok().flatten();
                if !answered.is_some_and(|status| status.is_success()) {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }));
    work.await;
    Ok(refused.into_inner())
}

async fn post(
    sender: &mut SendRequest<Body>,
    host: &str,
    path: &str,
    text: &str,
) -> Option<StatusCode> {
    let request = Request::post(path)
        .header("host", host)
        .header("authorization", SIGNED)
        .header("x-amz-date", "20260101T000000Z")
        .body(Body::from(text.to_owned()))
        .ok()?;
    sender.ready().await.ok()?;
    let answer = sender.send_request(request).await.ok()?;
    let status = answer.status();
    to_bytes(Body::new(answer.into_body()), 65_536).await.ok()?;
    Some(status)
}

/// How many of the posts to it a socket hears.
async fn hear(socket: &mut Socket, plan: &Plan, until: Instant) -> u64 {
    let mut count = 0;
    while count < u64::from(plan.rounds) {
        match heard(socket, until).await {
            Some(text) if text == plan.text => count += 1,
            Some(_) => {}
            None => break,
        }
    }
    count
}
