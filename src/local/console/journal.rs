//! What happened lately, for the pages that are open: numbered, bounded, and kept only while somebody looks.
//!
//! While no page is open a line costs one look at a flag. A page that falls behind the oldest line kept is told how
//! many it has missed; it never holds anything up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use crate::local::clock::Clock;
use crate::local::{World, ids, locked};

/// What is kept at most.
const LINES: usize = 2000;
const BYTES: usize = 8 * 1024 * 1024;
/// What one batch carries at most.
const BATCH: usize = 200;
/// How long lines are kept on after the last page has gone: it may only be reloading.
const LINGER: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Journal {
    /// Differs between two clouds, so that a page knows a restart.
    boot: String,
    watched: AtomicBool,
    kept: Mutex<Kept>,
    /// Changes with every line; true once the cloud stops.
    news: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    bytes: usize,
    /// The number of the oldest line kept; the first ever is 1.
    first: u64,
    pages: usize,
    /// When the last page went.
    left: Duration,
}

/// Lines that follow each other.
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    /// The number of the first.
    pub(super) first: u64,
    pub(super) last: u64,
    /// How many are gone between what was read before and this.
    pub(super) lost: u64,
    /// A JSON array.
    pub(super) lines: String,
}

#[derive(Serialize)]
struct Line<'a, T> {
    at: u64,
    #[serde(flatten)]
    what: &'a T,
}

impl Default for Journal {
    fn default() -> Self {
        let kept = Kept {
            first: 1,
            ..Kept::default()
        };
        Self {
            boot: ids::hex(8),
            watched: AtomicBool::new(false),
            kept: Mutex::new(kept),
            news: watch::Sender::new(false),
        }
    }
}

impl Journal {
    /// Whether a page is open, or was a moment ago.
    pub(crate) fn watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, clock: &Clock, what: &impl Serialize) {
        if !self.watched() {
            return;
        }
        let at = clock.millis();
        let Ok(line) = serde_json::to_string(&Line { at, what }) else {
            return;
        };
        let mut kept = locked(&self.kept);
        if kept.pages == 0 && clock.now().saturating_sub(kept.left) > LINGER {
            self.watched.store(false, Ordering::Relaxed);
            kept.forget();
            return;
        }
        kept.push(line);
        drop(kept);
        self.news.send_modify(|_| {});
    }

    /// Ends what pages read.
    pub(crate) fn close(&self) {
        self.news.send_modify(|closed| *closed = true);
    }

    fn after(&self, number: u64) -> Option<Batch> {
        locked(&self.kept).after(number)
    }
}

impl Kept {
    /// The number of the newest line, also when none is kept.
    fn newest(&self) -> u64 {
        self.first + self.lines.len() as u64 - 1
    }

    fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(line) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= line.len();
            self.first += 1;
        }
    }

    fn forget(&mut self) {
        self.first = self.newest() + 1;
        self.lines = VecDeque::new();
        self.bytes = 0;
    }

    /// The lines that follow line `number`.
    fn after(&self, number: u64) -> Option<Batch> {
        let first = (number + 1).max(self.first);
        let skipped = usize::try_from(first - self.first).ok()?;
        let mut lines = String::new();
        let mut last = number;
        for (line, number) in self.lines.iter().skip(skipped).take(BATCH).zip(first..) {
            lines.push(if lines.is_empty() { '[' } else { ',' });
            lines.push_str(line);
            last = number;
        }
        if lines.is_empty() {
            return None;
        }
        lines.push(']');
        Some(Batch {
            first,
            last,
            lost: first - number - 1,
            lines,
        })
    }
}

/// One page's place in the journal; while it lives the journal is kept.
pub(super) struct Reader {
    world: Arc<World>,
    /// The line read last.
    last: u64,
    news: watch::Receiver<bool>,
}

impl Reader {
    /// Reads on after `mark`, the mark of an earlier batch of this cloud, or from the oldest line that is kept.
    pub(super) fn open(world: &Arc<World>, mark: Option<&str>) -> Self {
        let journal = &world.journal;
        let news = journal.news.subscribe();
        let mut kept = locked(&journal.kept);
        kept.pages += 1;
        let of_this_boot = |mark: &str| {
            mark.strip_prefix(&journal.boot)?
                .strip_prefix('-')?
                .parse()
                .ok()
        };
        let oldest = kept.first - 1;
        let last = mark.and_then(of_this_boot).filter(|n| *n <= kept.newest());
        drop(kept);
        journal.watched.store(true, Ordering::Relaxed);
        Self {
            world: Arc::clone(world),
            last: last.unwrap_or(oldest),
            news,
        }
    }

    /// The next lines, once there are some; `None` when the cloud stops.
    pub(super) async fn next(&mut self) -> Option<Batch> {
        loop {
            if *self.news.borrow_and_update() {
                return None;
            }
            if let Some(batch) = self.world.journal.after(self.last) {
                self.last = batch.last;
                return Some(batch);
            }
            self.news.changed().await.ok()?;
        }
    }

    /// What names the place before line `number + 1`.
    pub(super) fn mark(&self, number: u64) -> String {
        format!("{}-{number}", self.world.journal.boot)
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut kept = locked(&self.world.journal.kept);
        kept.pages -= 1;
        kept.left = self.world.clock.now();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::local::tests_support::world;

    fn note(world: &World, n: usize) {
        world.journal.note(&world.clock, &json!({ "n": n }));
    }

    fn numbers(batch: &Batch) -> Vec<u64> {
        let lines: Vec<Value> = serde_json::from_str(&batch.lines).unwrap();
        lines.iter().map(|l| l["n"].as_u64().unwrap()).collect()
    }

    #[tokio::test]
    async fn nothing_is_kept_until_a_page_is_open() {
        let world = Arc::new(world());
        note(&world, 1);
        assert!(!world.journal.watched());
        let mut page = Reader::open(&world, None);
        note(&world, 2);
        let batch = page.next().await.unwrap();
        assert_eq!((numbers(&batch), batch.lost), (vec![2], 0));
    }

    #[tokio::test]
    async fn a_page_that_comes_back_goes_on_where_it_was() {
        let world = Arc::new(world());
        let mut page = Reader::open(&world, None);
        note(&world, 1);
        let last = page.next().await.unwrap().last;
        let mark = page.mark(last);
        drop(page);
        note(&world, 2);
        let mut page = Reader::open(&world, Some(&mark));
        assert_eq!(numbers(&page.next().await.unwrap()), [2]);
        // A mark of another cloud, or of nothing, begins with what is kept.
        for other in ["0-1", "", "x", &format!("{}-99", world.journal.boot)] {
            let mut page = Reader::open(&world, Some(other));
            assert_eq!(numbers(&page.next().await.unwrap()), [1, 2], "{other}");
        }
    }

    #[tokio::test]
    async fn a_page_that_falls_behind_is_told_what_it_missed() {
        let world = Arc::new(world());
        let mut page = Reader::open(&world, None);
        for n in 0..LINES + 7 {
            note(&world, n);
        }
        let batch = page.next().await.unwrap();
        assert_eq!((batch.lost, batch.first), (7, 8));
        assert_eq!(numbers(&batch), (7..7 + BATCH as u64).collect::<Vec<_>>());
        let batch = page.next().await.unwrap();
        assert_eq!((batch.lost, batch.first), (0, 8 + BATCH as u64));
    }

    #[tokio::test]
    async fn few_long_lines_are_bounded_too() {
        let world = Arc::new(world());
        let mut page = Reader::open(&world, None);
        let long = json!({ "text": "x".repeat(BYTES / 3) });
        for _ in 0..3 {
            world.journal.note(&world.clock, &long);
        }
        assert_eq!(page.next().await.unwrap().lost, 1);
    }

    #[tokio::test]
    async fn lines_are_forgotten_a_while_after_the_last_page() {
        let world = Arc::new(world());
        drop(Reader::open(&world, None));
        note(&world, 1);
        world.clock.turn(LINGER);
        note(&world, 2);
        assert!(world.journal.watched());
        world.clock.turn(Duration::from_secs(1));
        note(&world, 3);
        assert!(!world.journal.watched());
        let mut page = Reader::open(&world, None);
        note(&world, 4);
        let batch = page.next().await.unwrap();
        assert_eq!((numbers(&batch), batch.first, batch.lost), (vec![4], 3, 0));
    }

    #[tokio::test]
    async fn a_cloud_that_stops_ends_its_pages() {
        let world = Arc::new(world());
        let mut page = Reader::open(&world, None);
        world.close();
        assert_eq!(page.next().await, None);
    }
}
