//! The embedded AWS: the services that a WebSocket stack needs, on one loopback port.
//!
//! In: HTTP and WebSocket, as AWS's own clients speak them. Out: what AWS would answer, its refusals included.
//! Never: a word about stacks or plans, the SDK, or any other module of ours. A leniency here is a bug with
//! three victims: `dev`'s user, the tests, and the first deploy to AWS.

mod accounts;
pub(crate) mod apigateway;
mod cbor;
pub mod clock;
pub(crate) mod connections;
pub mod console;
pub(crate) mod dynamodb;
mod edge;
mod events;
pub mod faults;
mod happening;
pub(crate) mod iam;
mod ids;
pub mod inside;
pub mod issuer;
pub(crate) mod lambda;
pub(crate) mod logs;
pub(crate) mod metrics;
mod options;
mod pace;
pub(crate) mod refusal;
mod runtime;
mod selection;
mod service;
pub(crate) mod store;
mod sts;
mod tagging;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests_support;
mod tls;
pub(crate) mod websocket;
pub(crate) mod wire;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use accounts::Accounts;
use apigateway::ApiGateway;
use clock::Clock;
use console::{Console, Detail, Journal, Suggestions};
use dynamodb::Dynamo;
use faults::Faults;
use iam::Iam;
use lambda::Lambda;
use logs::Logs;
use metrics::Metrics;
use store::Store;
use websocket::Sockets;

pub use happening::Happening;
pub use options::{Manners, Options, Realism};

/// The account of whoever signs with anything but an account's id.
pub const ACCOUNT: &str = "000000000000";

/// All of a local cloud's state; every service reaches its neighbours through it.
///
/// Locks are short, synchronous and never held across an await or a call to another service.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) realism: Realism,
    pub(crate) manners: Manners,
    pub(crate) faults: Faults,
    /// Whether IAM refuses what it denies.
    pub(crate) enforces: bool,
    pub(crate) account: String,
    accounts: Accounts,
    pub(crate) region: String,
    /// Where the one listener listens, once it does.
    pub(crate) address: OnceLock<SocketAddr>,
    pub(crate) tls: OnceLock<Arc<tls::Tls>>,
    pub(crate) store: Store,
    pub(crate) happenings: broadcast::Sender<Happening>,
    pub(crate) journal: Journal,
    pub(crate) console: Console,
    pub(crate) apigateway: ApiGateway,
    pub(crate) iam: Iam,
    pub(crate) logs: Logs,
    pub(crate) metrics: Metrics,
    pub(crate) dynamodb: Dynamo,
    pub(crate) lambda: Lambda,
    pub(crate) sockets: Sockets,
    pub(crate) sts: sts::Sts,
    pub(crate) issuer: issuer::Pen,
}

impl World {
    fn open(options: Options) -> io::Result<Self> {
        Self::of(ACCOUNT, options)
    }

    fn of(account: &str, options: Options) -> io::Result<Self> {
        let store = Store::open(options.dir.as_deref())?;
        Ok(Self {
            account: account.to_owned(),
            accounts: Accounts::new(&options),
            address: OnceLock::new(),
            tls: OnceLock::new(),
            happenings: broadcast::Sender::new(HAPPENINGS),
            journal: Journal::default(),
            console: Console::default(),
            apigateway: ApiGateway::open(&store, account)?,
            iam: Iam::open(&store, account)?,
            logs: Logs::open(&store)?,
            metrics: Metrics::default(),
            dynamodb: Dynamo::open(&store, &options.clock)?,
            lambda: Lambda::open(&store)?,
            sockets: Sockets::default(),
            sts: sts::Sts::default(),
            issuer: issuer::Pen::open(&store)?,
            clock: options.clock,
            realism: options.realism,
            manners: options.manners,
            faults: Faults::new(options.faults),
            enforces: options.iam,
            region: options.region,
            store,
        })
    }

    /// Ends what lives outside of requests: functions' processes, open sockets, and log lines not yet on disk.
    fn close(&self) {
        self.lambda.close();
        self.sockets.close_all();
        self.journal.close();
        // There is nobody left to tell.
        self.logs.flush(&self.store).ok();
    }

    /// Whoever calls, but for a role's session.
    pub(crate) fn user(&self) -> String {
        format!("arn:aws:iam::{}:user/local", self.account)
    }

    /// The Region and the account, as they stand in ARNs.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.region, self.account)
    }

    /// The way of one call, as long as this cloud is to be far away.
    pub(crate) async fn travel(&self) {
        if !self.realism.latency.is_zero() {
            self.clock.wait(self.realism.latency).await;
        }
    }

    pub(crate) fn tell(&self, happening: Happening) {
        self.journal.note(&self.clock, &happening);
        // Nobody watching is the usual case.
        drop(self.happenings.send(happening));
    }

    /// Shows in the console what nobody else hears of; while no page is open it is not even put together.
    pub(crate) fn show<'a>(&self, detail: impl FnOnce() -> Detail<'a>) {
        if self.journal.watched() {
            self.journal.note(&self.clock, &detail());
        }
    }
}

/// How many happenings a slow watcher may fall behind before it loses the oldest.
const HAPPENINGS: usize = 4096;

/// How often log lines reach the disk.
const FLUSH: Duration = Duration::from_secs(2);

/// How often items past their TTL are removed. AWS takes days; a laptop should show it within a coffee.
const SWEEP: Duration = Duration::from_mins(1);

/// How long a shutdown waits for requests in flight.
const GRACE: Duration = Duration::from_secs(3);

/// A running local cloud; dropping it stops it.
pub struct LocalCloud {
    world: Arc<World>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: Option<JoinHandle<io::Result<()>>>,
}

impl LocalCloud {
    /// Opens the state and serves it on the loopback interface until shut down or dropped.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let tls = options
            .tls
            .then(|| tls::Tls::open(options.dir.as_deref(), &options.region, address))
            .transpose()?;
        let world = Arc::new(World::open(options)?);
        world.address.get_or_init(|| address);
        if let Some(tls) = tls {
            world.tls.get_or_init(|| Arc::new(tls));
        }
        world.reopen()?;
        let (stop, stopped) = watch::channel(false);
        spawn(until(stopped.clone(), flush_logs(Arc::clone(&world))));
        spawn(until(stopped.clone(), sweep_tables(Arc::clone(&world))));
        let serving = spawn(edge::serve(listener, Arc::clone(&world), stopped));
        Ok(Self {
            world,
            address,
            stop,
            serving: Some(serving),
        })
    }

    /// Where every service listens: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The certificate that clients of HTTPS and WSS need to trust, where those are served.
    pub fn authority(&self) -> Option<&Path> {
        self.world.tls.get().map(|tls| tls.authority())
    }

    /// Gives the account a role for API Gateway's logs when it has none. On AWS that is an administrator's, once
    /// for each account and Region; a laptop has no administrator.
    pub fn grant_api_logs(&self) -> io::Result<()> {
        apigateway::account::grant(&self.world).map_err(|refusal| io::Error::other(refusal.message))
    }

    /// What the console offers to be sent.
    pub fn suggest(&self, suggestions: Suggestions) {
        self.world.console.suggest(suggestions);
    }

    /// What happens from now on; a watcher that falls far behind loses the oldest.
    pub fn watch(&self) -> broadcast::Receiver<Happening> {
        self.world.happenings.subscribe()
    }

    /// Stops listening, closes the sockets, lets requests in flight finish for a moment, saves.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        self.world.all().iter().for_each(|world| world.close());
        if let Some(mut serving) = self.serving.take()
            && tokio::time::timeout(GRACE, &mut serving).await.is_err()
        {
            serving.abort();
        }
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.world.all().iter().for_each(|world| world.close());
    }
}

impl fmt::Debug for LocalCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCloud")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the local cloud serves beside whoever started it"
)]
fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// Runs `task` until the cloud stops.
async fn until(mut stopped: watch::Receiver<bool>, task: impl Future<Output = ()>) {
    tokio::select! {
        // An error means that the cloud itself is gone.
        _ = stopped.wait_for(|stopped| *stopped) => {}
        () = task => {}
    }
}

async fn flush_logs(world: Arc<World>) {
    loop {
        world.clock.wait(FLUSH).await;
        for world in world.all() {
            // Messages must not wait for the disk. A flush that panics is made up for by the next.
            drop(tokio::task::spawn_blocking(move || world.logs.flush(&world.store)).await);
        }
    }
}

async fn sweep_tables(world: Arc<World>) {
    loop {
        world.clock.wait(SWEEP).await;
        for world in world.all() {
            dynamodb::sweep(&world).await;
        }
    }
}

/// A panic under a lock leaves the state as the last whole change left it, so poison is no reason to stop.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
