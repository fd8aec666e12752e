//! One process: started with Lambda's environment, fed through its own Runtime API, killed with all its own when dropped.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::Spec;
use super::Work;
use super::desk::{self, Event, Said};
use super::group::Group;
use super::launch::{Launch, of_system};
use super::memory::{self, Memory};
use super::pipes;
use super::record::Record;
use crate::local::sts::{self, Credentials};
use crate::local::{World, ids};

/// What the pipes of a process that has gone may take to give their rest.
const LAST_WORDS: Duration = Duration::from_millis(500);

pub(super) struct Environment {
    function: String,
    version: String,
    revision: String,
    /// Megabytes; a process that takes more is killed.
    memory: u64,
    /// All that the process has started, and itself.
    group: Group,
    child: Child,
    events: mpsc::Sender<Event>,
    said: mpsc::UnboundedReceiver<Said>,
    flush: mpsc::Sender<oneshot::Sender<()>>,
    pub(super) log: Arc<Record>,
    pub(super) idle_since: Duration,
    /// How long init took, until the first REPORT has told it.
    pub(super) init: Option<Duration>,
    _acts: Acts,
    /// The Runtime API and the reader of the pipes; they end with this.
    _tasks: JoinSet<()>,
}

/// The session of its role that a process acts as; it ends with the process.
struct Acts {
    world: Weak<World>,
    credentials: Credentials,
}

impl Acts {
    fn begin(world: &Arc<World>, spec: &Spec) -> Self {
        let (place, name) = (world.place(), &spec.function);
        let arn = format!("arn:aws:lambda:{place}:function:{name}");
        Self {
            credentials: sts::for_function(world, &spec.role, name, &arn),
            world: Arc::downgrade(world),
        }
    }
}

impl Drop for Acts {
    fn drop(&mut self) {
        if let Some(world) = self.world.upgrade() {
            world.sts.forget(&self.credentials.key);
        }
    }
}

/// A process that could not be started.
pub(super) struct Unstartable {
    pub(super) kind: &'static str,
    pub(super) message: String,
}

pub(super) enum Init {
    Ready,
    Error(Vec<u8>),
    Exited(Exit),
    OutOfMemory,
    TimedOut,
    Stopped,
}

pub(super) enum Ended {
    Answer(Vec<u8>),
    Error(Vec<u8>),
    TooLarge,
    Exited(Exit),
    OutOfMemory,
    TimedOut,
    Stopped,
}

/// How a process went, in Lambda's words.
#[derive(Debug)]
pub(super) struct Exit(Option<ExitStatus>);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) if status.success() => {
                f.write_str("Runtime exited without providing a reason")
            }
            Some(status) => match status.code() {
                Some(code) => write!(f, "Runtime exited with error: exit status {code}"),
                None => write!(f, "Runtime exited with error: {}", signal(status)),
            },
            None => f.write_str("Runtime exited with error: unknown"),
        }
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status.signal() {
        Some(6) => "signal: aborted".to_owned(),
        Some(9) => "signal: killed".to_owned(),
        Some(11) => "signal: segmentation fault".to_owned(),
        Some(15) => "signal: terminated".to_owned(),
        Some(other) => format!("signal: {other}"),
        None => status.to_string(),
    }
}

#[cfg(not(unix))]
fn signal(status: ExitStatus) -> String {
    status.to_string()
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {}", self.function, self.version, self.log.stream)
    }
}

impl Environment {
    pub(super) async fn start(world: &Arc<World>, spec: &Spec) -> Result<Self, Unstartable> {
        let launch = Launch::of(world, spec).await?;
        let stream = stream_name(world, spec);
        let log = Arc::new(Record::new(Arc::downgrade(world), spec, stream));
        log.init_start();
        let unable = |e: io::Error| Unstartable {
            kind: "Runtime.StartFailure",
            message: e.to_string(),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(unable)?;
        let port = listener.local_addr().map_err(unable)?.port();
        let acts = Acts::begin(world, spec);
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.args)
            .current_dir(&spec.folder)
            .env_clear()
            .envs(of_system())
            .envs(variables(world, spec, &acts.credentials, &log.stream, port))
            .envs(launch.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // Its own group, so that a Ctrl-C at the terminal stops the cloud first and not its functions.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = spawn(&mut command).await.map_err(|e| Unstartable {
            kind: "Runtime.InvalidEntrypoint",
            message: format!("fork/exec {}: {}", launch.shown, reason(&e)),
        })?;
        let group = world.lambda.fleet().keeper.keep(child.id());
        let (events, asked) = mpsc::channel(1);
        let (say, said) = mpsc::unbounded_channel();
        let (flush, flushed) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        let desk = desk::router(asked, say);
        tasks.spawn(async move {
            // Serving ends only with this task.
            drop(axum::serve(NoDelay(listener), desk).await);
        });
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let sink = pipes::Sink {
            log: Arc::clone(&log),
            folds: launch.folds,
        };
        tasks.spawn(pipes::read(stdout, stderr, sink, flushed));
        Ok(Self {
            function: spec.function.clone(),
            version: spec.version.clone(),
            revision: spec.revision.clone(),
            memory: spec.memory,
            group,
            child,
            events,
            said,
            flush,
            log,
            idle_since: Duration::ZERO,
            init: None,
            _acts: acts,
            _tasks: tasks,
        })
    }

    pub(super) fn serves(&self, spec: &Spec) -> bool {
        self.function == spec.function
            && self.version == spec.version
            && self.revision == spec.revision
    }

    pub(super) fn is_current(&self, world: &World) -> bool {
        world
            .lambda
            .is_current(world, &self.function, &self.version, &self.revision)
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the process to ask for its first event.
    pub(super) async fn ready(
        &mut self,
        world: &World,
        until: Duration,
        stop: &mut watch::Receiver<bool>,
    ) -> Init {
        let (pid, memory) = (self.child.id(), self.memory);
        loop {
            tokio::select! {
                biased;
                said = self.said.recv() => match said {
                    Some(Said::Ready) => return Init::Ready,
                    Some(Said::InitError(payload)) => return Init::Error(payload),
                    // Nothing else can be said before the first event.
                    Some(_) => {}
                    None => return Init::Exited(Exit(None)),
                },
                status = self.child.wait() => return Init::Exited(Exit(status.ok())),
                () = memory::outgrown(&world.clock, pid, memory) => return Init::OutOfMemory,
                () = world.clock.wait_until(until) => return Init::TimedOut,
                _ = stop.wait_for(|stop| *stop) => return Init::Stopped,
            }
        }
    }

    /// Hands over one event and waits for what becomes of it.
    pub(super) async fn work(
        &mut self,
        world: &World,
        work: Work,
        deadline: Duration,
        stop: &mut watch::Receiver<bool>,
    ) -> Ended {
        let id = work.request_id.clone();
        let millis = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        let event = Event {
            work,
            deadline: millis,
        };
        if self.events.send(event).await.is_err() {
            return Ended::Exited(Exit(self.child.wait().await.ok()));
        }
        let (pid, memory) = (self.child.id(), self.memory);
        loop {
            tokio::select! {
                biased;
                said = self.said.recv() => match said {
                    Some(Said::Answer { id: of, payload }) if of == id => return Ended::Answer(payload),
                    Some(Said::Error { id: of, payload }) if of == id => return Ended::Error(payload),
                    Some(Said::TooLarge { id: of }) if of == id => return Ended::TooLarge,
                    // It asked for this event, or spoke of an earlier one.
                    Some(_) => {}
                    None => return Ended::Exited(Exit(None)),
                },
                status = self.child.wait() => return Ended::Exited(Exit(status.ok())),
                () = memory::outgrown(&world.clock, pid, memory) => return Ended::OutOfMemory,
                () = world.clock.wait_until(deadline) => return Ended::TimedOut,
                _ = stop.wait_for(|stop| *stop) => return Ended::Stopped,
            }
        }
    }

    pub(super) async fn kill(&mut self) {
        self.group.end();
        // It may have gone by itself.
        drop(self.child.kill().await);
    }

    /// Waits until what the process has written so far is in the log.
    pub(super) async fn drain(&self, lives: bool) {
        if lives {
            let (ask, done) = oneshot::channel();
            if self.flush.send(ask).await.is_ok() {
                let _: Result<(), _> = done.await;
            }
        } else {
            // The reader ends at the end of the pipes; a grandchild that holds them open is not waited for.
            let _: Result<(), _> = tokio::time::timeout(LAST_WORDS, self.flush.closed()).await;
        }
    }

    /// What the process holds now and has held at most; nothing where the system does not tell.
    pub(super) fn memory(&self) -> Option<Memory> {
        Memory::of(self.child.id())
    }
}

/// A listener whose connections send at once.
struct NoDelay(TcpListener);

impl axum::serve::Listener for NoDelay {
    type Io = tokio::net::TcpStream;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.0).await;
        // Slower without, and nothing worse.
        drop(stream.set_nodelay(true));
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

fn stream_name(world: &World, spec: &Spec) -> String {
    let date = ids::date(world.clock.millis());
    format!("{date}/[{}]{}", spec.version, ids::hex(32))
}

/// Starts the process. A file that was written a moment ago may still be open in another child that is just being
/// started; that passes by itself.
async fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 0..50 {
        match command.spawn() {
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy => {
                let pause = || std::thread::sleep(Duration::from_millis(5));
                drop(tokio::task::spawn_blocking(pause).await);
            }
            done => return done,
        }
    }
    command.spawn()
}

/// The system's reason as Lambda's log has it.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(8) => "exec format error".to_owned(),
        Some(13) => "permission denied".to_owned(),
        Some(2) => "no such file or directory".to_owned(),
        _ => error.to_string(),
    }
}

/// Defaults first, then the function's own, then what nobody may change.
fn variables(
    world: &World,
    spec: &Spec,
    credentials: &Credentials,
    stream: &str,
    port: u16,
) -> Vec<(String, String)> {
    let folder = path(&spec.folder);
    let mut all: Vec<(String, String)> = [
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    if let Some(address) = world.address.get() {
        let home = format!("http://127.0.0.1:{}", address.port());
        all.push(("AWS_ENDPOINT_URL".to_owned(), home));
    }
    let own = spec.variables.iter();
    all.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    if let (Some(tls), Some(address)) = (world.tls.get(), world.address.get()) {
        crate::local::tls::lend(tls, address.port(), &mut all);
    }
    let fixed = [
        ("_HANDLER", spec.handler.clone()),
        ("AWS_REGION", world.region.clone()),
        ("AWS_DEFAULT_REGION", world.region.clone()),
        ("AWS_ACCESS_KEY_ID", credentials.key.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret.clone()),
        ("AWS_SESSION_TOKEN", credentials.token.clone()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.function.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", spec.version.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", spec.log_group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", stream.to_owned()),
        ("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{port}")),
        ("LAMBDA_TASK_ROOT", folder),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
    ];
    all.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    all
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
