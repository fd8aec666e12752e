//! One port for both: a connection whose first byte begins a TLS handshake is spoken to in TLS, any other as it is.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Tls;

/// The type of a TLS record that holds a handshake.
const HANDSHAKE: u8 = 0x16;
/// How long a client may take until it is clear what it speaks.
const PATIENCE: Duration = Duration::from_secs(30);
/// Clients that have not yet shown what they speak; more than these wait in the system's queue.
const MOST: usize = 1024;

/// What is spoken over, sealed or not.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

type Arrived = (Box<dyn Wire>, SocketAddr);

/// A listener for both kinds of connection.
pub(crate) struct Door {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    arriving: JoinSet<Option<Arrived>>,
}

impl Door {
    pub(crate) fn new(listener: TcpListener, tls: &Tls) -> Self {
        Self {
            listener,
            acceptor: tls.acceptor.clone(),
            arriving: JoinSet::new(),
        }
    }
}

impl Listener for Door {
    type Io = Box<dyn Wire>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Arrived {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.listener),
                    if self.arriving.len() < MOST =>
                {
                    let acceptor = self.acceptor.clone();
                    self.arriving.spawn(async move {
                        let let_in = enter(stream, acceptor);
                        let wire = tokio::time::timeout(PATIENCE, let_in).await.ok()?.ok()?;
                        Some((wire, address))
                    });
                }
                Some(arrived) = self.arriving.join_next() => {
                    if let Ok(Some(arrived)) = arrived {
                        return arrived;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn enter(stream: TcpStream, acceptor: TlsAcceptor) -> io::Result<Box<dyn Wire>> {
    // Chat frames are small, and must not wait for the client's acknowledgement of the one before. Slower without,
    // and nothing worse.
    drop(stream.set_nodelay(true));
    let mut first = [0];
    stream.peek(&mut first).await?;
    if first[0] == HANDSHAKE {
        return Ok(Box::new(acceptor.accept(stream).await?));
    }
    Ok(Box::new(stream))
}
