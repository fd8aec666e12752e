//! One verb, one file: arguments in, library calls, report out.
//!
//! This module resolves what all verbs share, runs one, and turns its end into an exit code.

pub mod bench;
pub mod completions;
pub mod connect;
pub mod cost;
pub mod deploy;
pub mod destroy;
pub mod dev;
pub mod diff;
pub mod history;
pub mod init;
pub mod logs;
pub mod man;
pub mod measured;
pub mod metrics;
pub mod outputs;
pub mod policy;
pub mod rollback;
pub mod send;
pub mod smoke;
pub mod status;
pub mod token;
pub mod unlock;
pub mod validate;
pub mod version;

mod code;
mod door;
mod links;
mod local;
mod output;
mod preflight;
mod prune;
mod record;
mod run;
mod screen;
mod session;
mod usage;
mod who;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::{Cli, Command, Global, When};
use crate::error::{Error, ErrorKind};
use crate::plan::render::Look;
use crate::plan::wrap::wrap;
use crate::report::Reporter;
use crate::report::json::Json;
use crate::report::lines::Lines;
use crate::report::terminal::Terminal;
use crate::stack::Loaded;

/// What every verb gets: the global flags, and how to show things.
pub(crate) struct Context {
    pub(crate) global: Global,
    /// For what goes to stdout.
    pub(crate) look: Look,
    /// For what goes to stderr.
    pub(crate) look_err: Look,
    /// Somebody can be asked.
    pub(crate) can_ask: bool,
    /// stderr is a terminal that can be drawn on.
    pub(crate) can_draw: bool,
}

/// Runs the command that was parsed.
pub fn run(cli: Cli) -> ExitCode {
    let context = Context::new(cli.global.settled());
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return context.fail(&Error::failed(format!(
                "the async runtime does not start: {error}"
            )));
        }
    };
    let done = runtime.block_on(dispatch(&context, cli.command));
    // Whatever still runs in the background, such as a build that a signal interrupted, is not waited for.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(error) => context.fail(&error),
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Init(args) => Box::pin(init::run(context, &args)).await,
        Command::Validate(args) => validate::run(context, &args).await,
        Command::Diff(args) => Box::pin(diff::run(context, &args)).await,
        Command::Deploy(args) => Box::pin(deploy::run(context, &args)).await,
        Command::Status(args) => Box::pin(status::run(context, &args)).await,
        Command::Destroy(args) => Box::pin(destroy::run(context, &args)).await,
        Command::Rollback(args) => Box::pin(rollback::run(context, &args)).await,
        Command::History(args) => Box::pin(history::run(context, &args)).await,
        Command::Unlock => Box::pin(unlock::run(context)).await,
        Command::Outputs(args) => Box::pin(outputs::run(context, &args)).await,
        Command::Logs(args) => Box::pin(logs::run(context, &args)).await,
        Command::Cost(args) => cost::run(context, &args).await,
        Command::Policy(args) => Box::pin(policy::run(context, &args)).await,
        Command::Dev(args) => Box::pin(dev::run(context, &args)).await,
        Command::Connect(args) => Box::pin(connect::run(context, &args)).await,
        Command::Send(args) => Box::pin(send::run(context, &args)).await,
        Command::Smoke(args) => Box::pin(smoke::run(context, &args)).await,
        Command::Bench(args) => Box::pin(bench::run(context, &args)).await,
        Command::Token(args) => Box::pin(token::run(context, &args)).await,
        Command::Schema => {
            context.print(&crate::stack::schema_text());
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions(args) => Ok(completions::run(context, &args)),
        Command::Man(args) => man::run(context, &args),
        Command::Version => version::run(context),
    }
}

/// A command line that clap does not take, or a question that it answers itself.
pub fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Where the pipe is closed nobody reads.
        error.print().ok();
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let told = usage::told(error, &words);
    if wants_json() {
        let mut object = told.json();
        object["at"] = json!(now());
        writeln!(std::io::stdout(), "{object}").ok();
    } else {
        let says = |name: &str| environment(name).filter(|said| !said.is_empty());
        let plain = says("NO_COLOR").is_some()
            || says("TERM").is_some_and(|term| term == "dumb")
            || says("CI").is_some_and(|ci| ci != "false");
        let colour = !plain && std::io::stderr().is_terminal();
        writeln!(std::io::stderr(), "{}", shown(&told, Look { colour })).ok();
    }
    ExitCode::from(ErrorKind::Usage.exit_code())
}

/// Whether errors are for a program, when the command line could not be read.
fn wants_json() -> bool {
    let variable = environment("MSGAI_JSON").unwrap_or_default();
    let said = !matches!(
        variable.to_ascii_lowercase().as_str(),
        "" | "0" | "f" | "false" | "n" | "no" | "off"
    );
    said || std::env::args_os().any(|word| word == "--json")
}

impl Context {
    fn new(global: Global) -> Self {
        let plain = is_plain(&global);
        let colour = |is_terminal: bool| match global.color {
            When::Always => true,
            When::Never => false,
            When::Auto => is_terminal && !plain,
        };
        let err_is_terminal = std::io::stderr().is_terminal();
        Self {
            look: Look {
                colour: colour(std::io::stdout().is_terminal()),
            },
            look_err: Look {
                colour: colour(err_is_terminal),
            },
            can_ask: std::io::stdin().is_terminal() && err_is_terminal,
            can_draw: err_is_terminal && !plain,
            global,
        }
    }

    /// Nothing is drawn or coloured unless that is asked for.
    fn is_plain(&self) -> bool {
        is_plain(&self.global)
    }

    /// Data: to stdout, as it is.
    #[expect(
        clippy::unused_self,
        reason = "where things go is the context's to say"
    )]
    pub(crate) fn print(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // A closed pipe is how `| head` says that it has seen enough.
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .ok();
    }

    /// One JSON document, or one line of them.
    pub(crate) fn print_json(&self, value: &Value) {
        self.print(&format!("{value}\n"));
    }

    /// One JSON object of a run, with its time.
    pub(crate) fn say_json(&self, mut value: Value) {
        value["at"] = json!(now());
        self.print_json(&value);
    }

    /// A word beside the data: to stderr, unless quiet.
    pub(crate) fn say(&self, text: &str) {
        if !self.global.quiet {
            self.warn(text);
        }
    }

    /// In the place of the last line that was drawn on stderr; nothing, where that cannot be.
    pub(crate) fn draw(&self, text: &str) {
        if self.can_draw && !self.global.quiet {
            // Back to the line's beginning, and away with what was there.
            write!(std::io::stderr(), "\r\u{1b}[K{text}").ok();
        }
    }

    /// To stderr, quiet or not.
    pub(crate) fn warn(&self, text: &str) {
        let text = match self.columns_of_stderr() {
            Some(width) => wrap(text, width),
            None => text.to_owned(),
        };
        writeln!(std::io::stderr(), "{text}").ok();
    }

    /// What the file itself is warned of, with the lines in question for who checks it.
    pub(crate) fn warnings(&self, loaded: &Loaded) {
        if self.global.json {
            return;
        }
        let colour = self.look_err.colour;
        let text = if self.global.verbose {
            loaded.render_warnings(colour)
        } else {
            loaded.brief_warnings(colour)
        };
        if !text.is_empty() {
            self.say(text.trim_end());
        }
    }

    fn fail(&self, error: &Error) -> ExitCode {
        if self.global.json {
            self.say_json(error.json());
        } else {
            self.warn(&shown(error, self.look_err));
        }
        ExitCode::from(error.kind.exit_code())
    }

    /// Whoever shows how a plan is carried out.
    pub(crate) fn reporter(&self) -> Box<dyn Reporter> {
        if self.global.json {
            Box::new(Json::new(std::io::stdout(), now))
        } else if self.global.quiet {
            Box::new(Lines::failures(std::io::stderr()))
        } else if self.can_draw {
            Box::new(Terminal::new(self.look_err, self.columns_of_stderr()))
        } else {
            Box::new(Lines::new(std::io::stderr()))
        }
    }

    /// A yes or no on the terminal; without one, the flag that answers is named.
    pub(crate) fn confirm(&self, question: &str, what: &str) -> Result<(), Error> {
        if self.global.yes {
            return Ok(());
        }
        match self
            .ask(&format!("{question} [y/N] "), what)?
            .to_ascii_lowercase()
            .as_str()
        {
            "y" | "yes" => Ok(()),
            _ => Err(Error::refused(format!(
                "{what} was not confirmed, nothing is changed"
            ))),
        }
    }

    /// One line from the person at the terminal.
    pub(crate) fn ask(&self, question: &str, what: &str) -> Result<String, Error> {
        if !self.can_ask {
            return Err(Error::refused(format!(
                "{what} asks first, and there is no terminal to ask on"
            ))
            .hint("say `--yes` to answer beforehand"));
        }
        write!(std::io::stderr(), "{question}").ok();
        std::io::stderr().flush().ok();
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Error::failed(format!("the answer cannot be read: {error}")))?;
        Ok(answer.trim().to_owned())
    }
}

/// A terminal that takes text and nothing else, a pipeline's log, or a person who wants no more.
fn is_plain(global: &Global) -> bool {
    let ci = global.ci.as_deref();
    global.no_color.is_some()
        || global.term.as_deref() == Some("dumb")
        || ci.is_some_and(|ci| !ci.is_empty() && ci != "false")
}

/// RFC 3339, in UTC.
fn now() -> String {
    Timestamp::now().to_string()
}

/// The process's environment, for `${env:…}` in a stack file.
#[expect(
    clippy::disallowed_methods,
    reason = "the file names these variables, not a flag"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// An error with colour where there may be some.
fn shown(error: &Error, look: Look) -> String {
    let text = error.to_string();
    if error.verbatim.is_some() {
        return text;
    }
    let head = look.of_symbol("-", "error:");
    let line = |line: &str| match line.strip_prefix("error:") {
        Some(rest) => format!("{head}{rest}"),
        None => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
