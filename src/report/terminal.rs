//! A live view for a terminal: one bar for the whole, one spinner for each change under way.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Event, Reporter, seconds};
use crate::names::ResourceId;
use crate::plan::render::Look;
use crate::plan::wrap::{COLUMNS, elide, wrap};

pub struct Terminal {
    all: MultiProgress,
    whole: Option<ProgressBar>,
    running: BTreeMap<ResourceId, (ProgressBar, &'static str)>,
    look: Look,
    width: Option<usize>,
}

impl Terminal {
    /// Draws on stderr.
    pub fn new(look: Look, width: Option<usize>) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self {
            all,
            whole: None,
            running: BTreeMap::new(),
            look,
            width,
        }
    }

    fn say(&self, text: &str) {
        // Where the terminal has gone there is nobody to tell.
        let text = match self.width {
            Some(width) => wrap(text, width),
            None => text.to_owned(),
        };
        self.all.println(text).ok();
    }

    fn columns(&self) -> usize {
        self.width.unwrap_or(COLUMNS)
    }

    fn close(&mut self, id: &ResourceId) -> &'static str {
        let Some((spinner, symbol)) = self.running.remove(id) else {
            return " ";
        };
        spinner.finish_and_clear();
        self.all.remove(&spinner);
        symbol
    }

    fn step(&self) {
        if let Some(whole) = &self.whole {
            whole.inc(1);
        }
    }
}

impl Reporter for Terminal {
    fn begin(&mut self, changes: usize) {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        let length = u64::try_from(changes).unwrap_or(u64::MAX);
        let bar = self.all.add(ProgressBar::new(length).with_style(style));
        bar.enable_steady_tick(Duration::from_millis(250));
        self.whole = Some(bar);
    }

    fn on(&mut self, event: &Event) {
        match event {
            Event::Started { id, symbol, .. } => {
                let style = ProgressStyle::with_template("{spinner} {prefix} {wide_msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner());
                let spinner = ProgressBar::new_spinner().with_style(style);
                let spinner = match &self.whole {
                    Some(whole) => self.all.insert_before(whole, spinner),
                    None => self.all.add(spinner),
                };
                // The rest of the line is for what it waits for.
                let columns = self.columns() * 5 / 8;
                spinner.set_prefix(elide(&format!("{symbol} {id}"), columns));
                spinner.enable_steady_tick(Duration::from_millis(120));
                self.running.insert(id.clone(), (spinner, symbol));
            }
            Event::Waiting { id, on } => {
                if let Some((spinner, _)) = self.running.get(id) {
                    spinner.set_message(on.clone());
                }
            }
            Event::Finished { id, took } => {
                let symbol = self.close(id);
                let took = seconds(*took);
                // A line that fills its row to the end makes some terminals begin another.
                let room = self.columns().saturating_sub(took.len() + 3);
                let head = elide(&format!("{symbol:>3} {id}"), room);
                let head = self.look.of_symbol(symbol, &head);
                self.say(&format!("{head}  {}", self.look.faint(&took)));
                self.step();
            }
            Event::Failed { id, error, hint } => {
                self.close(id);
                self.say(
                    &self
                        .look
                        .of_symbol("-", &format!("  ! {id} failed: {error}")),
                );
                if let Some(hint) = hint {
                    self.say(&format!("    hint: {hint}"));
                }
                self.step();
            }
            Event::Skipped { id, because } => {
                self.say(&format!("    {id} skipped: {because} is not done"));
                self.step();
            }
            Event::Stopping { left } => {
                self.say(&format!(
                    "stopping: {left} changes are not begun; once more to stop at once"
                ));
            }
        }
    }

    fn note(&mut self, text: &str) {
        self.say(text);
    }

    fn end(&mut self) {
        for (spinner, _) in std::mem::take(&mut self.running).into_values() {
            spinner.finish_and_clear();
        }
        if let Some(whole) = self.whole.take() {
            whole.finish_and_clear();
        }
    }
}
