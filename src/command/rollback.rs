//! `rollback`: the release before, or the one that is named, is live again. Nothing is built, nothing is uploaded.

use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;

use super::Context;
use super::diff;
use super::history::unknown;
use super::run::{Run, of_ledger};
use super::session::{Session, of_cloud};
use super::who::{moment, short};
use crate::cli::Rollback;
use crate::error::Error;
use crate::ledger::Record;
use crate::names::Facts;
use crate::observe::Observed;
use crate::plan::Plan;
use crate::plan::switch::{Live, Missing, switch};
use crate::resource::past::Past;

/// How many runs are looked through for releases: at first, and where the live one is not among them.
const NEWEST: usize = 50;
const DEEPEST: usize = 1000;

/// What is not turned back, said before anybody agrees.
const STAYS: &str =
    "data and settings stay as they are; the next `msgai deploy` makes the file's state again";

pub(crate) async fn run(context: &Context, args: &Rollback) -> Result<ExitCode, Error> {
    let session = Session::open_for_run(context).await?;
    let mut run = Run::new(context, &session, "rollback", &args.locking, None);
    let done = Box::pin(steps(context, args, &session, &mut run)).await;
    run.end().await;
    done
}

/// A way back, and where it leads.
struct Way {
    plan: Plan,
    /// The release that is live now, if it is one.
    from: Option<u64>,
    target: Record,
}

impl AsRef<Plan> for Way {
    fn as_ref(&self) -> &Plan {
        &self.plan
    }
}

async fn steps(
    context: &Context,
    args: &Rollback,
    session: &Session,
    run: &mut Run<'_>,
) -> Result<ExitCode, Error> {
    let way = agreed(context, args, session, run).await?;
    let to = way.target.release.unwrap_or_default();
    if way.plan.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let asked = Instant::now();
    let done = run.apply(&way.plan).await;
    if let Some(record) = &mut run.record {
        record.note = Some(format!("to release {to}"));
    }
    drop(done?);
    let seconds = asked.elapsed().as_secs_f64();
    if context.global.json {
        context.say_json(json!({
            "type": "rolled-back",
            "version": 1,
            "from": way.from,
            "release": to,
            "seconds": seconds,
        }));
    } else {
        context.say(&format!("Release {to} is live again after {seconds:.1} s."));
    }
    Ok(ExitCode::SUCCESS)
}

/// The way back that is shown, and agreed to where a person is asked.
async fn agreed(
    context: &Context,
    args: &Rollback,
    session: &Session,
    run: &mut Run<'_>,
) -> Result<Way, Error> {
    let look = || look(session, args.to);
    let ask = async |run: &mut Run<'_>, way: &Way| {
        show(context, way);
        if way.plan.is_empty() || !run.asks() {
            return Ok(());
        }
        context.confirm("Go back?", "rollback")
    };
    let overtaken = "another run has changed the stack meanwhile; this is the way back now:";
    run.agree(look, ask, overtaken).await
}

async fn look(session: &Session, to: Option<u64>) -> Result<Way, Error> {
    let ledger = session.ledger();
    let newest = async { ledger.history(NEWEST).await.map_err(of_ledger) };
    let (observed, mut runs) = futures_util::try_join!(session.observe(), newest)?;
    let now = Live::of(&observed.facts());
    let mut found = target(&runs, &now, to);
    // What is live may be a release from long ago.
    if runs.len() == NEWEST && !matches!(found, Ok((Some(_), _))) {
        runs = ledger.history(DEEPEST).await.map_err(of_ledger)?;
        found = target(&runs, &now, to);
    }
    let (from, target) = found?;
    let target = target.clone();
    let plan = back_to(session, &observed, &Live::read(&target.live)).await?;
    let plan = plan.map_err(|missing| gone(&target, &missing))?;
    Ok(Way { plan, from, target })
}

/// The plan that makes this live again, or what of it is gone.
pub(crate) async fn back_to(
    session: &Session,
    observed: &Observed,
    live: &Live,
) -> Result<Result<Plan, Vec<Missing>>, Error> {
    let stack = session.loaded.stack.id();
    let past = Past::read(&session.cloud, &stack, &observed.facts()).await;
    let past = past.map_err(of_cloud)?;
    Ok(switch(&stack, &session.site.place, observed, &past, live))
}

/// Whether what this run left is what callers reach now.
fn serves(run: &Record, now: &Live) -> bool {
    Live::read(&run.live).is_served_by(now)
}

/// The release that callers reach, where it is among these runs.
pub(crate) fn live_of(runs: &[Record], facts: &Facts) -> Option<u64> {
    let now = Live::of(facts);
    let releases = runs.iter().filter(|run| run.release.is_some());
    let mut releases = releases.filter(|run| serves(run, &now));
    releases.next().and_then(|run| run.release)
}

/// Which release is live, and which is meant.
fn target<'a>(
    runs: &'a [Record],
    now: &Live,
    to: Option<u64>,
) -> Result<(Option<u64>, &'a Record), Error> {
    let releases: Vec<&Record> = runs.iter().filter(|run| run.release.is_some()).collect();
    let live = releases.iter().position(|run| serves(run, now));
    let from = live.and_then(|at| releases[at].release);
    if let Some(to) = to {
        let named = releases.iter().find(|run| run.release == Some(to));
        let named = named.ok_or_else(|| unknown(to, runs))?;
        return Ok((from, named));
    }
    // What is live may be no release, as after a deploy that was killed: then the newest one is the way back.
    let before = live.map_or(0, |at| at + 1);
    match (releases.get(before), from) {
        (Some(target), _) => Ok((from, target)),
        (None, Some(first)) => Err(Error::failed(format!(
            "release {first} is live, and there is none before it in the history"
        ))
        .hint("deploy what the file was before: `msgai deploy` makes a release of it")),
        (None, None) => Err(
            Error::failed("there is no release to go back to in the history")
                .hint("each complete `msgai deploy` writes one down"),
        ),
    }
}

fn gone(target: &Record, missing: &[Missing]) -> Error {
    let release = target.release.unwrap_or_default();
    let all: Vec<String> = missing.iter().map(ToString::to_string).collect();
    Error::refused(format!(
        "release {release} cannot serve any more, nothing is changed: gone is {}",
        all.join(", ")
    ))
    .hint("go back to another one (`msgai history` lists them), or deploy the file of then")
    .details(json!({ "release": release, "missing": missing }))
}

fn show(context: &Context, way: &Way) {
    diff::notes(context, &way.plan);
    let to = way.target.release.unwrap_or_default();
    if context.global.json {
        let mut plan = way.plan.json();
        plan["from"] = json!(way.from);
        plan["release"] = json!(to);
        context.say_json(plan);
        return;
    }
    if way.plan.is_empty() {
        context.print(&format!(
            "Nothing to go back: what release {to} serves is live.\n"
        ));
        return;
    }
    let live = match way.from {
        Some(from) => format!("release {from} is live"),
        None => "what is live is no release".to_owned(),
    };
    let (when, who) = (moment(&way.target.began), short(&way.target.who));
    context.say(&format!("{live}; back to release {to} of {when}, by {who}"));
    context.print(&way.plan.text(context.look, context.columns()));
    context.say(STAYS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Claim;

    /// A run whose alias served this version after it.
    fn ran(release: Option<u64>, version: &str) -> Record {
        let claim = Claim {
            run: "01J".to_owned(),
            who: "arn:aws:iam::1:user/alice".to_owned(),
            place: "here".to_owned(),
            command: "deploy".to_owned(),
            since: "2026-11-22T12:03:04Z".to_owned(),
        };
        let mut record = Record::of(&claim, "done");
        record.release = release;
        record.live = [("alias/talk".to_owned(), version.to_owned())].into();
        record
    }

    fn chosen(runs: &[Record], now: &str, to: Option<u64>) -> Result<(Option<u64>, u64), String> {
        let now = Live::read(&ran(None, now).live);
        let (from, target) = target(runs, &now, to).map_err(|error| error.message)?;
        Ok((from, target.release.expect("a release")))
    }

    #[test]
    fn the_release_before_the_live_one_is_meant() {
        // The newest first, as the history gives them; a failed deploy and a rollback are no releases.
        let runs = [
            ran(None, "3"),
            ran(Some(4), "5"),
            ran(None, "4"),
            ran(Some(3), "3"),
            ran(Some(2), "2"),
        ];
        assert_eq!(chosen(&runs, "5", None), Ok((Some(4), 3)));
        // Rolled back once: the next one goes on from there.
        assert_eq!(chosen(&runs, "3", None), Ok((Some(3), 2)));
        assert_eq!(chosen(&runs, "5", Some(2)), Ok((Some(4), 2)));
        assert_eq!(chosen(&runs, "3", Some(4)), Ok((Some(3), 4)));
    }

    /// As after a deploy that was killed while it moved the aliases.
    #[test]
    fn from_what_is_no_release_the_newest_is_the_way_back() {
        let runs = [ran(Some(4), "5"), ran(Some(3), "3")];
        assert_eq!(chosen(&runs, "6", None), Ok((None, 4)));
    }

    #[test]
    fn where_there_is_none_it_is_said() {
        let runs = [ran(Some(1), "1")];
        let said = chosen(&runs, "1", None).unwrap_err();
        assert_eq!(
            said,
            "release 1 is live, and there is none before it in the history"
        );
        let said = chosen(&runs, "1", Some(7)).unwrap_err();
        assert_eq!(said, "there is no release 7 in the history");
        let said = chosen(&[], "1", None).unwrap_err();
        assert_eq!(said, "there is no release to go back to in the history");
    }
}
