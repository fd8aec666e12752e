//! One open socket: frames in, frames out, and its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::{Connection, Ends, Farewell, messages};
use crate::local::{World, spawn};

const MESSAGE_LIMIT: usize = 128 * 1024;
const FRAME_LIMIT: usize = 32 * 1024;
const IDLE: Duration = Duration::from_mins(10);
const LIFETIME: Duration = Duration::from_hours(2);
/// So many messages of one client are dealt with at one time, half of what an account's functions may be. The rest are
/// not read yet, or a client that sends faster than it reads fills the memory.
pub(super) const ROOMS: usize = 500;
/// How long a client may take to notice that the gateway has closed.
const LINGER: Duration = Duration::from_secs(2);

/// The library fills its buffer with zeros before each read, and keeps it: its own 128 KB would be resident for every
/// socket. A chat's frames are smaller than this; a larger one makes it grow for as long as it takes.
const READ_BUFFER: usize = 4 * 1024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Serves the socket to its end; says why it ended.
pub(super) async fn serve(
    world: &Arc<World>,
    connection: &Arc<Connection>,
    mut ends: Ends,
    io: Upgraded,
) -> Farewell {
    let mut config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    config.max_message_size = Some(MESSAGE_LIMIT);
    config.max_frame_size = Some(FRAME_LIMIT);
    let io = TokioIo::new(io);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let end = converse(world, connection, &mut ends, &mut socket).await;
    world.sockets.remove(&connection.caller.connection_id);
    let (End::Ours(why) | End::Theirs(why)) = &end;
    let why = why.clone();
    close(socket, end).await;
    why
}

/// Who ended it.
enum End {
    Ours(Farewell),
    Theirs(Farewell),
}

async fn converse(
    world: &Arc<World>,
    connection: &Arc<Connection>,
    ends: &mut Ends,
    socket: &mut Socket,
) -> End {
    let death = Duration::from_millis(connection.caller.connected_at) + LIFETIME;
    let inbox = Inbox::open(world, connection);
    loop {
        let idle = Duration::from_millis(connection.last_active()) + IDLE;
        let cut = idle.min(death);
        tokio::select! {
            (room, frame) = async { (inbox.room().await, socket.next().await) } => {
                if let Some(end) = take(world, connection, &inbox, room, frame) {
                    return end;
                }
            }
            Some(text) = ends.out.recv() => {
                connection.touch(world.clock.millis());
                connection.sent.fetch_add(1, Ordering::Relaxed);
                let sent = tokio::select! {
                    sent = send(socket, text) => sent,
                    // A client that reads nothing any more must not outlive its time, nor a DELETE.
                    () = world.clock.wait_until(death) => return End::Ours(Farewell::going_away()),
                    why = ended(&mut ends.end) => return End::Ours(why),
                };
                if sent.is_err() {
                    return End::Theirs(Farewell::new(1006, ""));
                }
            }
            why = ended(&mut ends.end) => return End::Ours(why),
            () = world.clock.wait_until(cut) => {
                let idle = Duration::from_millis(connection.last_active()) + IDLE;
                if world.clock.now() >= idle.min(death) {
                    return End::Ours(Farewell::going_away());
                }
            }
        }
    }
}

async fn ended(end: &mut tokio::sync::watch::Receiver<Option<Farewell>>) -> Farewell {
    match end.wait_for(Option::is_some).await {
        Ok(why) => why.clone().unwrap_or_else(Farewell::going_away),
        // The sender lives in the connection that this task serves.
        Err(_) => Farewell::going_away(),
    }
}

/// Deals with what came from the client; the end, if this was it.
fn take(
    world: &World,
    connection: &Connection,
    inbox: &Inbox,
    room: Room,
    frame: Option<Result<Message, Error>>,
) -> Option<End> {
    match frame {
        Some(Ok(Message::Text(text))) => {
            connection.touch(world.clock.millis());
            connection.received.fetch_add(1, Ordering::Relaxed);
            inbox.take(text.to_string(), room);
            None
        }
        Some(Ok(Message::Ping(_))) => {
            // The library has queued the pong.
            if world.manners.pings_count {
                connection.touch(world.clock.millis());
            }
            None
        }
        Some(Ok(Message::Pong(_) | Message::Frame(_))) => None,
        Some(Ok(Message::Binary(_))) => Some(End::Ours(Farewell::new(1003, ""))),
        Some(Ok(Message::Close(Some(frame)))) => {
            let reason = frame.reason.to_string();
            Some(End::Theirs(Farewell::new(frame.code.into(), reason)))
        }
        Some(Ok(Message::Close(None))) => {
            let reason = "Client-side close frame status not set";
            Some(End::Theirs(Farewell::new(1005, reason)))
        }
        Some(Err(Error::Capacity(_))) => Some(End::Ours(Farewell::new(1009, ""))),
        Some(Err(Error::Utf8(_))) => Some(End::Ours(Farewell::new(1007, ""))),
        Some(Err(Error::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ))) => Some(End::Theirs(Farewell::new(1006, ""))),
        Some(Err(Error::Protocol(_))) => Some(End::Ours(Farewell::new(1002, ""))),
        Some(Err(_)) | None => Some(End::Theirs(Farewell::new(1006, ""))),
    }
}

/// Where a socket's messages go to be dealt with. They outlive it.
struct Inbox {
    rooms: Arc<Semaphore>,
    way: Way,
}

/// A message's place among those that are being dealt with.
type Room = Option<OwnedSemaphorePermit>;

enum Way {
    /// Each is a task of its own: they overlap, as on AWS.
    Each(Arc<World>, Arc<Connection>),
    /// One task takes them in turn.
    InOrder(mpsc::UnboundedSender<(String, Room)>),
}

impl Inbox {
    fn open(world: &Arc<World>, connection: &Arc<Connection>) -> Self {
        Self {
            rooms: Arc::new(Semaphore::new(ROOMS)),
            way: Way::open(Arc::clone(world), Arc::clone(connection)),
        }
    }

    /// Waits until one more message may come.
    async fn room(&self) -> Room {
        // Nothing closes the semaphore.
        Arc::clone(&self.rooms).acquire_owned().await.ok()
    }

    fn take(&self, text: String, room: Room) {
        match &self.way {
            Way::Each(world, connection) => {
                let (world, connection) = (Arc::clone(world), Arc::clone(connection));
                let _detached: JoinHandle<()> = spawn(async move {
                    messages::received(&world, &connection, &text).await;
                    drop(room);
                });
            }
            // Its task ends with this sender and not before.
            Way::InOrder(give) => drop(give.send((text, room))),
        }
    }
}

impl Way {
    fn open(world: Arc<World>, connection: Arc<Connection>) -> Self {
        if !world.manners.in_order {
            return Self::Each(world, connection);
        }
        let (give, mut given) = mpsc::unbounded_channel::<(String, Room)>();
        let _detached: JoinHandle<()> = spawn(async move {
            while let Some((text, _room)) = given.recv().await {
                messages::received(&world, &connection, &text).await;
            }
        });
        Self::InOrder(give)
    }
}

/// Sends one message, in frames of at most 32 KB.
async fn send(socket: &mut Socket, text: String) -> Result<(), Error> {
    if text.len() <= FRAME_LIMIT {
        return socket.send(Message::text(text)).await;
    }
    let mut rest = Bytes::from(text);
    let mut kind = Data::Text;
    while !rest.is_empty() {
        let part = rest.split_to(rest.len().min(FRAME_LIMIT));
        let frame = Frame::message(part, OpCode::Data(kind), rest.is_empty());
        socket.feed(Message::Frame(frame)).await?;
        kind = Data::Continue;
    }
    socket.flush().await
}

/// Says good-bye. The client's unread frames are still taken for a while, in a task of their own, or they would reset
/// the connection before the client has read why.
async fn close(mut socket: Socket, end: End) {
    let parting = async {
        match end {
            End::Ours(why) => {
                let frame = CloseFrame {
                    code: why.code.into(),
                    reason: why.reason.into(),
                };
                socket.send(Message::Close(Some(frame))).await?;
            }
            // The library has queued the echo.
            End::Theirs(_) => socket.flush().await?,
        }
        socket.get_mut().shutdown().await?;
        Ok::<(), Error>(())
    };
    if !matches!(tokio::time::timeout(LINGER, parting).await, Ok(Ok(()))) {
        return;
    }
    let _detached: JoinHandle<()> = spawn(async move {
        let io = socket.get_mut();
        let mut sink = [0; 8192];
        let drained = async { while matches!(io.read(&mut sink).await, Ok(n) if n > 0) {} };
        // A client that does not hang up is hung up on.
        let _: Result<(), _> = tokio::time::timeout(LINGER, drained).await;
    });
}
