//! What a process writes, line by line into its log.

use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::{mpsc, oneshot};
use tokio::task::coop::unconstrained;

use super::record::Record;

/// A line longer than this is cut in two, as AWS would.
const LINE_LIMIT: usize = 256 * 1024;
/// Between two of these others have their turn: a process that floods its log must stop nobody but itself.
const CHUNK: u64 = 8 * 1024;
/// What a pipe holds.
const PIPE: usize = 64 * 1024;

/// Where a process's lines go.
pub(super) struct Sink {
    pub(super) log: Arc<Record>,
    /// A carriage return inside of a line stands for a line break.
    pub(super) folds: bool,
}

impl Sink {
    fn line(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\n', '\r']);
        if self.folds {
            self.log.line(&line.replace('\r', "\n"));
        } else {
            self.log.line(line);
        }
    }
}

/// Puts what the process writes into its log, line by line, until both pipes end.
pub(super) async fn read(
    mut stdout: Option<ChildStdout>,
    mut stderr: Option<ChildStderr>,
    sink: Sink,
    mut flush: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while stdout.is_some() || stderr.is_some() {
        tokio::select! {
            more = fill(&mut stdout, &mut out), if stdout.is_some() => {
                lines(&mut out, !more, &sink);
                if !more { stdout = None; }
            }
            more = fill(&mut stderr, &mut err), if stderr.is_some() => {
                lines(&mut err, !more, &sink);
                if !more { stderr = None; }
            }
            Some(done) = flush.recv() => {
                catch_up(&mut stdout, &mut out);
                catch_up(&mut stderr, &mut err);
                lines(&mut out, true, &sink);
                lines(&mut err, true, &sink);
                // Who asked may have given up.
                let _: Result<(), ()> = done.send(());
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Reads what a pipe holds now, and no more than that: what writes without end would never be done.
fn catch_up(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut Vec<u8>) {
    let enough = buffer.len() + PIPE;
    while buffer.len() < enough {
        // Unconstrained, or a busy task's share of time would look like an empty pipe.
        if unconstrained(fill(pipe, buffer)).now_or_never() != Some(true) {
            return;
        }
    }
}

/// Reads some of what is there; false at the end of the pipe.
async fn fill(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut Vec<u8>) -> bool {
    match pipe {
        Some(pipe) => {
            let mut some = pipe.take(CHUNK);
            matches!(some.read_buf(buffer).await, Ok(n) if n > 0)
        }
        None => false,
    }
}

/// Takes the complete lines out of the buffer, and the rest too when `all`.
fn lines(buffer: &mut Vec<u8>, all: bool, sink: &Sink) {
    let mut begin = 0;
    while let Some(length) = buffer[begin..].iter().position(|b| *b == b'\n') {
        sink.line(&buffer[begin..begin + length]);
        begin += length + 1;
    }
    buffer.drain(..begin);
    if !buffer.is_empty() && (all || buffer.len() > LINE_LIMIT) {
        sink.line(buffer);
        buffer.clear();
    }
}
