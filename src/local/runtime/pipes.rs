//! What a process writes, line by line into its log.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::{mpsc, oneshot};

use super::record::Record;

/// A line longer than this is cut in two, as AWS would.
const LINE_LIMIT: usize = 256 * 1024;

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
        // Biased: a flush is answered only when both pipes have nothing to give.
        tokio::select! {
            biased;
            more = fill(&mut stdout, &mut out), if stdout.is_some() => {
                lines(&mut out, !more, &sink);
                if !more { stdout = None; }
            }
            more = fill(&mut stderr, &mut err), if stderr.is_some() => {
                lines(&mut err, !more, &sink);
                if !more { stderr = None; }
            }
            Some(done) = flush.recv() => {
                lines(&mut out, true, &sink);
                lines(&mut err, true, &sink);
                // Who asked may have given up.
                let _: Result<(), ()> = done.send(());
            }
        }
    }
}

/// Reads what is there; false at the end of the pipe.
async fn fill(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut Vec<u8>) -> bool {
    match pipe {
        Some(pipe) => matches!(pipe.read_buf(buffer).await, Ok(n) if n > 0),
        None => false,
    }
}

/// Takes the complete lines out of the buffer, and the rest too when `all`.
fn lines(buffer: &mut Vec<u8>, all: bool, sink: &Sink) {
    while let Some(end) = buffer.iter().position(|b| *b == b'\n') {
        let line: Vec<u8> = buffer.drain(..=end).collect();
        sink.line(&line);
    }
    if !buffer.is_empty() && (all || buffer.len() > LINE_LIMIT) {
        sink.line(buffer);
        buffer.clear();
    }
}
