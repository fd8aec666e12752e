//! Where lines come from: a stream, or a person at an editor.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use std::collections::BTreeSet;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, Lines};
use tokio::sync::mpsc::UnboundedReceiver;

use super::dialect::Whom;

/// So many names are offered for completion.
const NAMES: usize = 1000;

/// What the editor knows of the conversation.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) people: BTreeSet<String>,
    pub(super) groups: BTreeSet<String>,
    pub(super) prompt: String,
}

/// What comes of a keyboard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    Line(String),
    /// The input is over.
    End,
    /// Ctrl-C at an editor, which hears it as a key.
    Interrupt,
}

pub struct Keyboard {
    source: Source,
    known: Arc<Mutex<Known>>,
    user: String,
}

enum Source {
    Stream(Lines<Box<dyn AsyncBufRead + Unpin>>),
    Editor {
        keys: UnboundedReceiver<Key>,
        /// The editor shows its prompt again when it hears of this.
        go_on: std::sync::mpsc::Sender<()>,
        owed: bool,
    },
}

impl Keyboard {
    /// Lines as they come.
    pub fn stream(input: impl AsyncBufRead + Unpin + 'static) -> Self {
        let input: Box<dyn AsyncBufRead + Unpin> = Box::new(input);
        Self {
            source: Source::Stream(input.lines()),
            known: Arc::default(),
            user: String::new(),
        }
    }

    pub(super) fn editor(
        keys: UnboundedReceiver<Key>,
        go_on: std::sync::mpsc::Sender<()>,
        known: Arc<Mutex<Known>>,
        user: &str,
    ) -> Self {
        Self {
            source: Source::Editor {
                keys,
                go_on,
                owed: false,
            },
            known,
            user: user.to_owned(),
        }
    }

    /// A person is there to answer, and will see what comes.
    pub(super) fn is_editor(&self) -> bool {
        matches!(self.source, Source::Editor { .. })
    }

    /// The next; dropping the wait loses nothing. Whoever asks is done with the one before.
    pub(super) async fn next(&mut self) -> io::Result<Key> {
        match &mut self.source {
            Source::Stream(lines) => Ok(lines.next_line().await?.map_or(Key::End, Key::Line)),
            Source::Editor { keys, go_on, owed } => {
                if std::mem::take(owed) {
                    // An editor that has ended says so by the other channel.
                    go_on.send(()).ok();
                }
                let key = keys.recv().await.unwrap_or(Key::End);
                *owed = true;
                Ok(key)
            }
        }
    }

    /// Names to offer when the person begins to write one.
    pub(super) fn learn(&self, whom: &Whom) {
        let mut known = locked(&self.known);
        match whom {
            Whom::Group(group) => note(&mut known.groups, group),
            Whom::People(people) => people.iter().for_each(|name| note(&mut known.people, name)),
        }
    }

    /// Whom a line without a command goes to.
    pub(super) fn speaks_to(&self, whom: &Whom) {
        let name = match whom {
            Whom::Group(group) => group.clone(),
            Whom::People(people) => people.join(","),
        };
        let user = &self.user;
        locked(&self.known).prompt = super::plain(&format!("{user} → {name}> "));
    }
}

fn note(names: &mut BTreeSet<String>, name: &str) {
    // What cannot be typed as one word cannot be completed.
    let is_word = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_word && names.len() < NAMES {
        names.insert(name.to_owned());
    }
}

pub(super) fn locked(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
