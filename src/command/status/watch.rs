//! `status --watch`: the same look again and again, in place on a terminal, one after the other elsewhere.

use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Sight;
use crate::apply::stopped;
use crate::cloud::wait::pause;
use crate::command::Context;
use crate::command::session::{Session, signals};
use crate::error::{Error, ErrorKind};
use crate::plan::wrap::seen;

/// Between the end of one look and the next.
const PAUSE: Duration = Duration::from_secs(2);

/// Until a signal says that it is enough.
pub(super) async fn watch(context: &Context, session: &Session) -> Result<ExitCode, Error> {
    let mut stop = signals();
    let mut screen = Screen::new(context);
    let mut last = None;
    loop {
        let Some(sight) = unless(&mut stop, Sight::new(session)).await else {
            break;
        };
        match (sight, &last) {
            (Ok(sight), _) => {
                screen.show(session, &sight, None);
                last = Some(sight);
            }
            // What was seen once is likely to be seen again: a network comes back, a throttle ends.
            (Err(error), Some(sight)) => screen.show(session, sight, Some(&error)),
            (Err(error), None) => return Err(error),
        }
        if unless(&mut stop, pause(PAUSE)).await.is_none() {
            break;
        }
    }
    screen.leave();
    Ok(ExitCode::from(ErrorKind::Stopped.exit_code()))
}

/// Nothing, once a signal has come.
async fn unless<T>(stop: &mut watch::Receiver<bool>, what: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = stopped(stop) => None,
        done = what => Some(done),
    }
}

/// What is drawn over itself where that can be, without a moment in which nothing is there.
struct Screen<'a> {
    context: &'a Context,
    frames: usize,
}

impl<'a> Screen<'a> {
    fn new(context: &'a Context) -> Self {
        Self { context, frames: 0 }
    }

    fn show(&mut self, session: &Session, sight: &Sight, error: Option<&Error>) {
        let context = self.context;
        if context.global.json {
            context.say_json(error.map_or_else(|| sight.json(session), Error::json));
            return;
        }
        let rows = context.rows();
        let now = Timestamp::now().strftime("%H:%M:%S UTC").to_string();
        let time = match error {
            Some(error) => format!("{now}: {}; seen before that:", error.message),
            None if rows.is_some() => format!("{now}, Ctrl-C ends"),
            None => now,
        };
        let time = context.look.faint(&time);
        // Beside the time, and the line that the cursor rests on.
        let room = rows.map(|rows| rows.saturating_sub(3));
        let mut text = format!("{time}\n{}", sight.text(context, session, room));
        for danger in &sight.plan.dangers {
            text.push_str(&format!("warning: {danger}\n"));
        }
        let text = match rows {
            Some(rows) => drawn(&text, rows, context.columns(), self.frames == 0),
            None if self.frames == 0 => text,
            None => format!("\n{text}"),
        };
        context.print(&text);
        self.frames += 1;
    }

    /// The prompt comes beneath what was drawn.
    fn leave(&self) {
        if self.frames > 0 && self.context.rows().is_some() {
            self.context.print("\n");
        }
    }
}

/// Over what was there: each line clears its own rest, and the last one what is below. Never so much that it scrolls.
fn drawn(text: &str, rows: usize, columns: usize, is_first: bool) -> String {
    let clear = if is_first { "\x1b[2J" } else { "" };
    let mut left = rows.saturating_sub(1);
    let fits = |line: &&str| {
        let takes = seen(line).div_ceil(columns).max(1);
        let fits = takes <= left;
        left = left.saturating_sub(takes);
        fits
    };
    let lines: Vec<&str> = text.lines().take_while(fits).collect();
    format!("{clear}\x1b[H{}\x1b[K\x1b[J", lines.join("\x1b[K\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_never_scrolls_and_leaves_nothing_of_the_last() {
        assert_eq!(
            drawn("a\nb\nc\n", 3, 80, false),
            "\u{1b}[Ha\u{1b}[K\nb\u{1b}[K\u{1b}[J"
        );
        // A line that the terminal folds takes two.
        assert_eq!(
            drawn("abc\nd\n", 3, 2, false),
            "\u{1b}[Habc\u{1b}[K\u{1b}[J"
        );
        assert!(drawn("a", 3, 80, true).starts_with("\u{1b}[2J\u{1b}[H"));
    }
}
