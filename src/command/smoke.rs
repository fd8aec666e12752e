//! `smoke`: two real clients against the deployed URL, step by step, with timings.

mod after;
mod words;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Context;
use super::door::Door;
use super::token;
use crate::cli::talk;
use crate::error::Error;
use crate::talk::play::{PlayOptions, play_timed};
use crate::talk::script::Script;
use crate::talk::transcript::{Line, Mark, PlayError};
use words::{Cast, conversation};

pub(crate) use after::Smoke;
pub(super) use words::way_to_send;

/// A conversation from a file.
pub(crate) fn read_script(path: &Path) -> Result<(String, Script), Error> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| {
        Error::failed(format!("cannot read the conversation {name}: {e}"))
            .hint("a conversation is lines such as `alice connects ?userId=alice`")
    })?;
    let script = Script::parse(&text).map_err(|e| Error::failed(format!("{name}: {e}")))?;
    Ok((name, script))
}

/// What is tried, and where in it each step ends.
struct Trial {
    script: Script,
    /// Each step's name and last line.
    steps: Vec<(String, usize)>,
    secrets: BTreeMap<String, String>,
}

/// A step that was tried.
struct Tried {
    name: String,
    took: Duration,
    failed: bool,
}

pub(crate) async fn run(context: &Context, args: &talk::Smoke) -> Result<ExitCode, Error> {
    let door = Door::find(context, args.url.as_deref()).await?;
    let trial = match &args.script {
        Some(path) => written(&door, path)?,
        None => built_in(context, &door, args)?,
    };
    let mut tell = |line: &Line| {
        if context.global.verbose && !context.global.json {
            context.say(&line.to_string());
        }
    };
    let options = PlayOptions {
        authority: door.authority(),
        secrets: trial.secrets.clone(),
        ..PlayOptions::default()
    };
    let begun = Instant::now();
    let mut marks = Vec::new();
    let playing = play_timed(&trial.script, &door.base, &options, &mut tell, &mut marks);
    let done = Box::pin(playing).await;
    let took = begun.elapsed();
    let tried = tried(&trial.steps, &marks, done.as_ref().err(), took);
    show(context, &door, &tried, took);
    match done {
        Ok(summary) => {
            if !context.global.json {
                context.say(&format!(
                    "Smoke test passed, with {} connections and {}.",
                    summary.connections,
                    counted(summary.sent)
                ));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(
            Error::failed(format!("the smoke test failed: {}", error.story())).hint(
                "`--verbose` shows every frame, `msgai logs --since 5m` what the functions wrote",
            ),
        ),
    }
}

pub(super) fn counted(messages: usize) -> String {
    match messages {
        1 => "1 message".to_owned(),
        n => format!("{n} messages"),
    }
}

/// Each statement of somebody's own conversation is a step.
fn written(door: &Door, path: &Path) -> Result<Trial, Error> {
    let (_, script) = read_script(path)?;
    let secrets = token::secrets(door.mints(), &script)?;
    Ok(Trial {
        steps: script.outline().map(|(line, text)| (text, line)).collect(),
        script,
        secrets,
    })
}

fn built_in(context: &Context, door: &Door, args: &talk::Smoke) -> Result<Trial, Error> {
    let mut secrets = BTreeMap::new();
    let [alice, bob] = [&args.token, &args.other_token].map(|token| {
        // A variable that is set to nothing is not set.
        token.as_ref().filter(|token| !token.is_empty())
    });
    let cast = match (alice, bob) {
        (Some(alice), bob) => {
            let bob = bob.unwrap_or(alice);
            for (letter, token) in [("a", alice), ("b", bob)] {
                let token = form_urlencoded::byte_serialize(token.as_bytes()).collect();
                secrets.insert(format!("given:{letter}"), token);
            }
            Cast::given(token::subject(alice), token::subject(bob))
        }
        (None, _) if door.mints().is_some() => Cast::minted(),
        (None, _) if door.asks_for_token() => {
            return Err(Error::usage("clients of this stack sign in, and there is no token")
                .hint("give two users' with `--token` and `--other-token`, or MSGAI_TOKEN and MSGAI_OTHER_TOKEN"));
        }
        (None, _) => Cast::named(),
    };
    let cast = match &args.group {
        Some(group) => cast.in_group(group),
        None => cast,
    };
    let whole = conversation(door.stack.as_ref(), &cast);
    if whole.steps.len() == 1 && !context.global.json {
        context.say(
            "nothing is said, only connected: it is not known what the functions understand, or who a token names; \
             `--script FILE` says more",
        );
    }
    let script = whole.script()?;
    if secrets.is_empty() {
        secrets = token::secrets(door.mints(), &script)?;
    }
    let names = whole.steps.iter().map(|step| step.name.to_owned());
    Ok(Trial {
        steps: names.zip(whole.ends()).collect(),
        script,
        secrets,
    })
}

/// How long each step took that was begun; the last is the one that failed, if any did.
fn tried(
    steps: &[(String, usize)],
    marks: &[Mark],
    error: Option<&PlayError>,
    whole: Duration,
) -> Vec<Tried> {
    let mut before = Duration::ZERO;
    let mut tried = Vec::new();
    for (name, last) in steps {
        let done = marks.iter().find(|mark| mark.line == *last);
        let until = done.map_or(whole, |mark| mark.at);
        tried.push(Tried {
            name: name.clone(),
            took: until.saturating_sub(before),
            failed: false,
        });
        if done.is_none() {
            break;
        }
        before = until;
    }
    // What only shows when all have left fails the last step.
    if let (Some(_), Some(last)) = (error, tried.last_mut()) {
        last.failed = true;
    }
    tried
}

fn show(context: &Context, door: &Door, tried: &[Tried], took: Duration) {
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    if context.global.json {
        let step = |step: &Tried| json!({ "step": step.name, "passed": !step.failed, "ms": millis(step.took) });
        context.say_json(json!({
            "type": "smoke",
            "version": 1,
            "passed": tried.iter().all(|step| !step.failed),
            "url": door.base.split('?').next(),
            "seconds": took.as_secs_f64(),
            "steps": tried.iter().map(step).collect::<Vec<_>>(),
        }));
        return;
    }
    let width = tried.iter().map(|step| step.name.chars().count()).max();
    let width = width.unwrap_or_default();
    for Tried { name, took, failed } in tried {
        let mark = if *failed { "✗" } else { "✓" };
        let mark = context.look.of_symbol(mark, mark);
        context.print(&format!(
            "{mark} {name:<width$}  {:>7.1} ms\n",
            millis(*took)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_from_the_one_before_to_its_last_line() {
        let steps = [
            ("one".to_owned(), 2),
            ("two".to_owned(), 4),
            ("three".to_owned(), 5),
        ];
        let at = |line, millis| Mark {
            line,
            at: Duration::from_millis(millis),
        };
        let marks = [at(1, 5), at(2, 10), at(3, 30), at(4, 40)];
        let error = PlayError {
            line: 5,
            expected: String::new(),
            instead: Vec::new(),
        };
        let told = |marks: &[Mark], error| -> Vec<(u128, bool)> {
            let tried = tried(&steps, marks, error, Duration::from_millis(100));
            tried
                .iter()
                .map(|step| (step.took.as_millis(), step.failed))
                .collect()
        };
        assert_eq!(
            told(&marks, Some(&error)),
            [(10, false), (30, false), (60, true)]
        );
        assert_eq!(told(&marks[..1], Some(&error)), [(100, true)]);
        let all: Vec<Mark> = marks.into_iter().chain([at(5, 41)]).collect();
        assert_eq!(told(&all, None), [(10, false), (30, false), (1, false)]);
        // Nobody may be left with more at the end.
        assert_eq!(
            told(&all, Some(&error)),
            [(10, false), (30, false), (1, true)]
        );
    }
}
