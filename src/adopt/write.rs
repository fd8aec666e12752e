//! Makes text of what was read.
//!
//! In: a [`System`] and a name. Out: a stack file with a comment at each thing that it has no word for. It is loaded
//! with our own loader before it is given away, so that what is written is never refused.

mod api;
mod environment;
mod functions;
mod head;
mod tables;

use super::keys::Keys;
use super::system::{Fate, Function, Note, System};
use super::yaml::Page;
use crate::stack::{self, Problems};
pub use environment::Secret;
use environment::{Derived, derived};

/// A stack file, and what goes with it.
#[derive(Debug, Clone)]
pub struct Written {
    pub text: String,
    /// The stack's name.
    pub name: String,
    /// What the file names for being taken over.
    pub adopt: Vec<String>,
    pub notes: Vec<Note>,
    /// Variables that have to be in the environment, for the file to load.
    pub secrets: Vec<Secret>,
    /// Where the code of each function belongs, and where it can be had.
    pub code: Vec<Code>,
}

/// The code of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    pub function: String,
    /// From the stack file's folder, such as `functions/chat-send.zip`.
    pub path: String,
    pub location: Option<String>,
    /// By which Lambda knows it.
    pub sha256: String,
}

/// The stack file of a system, called `name` unless msgai has marked it with another.
///
/// # Errors
/// The file would not load: something that runs breaks a rule of stack files.
pub fn write(system: &System, name: &str) -> Result<Written, Problems> {
    let (name, suffix) = identity(system, name);
    let writer = |derived| Writer {
        system,
        name: &name,
        suffix: &suffix,
        keys: Keys::of(system),
        derived,
        page: Page::default(),
        notes: Vec::new(),
        secrets: environment::secrets(system),
        code: Vec::new(),
    };
    // What the tool derives is known once the file is: so once without the environments, and then with what is left.
    let bare = writer(None).whole();
    let loaded = load(&bare)?;
    let written = writer(Some(derived(system, &loaded))).whole();
    load(&written)?;
    Ok(written)
}

/// A stack's name, and the suffix where its mark has one that no name can have.
fn identity(system: &System, name: &str) -> (String, String) {
    let Some(mark) = &system.mark else {
        return (stack::stack_name(name), String::new());
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let end = mark.find(|c| !fits(c)).unwrap_or(mark.len());
    let (name, suffix) = mark.split_at(end);
    (name.to_owned(), suffix.to_owned())
}

/// Secrets are in the environment of whoever will use it; here, a word stands for each.
fn load(written: &Written) -> Result<stack::Loaded, Problems> {
    stack::load_text(&written.text, stack::FILE, None, &|_| {
        Some("secret".to_owned())
    })
}

struct Writer<'a> {
    system: &'a System,
    name: &'a str,
    /// What ends every physical name, so that the file has them without it.
    suffix: &'a str,
    keys: Keys,
    /// `None` at first: nothing is known of it, and no environment is written.
    derived: Option<Derived>,
    page: Page,
    notes: Vec<Note>,
    secrets: Vec<Secret>,
    code: Vec<Code>,
}

impl Writer<'_> {
    fn whole(mut self) -> Written {
        let adopt = self.adopted();
        self.head(&adopt);
        self.tables();
        self.role();
        self.functions();
        self.api();
        self.logs();
        self.auth();
        let existing = self.existing();
        // A table that is only used is not changed, whatever it is.
        let of_used = |note: &Note| {
            let table = note.of.strip_prefix("table/");
            note.fate != Fate::Open && table.is_some_and(|table| existing.contains(table))
        };
        let mut notes: Vec<Note> = self.system.notes.clone();
        notes.retain(|note| !of_used(note));
        notes.extend(self.notes);
        notes.sort();
        notes.dedup();
        Written {
            text: self.page.into_text(),
            name: self.name.to_owned(),
            adopt,
            notes,
            secrets: self.secrets,
            code: self.code,
        }
    }

    /// The notes on one thing, as comments.
    fn remarks(&mut self, depth: usize, of: &str) {
        let all = self.system.notes.iter().chain(&self.notes);
        let mine: Vec<Note> = all.filter(|note| note.of == of).cloned().collect();
        for note in mine {
            let word = match note.fate {
                Fate::Changes => "changes",
                Fate::Stays => "stays",
                Fate::Open => "not known",
            };
            let subject = match of.split_once('/') {
                // Of what is not in the file, or has no line of its own, the name has to be said.
                Some(("route" | "stage" | "role" | "authorizer", _)) => format!("{of}: "),
                _ => String::new(),
            };
            self.page
                .comment(depth, &format!("{word}: {subject}{}", note.text));
        }
    }

    /// A physical name as the file has it.
    fn own<'n>(&self, name: &'n str) -> &'n str {
        name.strip_suffix(self.suffix).unwrap_or(name)
    }

    fn of_function<'f>(&self, function: &'f Function) -> (&str, &'f str) {
        (&self.keys.functions[&function.name], &function.name)
    }
}

fn days(retention: Option<i32>) -> String {
    retention.map_or_else(
        || stack::Retention::FOREVER.to_owned(),
        |days| format!("{days}d"),
    )
}
