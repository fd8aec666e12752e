//! A person at a terminal: line editing, history, completion; what comes in stands above the line that is being typed.
//!
//! In: keys. Out: lines. Never: a line with a secret in the history, or the terminal left as no shell wants it.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};

use anstyle::{AnsiColor, Style};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::{DefaultHistory, FileHistory};
use rustyline::validate::Validator;
use rustyline::{
    Behavior, ColorMode, CompletionType, Config, Context, Editor, ExternalPrinter, Helper,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::keyboard::{Key, Keyboard, Known, locked};
use super::shown::Screen;
use super::typed::COMMANDS;

/// So many lines are kept for another day.
const KEPT: usize = 1000;

/// How the editor is to be.
#[derive(Debug)]
pub struct Setting {
    /// Who types.
    pub user: String,
    pub colour: bool,
    /// Where lines are kept for another day, if anywhere.
    pub history: Option<PathBuf>,
    /// What may stand in no history, such as the token of this connection.
    pub secrets: Vec<String>,
}

/// The terminal's own part: lines above the one that is being typed.
#[derive(Debug)]
pub struct Above {
    /// Taken when it ends.
    lines: Option<mpsc::Sender<String>>,
    printer: Option<JoinHandle<()>>,
    /// Put back when it ends: the editor may still be reading then.
    _before: Before,
}

/// Opens the editor in a thread of its own, since it blocks.
pub fn open(setting: Setting) -> io::Result<(Keyboard, Above)> {
    let before = Before::now();
    let known = Arc::new(Mutex::new(Known {
        prompt: super::plain(&format!("{}> ", setting.user)),
        ..Known::default()
    }));
    let mut editor = editor(&setting, &known).map_err(io::Error::other)?;
    let printer = editor.create_external_printer().map_err(io::Error::other)?;
    let (keys, typed) = unbounded_channel();
    let (go_on, gone_on) = mpsc::channel();
    let keyboard = Keyboard::editor(typed, go_on, Arc::clone(&known), &setting.user);
    let reading = move || read(editor, &setting, &known, &keys, &gone_on);
    thread::Builder::new()
        .name("editor".to_owned())
        .spawn(reading)?;
    let (lines, shown) = mpsc::channel();
    let printing = move || print(printer, &shown);
    let printer = thread::Builder::new()
        .name("printer".to_owned())
        .spawn(printing)?;
    let above = Above {
        lines: Some(lines),
        printer: Some(printer),
        _before: before,
    };
    Ok((keyboard, above))
}

impl Screen for Above {
    fn write(&mut self, lines: &str) -> io::Result<()> {
        // The printer may wait for the editor, which may wait for us: nobody waits here.
        let sent = self
            .lines
            .as_ref()
            .map(|sender| sender.send(format!("{lines}\n")));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(io::Error::other("the terminal takes no more lines")),
        }
    }
}

impl Drop for Above {
    /// What was written is shown; the keyboard is gone by then, so the editor holds nobody up.
    fn drop(&mut self) {
        drop(self.lines.take());
        if let Some(printer) = self.printer.take() {
            printer.join().ok();
        }
    }
}

fn print(mut printer: impl ExternalPrinter, lines: &mpsc::Receiver<String>) {
    for line in lines {
        if printer.print(line).is_err() {
            return;
        }
    }
}

type Line = Editor<Help, FileHistory>;

fn editor(setting: &Setting, known: &Arc<Mutex<Known>>) -> rustyline::Result<Line> {
    let config = Config::builder()
        .max_history_size(KEPT)?
        // As in a shell: a line that begins with a space is nobody's to keep.
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .behavior(Behavior::Stdio)
        .color_mode(if setting.colour {
            ColorMode::Enabled
        } else {
            ColorMode::Disabled
        })
        .build();
    let history = DefaultHistory::with_config(&config);
    let mut editor = Editor::with_history(config, history)?;
    editor.set_helper(Some(Help {
        known: Arc::clone(known),
    }));
    if let Some(path) = &setting.history {
        // The first time there is none.
        editor.load_history(path).ok();
    }
    Ok(editor)
}

/// Reads until the input ends or nobody listens.
fn read(
    mut editor: Line,
    setting: &Setting,
    known: &Mutex<Known>,
    keys: &UnboundedSender<Key>,
    gone_on: &mpsc::Receiver<()>,
) {
    loop {
        let prompt = locked(known).prompt.clone();
        let key = match editor.readline(prompt.as_str()) {
            Ok(line) => {
                keep(&mut editor, setting, &line);
                Key::Line(line)
            }
            Err(ReadlineError::Interrupted) => Key::Interrupt,
            Err(_) => Key::End,
        };
        let is_line = matches!(key, Key::Line(_));
        if keys.send(key).is_err() || !is_line || gone_on.recv().is_err() {
            return;
        }
    }
}

/// Into the history, unless it is a secret. What cannot be kept is no reason to stop talking.
fn keep(editor: &mut Line, setting: &Setting, line: &str) {
    if is_secret(line, &setting.secrets) {
        return;
    }
    let is_new = editor.add_history_entry(line).unwrap_or(false);
    if let (true, Some(path)) = (is_new, &setting.history) {
        store(editor, path).ok();
    }
}

fn store(editor: &mut Line, path: &Path) -> rustyline::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    editor.append_history(path)
}

/// A token, or what calls itself a secret.
fn is_secret(line: &str, secrets: &[String]) -> bool {
    let lower = line.to_lowercase();
    let says_so = ["token", "password", "secret", "authorization", "bearer "];
    // How every JSON Web Token begins: `{"` in base64.
    line.contains("eyJ")
        || says_so.iter().any(|word| lower.contains(word))
        || secrets
            .iter()
            .any(|secret| !secret.is_empty() && line.contains(secret))
}

/// Completion, hints and the prompt's colour.
struct Help {
    known: Arc<Mutex<Known>>,
}

impl Helper for Help {}
impl Validator for Help {}

impl Highlighter for Help {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        _default: bool,
    ) -> Cow<'b, str> {
        let style = AnsiColor::Green.on_default();
        Cow::Owned(format!("{style}{prompt}{style:#}"))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        let style = Style::new().dimmed();
        Cow::Owned(format!("{style}{hint}{style:#}"))
    }

    fn highlight_char(&self, _line: &str, _pos: usize, _kind: CmdKind) -> bool {
        false
    }
}

impl Hinter for Help {
    type Hint = String;

    /// What a command still wants.
    fn hint(&self, line: &str, pos: usize, _ctx: &Context<'_>) -> Option<String> {
        let name = line.strip_prefix('/').filter(|_| pos == line.len())?;
        let (_, args, _) = COMMANDS.iter().find(|(known, ..)| *known == name)?;
        (!args.is_empty()).then(|| format!(" {args}"))
    }
}

impl Completer for Help {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _ctx: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(complete(&line[..pos], &locked(&self.known)))
    }
}

/// From where on, and by what, the last word may be replaced.
fn complete(line: &str, known: &Known) -> (usize, Vec<Pair>) {
    let Some(slash) = line.strip_prefix('/') else {
        return (line.len(), Vec::new());
    };
    let Some((command, rest)) = slash.split_once(' ') else {
        let names = COMMANDS.iter().map(|(name, ..)| *name);
        return (1, pairs(names, slash));
    };
    let is_first = !rest.contains(' ');
    let begun = rest.rsplit([',', ' ']).next().unwrap_or(rest);
    let start = line.len() - begun.len();
    let people = || known.people.iter().map(String::as_str);
    let groups = || known.groups.iter().map(String::as_str);
    let found = match command {
        "to" if is_first => pairs(people(), begun),
        "typing" | "presence" => pairs(people(), begun),
        "group" | "catchup" if is_first => pairs(groups(), begun),
        _ => Vec::new(),
    };
    (start, found)
}

fn pairs<'a>(names: impl Iterator<Item = &'a str>, begun: &str) -> Vec<Pair> {
    let pair = |name: &str| Pair {
        display: name.to_owned(),
        replacement: format!("{name} "),
    };
    names
        .filter(|name| name.starts_with(begun))
        .map(pair)
        .collect()
}

/// The terminal as it was before the editor took it.
#[derive(Debug)]
struct Before {
    #[cfg(unix)]
    mode: Option<nix::sys::termios::Termios>,
}

impl Before {
    fn now() -> Self {
        Self {
            #[cfg(unix)]
            mode: nix::sys::termios::tcgetattr(io::stdin()).ok(),
        }
    }
}

#[cfg(unix)]
impl Drop for Before {
    /// The editor's thread may sit in a read that nothing ends, with the terminal in its hands.
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcgetattr, tcsetattr};
        let Some(mode) = &self.mode else { return };
        let is_taken = tcgetattr(io::stdin()).is_ok_and(|now| now != *mode);
        if is_taken {
            // A terminal that is gone needs nothing put back.
            tcsetattr(io::stdin(), SetArg::TCSADRAIN, mode).ok();
            io::Write::write_all(&mut io::stdout(), NO_PASTE).ok();
        }
    }
}

/// Bracketed paste off, and a line of one's own.
#[cfg(unix)]
const NO_PASTE: &[u8] = b"\x1b[?2004l\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> (usize, Vec<String>) {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let known = Known {
            people: names(&["alice", "bob", "bert"]),
            groups: names(&["ward-3"]),
            prompt: String::new(),
        };
        let (start, pairs) = complete(line, &known);
        (
            start,
            pairs.into_iter().map(|pair| pair.replacement).collect(),
        )
    }

    #[test]
    fn commands_and_names_are_completed() {
        for (line, start, words) in [
            ("/t", 1, &["to ", "typing "][..]),
            ("/to b", 4, &["bert ", "bob "]),
            ("/to alice,bo", 10, &["bob "]),
            ("/to alice b", 10, &[]),
            ("/group w", 7, &["ward-3 "]),
            ("/presence alice b", 16, &["bert ", "bob "]),
            ("hello b", 7, &[]),
        ] {
            let words = words.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(offered(line), (start, words), "{line}");
        }
    }

    #[test]
    fn no_secret_is_kept() {
        let own = ["opaque-1".to_owned(), String::new()];
        for line in [
            "/raw eyJhbGciOi",
            r#"{"action":"auth","Token":"x"}"#,
            "my password is x",
            "/raw opaque-1",
        ] {
            assert!(is_secret(line, &own), "{line}");
        }
        assert!(!is_secret("/to bob hi", &own));
    }
}
