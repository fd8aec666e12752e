//! The embedded AWS: the services that a WebSocket stack needs, on one loopback port.
//!
//! In: HTTP and WebSocket, as AWS's own clients speak them. Out: what AWS would answer, its refusals included.
//! Never: a word about stacks or plans, the SDK, or any other module of ours. A leniency here is a bug with
//! three victims: `dev`'s user, the tests, and the first deploy to AWS.

mod apigateway;
pub mod clock;
mod connections;
mod events;
mod iam;
mod ids;
mod lambda;
mod logs;
pub(crate) mod refusal;
mod runtime;
mod selection;
pub(crate) mod store;
#[cfg(test)]
mod testing;
mod websocket;
mod wire;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::broadcast;

use clock::Clock;
use store::Store;

/// The account of everything local.
pub const ACCOUNT: &str = "000000000000";

/// How a local cloud is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where its state lives; `None` keeps everything in memory.
    pub dir: Option<PathBuf>,
    /// The loopback port; 0 takes any free one.
    pub port: u16,
    pub region: String,
    pub realism: Realism,
    pub clock: Clock,
}

/// Whether things happen at once, or as slowly and as grudgingly as on AWS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Realism {
    /// From CreateRole until Lambda may assume the role.
    pub role_propagation: Duration,
    /// A new function's `Pending`, and an updated one's `InProgress`.
    pub function_pending: Duration,
    pub function_update: Duration,
    /// `CREATING` without and with indexes, `UPDATING` for an added index, `DELETING`.
    pub table_create: Duration,
    pub table_create_indexed: Duration,
    pub index_create: Duration,
    pub table_delete: Duration,
    /// After `ACTIVE`, until point-in-time recovery may be set.
    pub recovery_available: Duration,
    /// Between two changes of a table's TTL.
    pub ttl_interval: Duration,
    /// Overlapping writes to one API or one function are refused with AWS's conflict.
    pub write_conflicts: bool,
    /// Control-plane rate limits as documented.
    pub throttles: bool,
    /// How long one write to API Gateway takes, so that writes can overlap.
    pub api_write: Duration,
}

impl Realism {
    /// Nothing waits and nothing is throttled; every refusal that does not depend on time stays.
    pub const INSTANT: Self = Self {
        role_propagation: Duration::ZERO,
        function_pending: Duration::ZERO,
        function_update: Duration::ZERO,
        table_create: Duration::ZERO,
        table_create_indexed: Duration::ZERO,
        index_create: Duration::ZERO,
        table_delete: Duration::ZERO,
        recovery_available: Duration::ZERO,
        ttl_interval: Duration::ZERO,
        write_conflicts: false,
        throttles: false,
        api_write: Duration::ZERO,
    };

    /// Times of the order that users measured on AWS. They are estimates, never to be quoted as AWS's.
    pub const AWS: Self = Self {
        role_propagation: Duration::from_secs(8),
        function_pending: Duration::from_secs(2),
        function_update: Duration::from_millis(1500),
        table_create: Duration::from_secs(4),
        table_create_indexed: Duration::from_secs(16),
        index_create: Duration::from_secs(8 * 60),
        table_delete: Duration::from_secs(4),
        recovery_available: Duration::from_secs(2),
        ttl_interval: Duration::from_secs(31 * 60),
        write_conflicts: true,
        throttles: true,
        api_write: Duration::from_millis(80),
    };
}

/// What just happened, for whoever watches (`dev`'s lines, tests).
#[derive(Debug, Clone)]
pub enum Happening {
    /// One AWS API call was answered.
    Call {
        service: &'static str,
        operation: String,
        status: u16,
        took: Duration,
    },
    Connected {
        connection_id: String,
        query: String,
    },
    /// The gateway called a function for an event of a connection.
    Event {
        connection_id: String,
        route_key: String,
        function: String,
        /// `None` when the function gave no usable answer.
        status: Option<u16>,
        took: Duration,
    },
    /// A frame from the gateway to a client that no function sent, such as `Forbidden`.
    Refused {
        connection_id: String,
        message: String,
    },
    Disconnected {
        connection_id: String,
        code: u16,
        reason: String,
    },
    /// A line that a function wrote.
    Log { function: String, line: String },
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call {
                service,
                operation,
                status,
                took,
            } => {
                write!(
                    f,
                    "call        {service}.{operation} {status} {} ms",
                    took.as_millis()
                )
            }
            Self::Connected {
                connection_id,
                query,
            } => {
                write!(f, "connected   {connection_id} {query}")
            }
            Self::Event {
                connection_id,
                route_key,
                function,
                status,
                took,
            } => {
                let status = status.map_or_else(|| "failed".to_owned(), |s| s.to_string());
                let ms = took.as_secs_f64() * 1000.0;
                write!(
                    f,
                    "{route_key:<11} {connection_id} {function} {status} {ms:.1} ms"
                )
            }
            Self::Refused {
                connection_id,
                message,
            } => {
                write!(f, "refused     {connection_id} {message}")
            }
            Self::Disconnected {
                connection_id,
                code,
                reason,
            } => {
                write!(f, "gone        {connection_id} {code} {reason}")
            }
            Self::Log { function, line } => write!(f, "log         {function} {line}"),
        }
    }
}

/// All of a local cloud's state; every service reaches its neighbours through it.
///
/// Locks are short, synchronous and never held across an await or a call to another service.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) realism: Realism,
    pub(crate) region: String,
    /// Where the one listener listens, once it does.
    pub(crate) address: OnceLock<SocketAddr>,
    pub(crate) store: Store,
    pub(crate) happenings: broadcast::Sender<Happening>,
    pub(crate) apigateway: apigateway::ApiGateway,
    pub(crate) iam: iam::Iam,
    pub(crate) logs: logs::Logs,
    pub(crate) lambda: lambda::Lambda,
    pub(crate) sockets: websocket::Sockets,
}

impl World {
    pub(crate) fn tell(&self, happening: Happening) {
        // Nobody watching is the usual case.
        let _: Result<usize, _> = self.happenings.send(happening);
    }
}

/// What a mutex holds; a panic elsewhere does not make it unusable.
pub(crate) fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Placeholder: the part of the local cloud that functions and sockets need.
pub struct LocalCloud {
    world: std::sync::Arc<World>,
    _server: tokio::task::JoinSet<()>,
}

impl LocalCloud {
    pub async fn start(options: Options) -> std::io::Result<Self> {
        use std::sync::Arc;
        let store = Store::open(options.dir.as_deref())?;
        let world = Arc::new(World {
            clock: options.clock,
            realism: options.realism,
            region: options.region,
            address: OnceLock::new(),
            happenings: broadcast::Sender::new(1024),
            apigateway: apigateway::ApiGateway::default(),
            iam: iam::Iam::default(),
            logs: logs::Logs::default(),
            lambda: lambda::Lambda::open(&store)?,
            sockets: websocket::Sockets::default(),
            store,
        });
        let router = lambda::router(Arc::clone(&world))
            .merge(websocket::router(Arc::clone(&world)))
            .merge(connections::router(Arc::clone(&world)));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", options.port)).await?;
        let _: Result<(), SocketAddr> = world.address.set(listener.local_addr()?);
        let mut server = tokio::task::JoinSet::new();
        server.spawn(async move {
            let _: std::io::Result<()> = axum::serve(listener, router).await;
        });
        Ok(Self {
            world,
            _server: server,
        })
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.world.lambda.close();
        self.world.sockets.close_all();
    }
}
