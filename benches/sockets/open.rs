//! Opening many sockets, at a bounded rate and so many at once, and holding them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::{Crowd, per_second};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Sockets that are not under way by then are not opened.
const OPENING: Duration = Duration::from_secs(45);
const HANDSHAKE: Duration = Duration::from_secs(30);

pub(crate) struct Opened {
    pub(crate) sockets: Vec<Socket>,
    failed: u32,
    why: Option<String>,
    took: Duration,
}

pub(crate) async fn open(crowd: &Crowd) -> Opened {
    let begun = Instant::now();
    let mut answers = stream::iter(0..crowd.sockets)
        .map(|number| async move {
            let due = f64::from(number) / f64::from(crowd.rate.max(1));
            sleep_until(begun + Duration::from_secs_f64(due)).await;
            if begun.elapsed() > OPENING {
                return Err("the time to open them was over".to_owned());
            }
            connect(&crowd.url).await
        })
        .buffer_unordered(crowd.at_once.max(1));
    let mut opened = Opened {
        sockets: Vec::new(),
        failed: 0,
        why: None,
        took: Duration::ZERO,
    };
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(socket) => {
                opened.sockets.push(socket);
                opened.took = begun.elapsed();
            }
            Err(why) => {
                opened.failed += 1;
                opened.why.get_or_insert(why);
            }
        }
    }
    opened
}

async fn connect(url: &str) -> Result<Socket, String> {
    // Ten thousand of the library's own buffers would be 1.3 GB.
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let connecting = connect_async_with_config(url, Some(config), true);
    match timeout(HANDSHAKE, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err("no answer to the handshake".to_owned()),
    }
}

/// The text of the next message, if there is one in time.
pub(crate) async fn heard(socket: &mut Socket, until: Instant) -> Option<String> {
    loop {
        match tokio::time::timeout_at(until, socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => return Some(text.to_string()),
            // What the library answers by itself.
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            _ => return None,
        }
    }
}

impl Opened {
    pub(crate) fn told(&self) -> Value {
        let count = u32::try_from(self.sockets.len()).unwrap_or(u32::MAX);
        json!({
            "opened": count,
            "failed": self.failed,
            "why": self.why,
            "seconds": self.took.as_secs_f64(),
            "per_second": per_second(count, self.took),
        })
    }

    pub(crate) fn hold(self) -> Held {
        let ended = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for mut socket in self.sockets {
            let ended = Arc::clone(&ended);
            tasks.spawn(async move {
                while let Some(Ok(_)) = socket.next().await {}
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }
        Held {
            ended,
            _tasks: tasks,
        }
    }
}

/// Sockets that are read until this is dropped.
pub(crate) struct Held {
    ended: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Held {
    /// How many the server has ended.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }
}
