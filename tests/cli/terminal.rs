//! A terminal of a known size: what a person sees there, cell by cell.

use std::fs::File;
use std::io::Read as _;
use std::num::NonZero;
use std::process::{Child, Command};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use vt100::Parser;

/// So much is read before something counts as never coming.
const MOST: usize = 60;

/// A command at a terminal, and what it has drawn so far.
pub(crate) struct Terminal {
    pub(crate) child: Child,
    output: File,
    parser: Parser,
    columns: u16,
}

impl Terminal {
    pub(crate) fn run(mut command: Command, rows: u16, columns: u16) -> Self {
        let some = |n| NonZero::new(n).unwrap();
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(Some(&size), None).unwrap();
        // A child that holds its own terminal, or another's, would never see the end of it.
        for end in [&pair.master, &pair.slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        let slave = || pair.slave.try_clone().unwrap();
        command
            .env_remove("COLUMNS")
            .env("TERM", "xterm-256color")
            .stdin(slave())
            .stdout(slave())
            .stderr(slave());
        let child = command.spawn().unwrap();
        Self {
            child,
            output: File::from(pair.master),
            parser: Parser::new(some(rows), some(columns), 0),
            columns,
        }
    }

    /// All that a command writes there, escapes and all.
    pub(crate) fn bytes(command: Command, columns: u16) -> String {
        let mut terminal = Self::run(command, 100, columns);
        let mut all = Vec::new();
        // Its end is an error on Linux.
        terminal.output.read_to_end(&mut all).ok();
        terminal.child.wait().unwrap();
        String::from_utf8(all).unwrap()
    }

    /// Whatever is written next; `false` when there is nothing more to come.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        // A terminal that nobody holds any more is an error on Linux, and an end elsewhere.
        let count = self.output.read(&mut bytes).unwrap_or(0);
        self.parser.process(&bytes[..count]);
        count > 0
    }

    /// Reads until it shows this; no line may be folded meanwhile.
    pub(crate) fn until(&mut self, text: &str) {
        self.reads_on(&format!("`{text}` comes"), |shown| shown.contains(text));
    }

    /// Reads until nothing of this is left.
    pub(crate) fn until_without(&mut self, text: &str) {
        self.reads_on(&format!("`{text}` goes"), |shown| !shown.contains(text));
    }

    fn reads_on(&mut self, what: &str, is_it: impl Fn(&str) -> bool) {
        for _ in 0..MOST {
            if is_it(&self.text()) {
                return;
            }
            assert!(self.read(), "never {what}:\n{}", self.text());
            assert_eq!(self.folded(), None);
        }
        panic!("not yet {what}:\n{}", self.text());
    }

    /// Reads to the end; no line may be folded meanwhile. What it shows then, and the exit code.
    pub(crate) fn end(mut self) -> (String, Option<i32>) {
        while self.read() {
            assert_eq!(self.folded(), None);
        }
        let code = self.child.wait().unwrap().code();
        (self.text(), code)
    }

    pub(crate) fn text(&self) -> String {
        let rows = self.parser.screen().rows(0, self.columns);
        let rows: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
        format!("{}\n", rows.join("\n").trim_end())
    }

    /// A line that went on in the next row. Spinners fill their row with blanks, up to its very end.
    fn folded(&self) -> Option<String> {
        let screen = self.parser.screen();
        let mut rows = (0..).zip(screen.rows(0, self.columns));
        // An address is left whole, so that it can be copied.
        let is_full = |text: &str| {
            !text.contains("://") && text.trim_end().chars().count() == usize::from(self.columns)
        };
        let folded = rows.find(|(row, text)| screen.row_wrapped(*row) && is_full(text));
        folded.map(|(_, text)| text)
    }
}

impl Drop for Terminal {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
