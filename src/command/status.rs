//! `status`: every resource as it is, beside what is declared.

mod table;
mod watch;

use std::process::ExitCode;

use serde_json::{Value, json};

use super::Context;
use super::links::Links;
use super::metrics::{LastHour, last_hour};
use super::output::{Outputs, outputs};
use super::record::{self, Looked};
use super::rollback::live_of;
use super::session::Session;
use super::who::{about, json_of};
use crate::cli::Status;
use crate::describe::Artifacts;
use crate::error::Error;
use crate::ledger::{Lock, Seen};
use crate::plan::wrap::wrap;
use crate::plan::{Plan, assume_code};
use crate::resource::table::Until;
use table::{Row, next_step, restless, rows, summary, table};

/// How far back the release that is live is looked for.
const NEWEST: usize = 20;

pub(crate) async fn run(context: &Context, args: &Status) -> Result<ExitCode, Error> {
    // An index that is being built is no difference: the row says that it is.
    let session = Session::open(context).await?;
    let session = session.adopting(&args.adopt)?.until(Until::Begun);
    context.warnings(&session.loaded);
    if args.watch {
        return Box::pin(watch::watch(context, &session)).await;
    }
    let sight = Sight::new(&session).await?;
    if context.global.json {
        context.say_json(sight.json(&session));
        return Ok(ExitCode::SUCCESS);
    }
    context.print(&sight.text(context, &session, None));
    for danger in &sight.plan.dangers {
        context.warn(&format!("warning: {danger}\nhint: {}", danger.hint()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The stack, as one look has found it.
struct Sight {
    plan: Plan,
    rows: Vec<Row>,
    outputs: Option<Outputs>,
    /// Of a domain of one's own: whether its DNS record is there.
    record: Option<Looked>,
    lock: Lock,
    /// The release that callers reach, where it is one of the newest.
    live: Option<u64>,
    metrics: LastHour,
}

impl Sight {
    async fn new(session: &Session) -> Result<Self, Error> {
        let ledger = session.ledger();
        let observed = Box::pin(session.observe());
        let (observed, seen, runs) =
            futures_util::join!(observed, ledger.look(), ledger.history(NEWEST));
        let observed = observed?;
        // Who may not read the ledger may still see the stack.
        let lock = match seen {
            Ok(Seen::Lock(lock)) => lock,
            _ => Lock::default(),
        };
        // Whether the code is the newest is for `diff` to say, which builds it; here it is taken as it is.
        let mut desired = session.describe(&Artifacts::new());
        assume_code(&mut desired, &observed);
        let plan = session.plan(&desired, &observed);
        let outputs = outputs(session, &plan.facts);
        let live = outputs.as_ref().and(runs.ok());
        let live = live.and_then(|runs| live_of(&runs, &plan.facts));
        let record = record::looked(outputs.as_ref());
        let (record, metrics) = futures_util::join!(record, last_hour(session, &plan.facts));
        Ok(Self {
            rows: rows(&plan, &observed),
            plan,
            outputs,
            record,
            lock,
            live,
            metrics,
        })
    }

    fn json(&self, session: &Session) -> Value {
        let resources: Vec<Value> = self.rows.iter().map(Row::json).collect();
        json!({
            "type": "status",
            "version": 1,
            "stack": self.plan.stack,
            "place": self.plan.place,
            "resources": resources,
            "outputs": self.outputs_json(),
            "dangers": self.plan.json()["dangers"],
            "warnings": crate::stack::to_json(&session.loaded.warnings),
            "newest_release": Some(self.lock.release).filter(|n| *n > 0),
            "live_release": self.live,
            "lock": self.lock.holder.as_ref().map(json_of),
            "metrics": self.metrics.json(),
        })
    }

    /// With the record as it was found.
    fn outputs_json(&self) -> Option<Value> {
        let mut outputs = self.outputs.as_ref()?.json();
        if let Some(record) = &self.record {
            outputs["record"] = record.json();
        }
        Some(outputs)
    }

    /// All of it; where that is more lines than there are, what is as it should be is only counted.
    fn text(&self, context: &Context, session: &Session, most: Option<usize>) -> String {
        let all: Vec<&Row> = self.rows.iter().collect();
        let whole = self.page(context, session, &all);
        match most {
            Some(most) if whole.lines().count() > most => {
                self.page(context, session, &restless(&self.rows))
            }
            _ => whole,
        }
    }

    fn page(&self, context: &Context, session: &Session, rows: &[&Row]) -> String {
        let width = context.columns();
        let links = Links::of(context, session, &self.plan.facts);
        let heading = context.look.bold(&wrap(&self.heading(), width));
        let mut out = format!("{heading}\n\n");
        if let Some(holder) = &self.lock.holder {
            let locked = format!("locked: {}", about(holder));
            out.push_str(&format!("{}\n\n", wrap(&locked, width)));
        }
        if !rows.is_empty() {
            let lead = |row: &Row, name: &str| links.object(&row.id, row.physical.as_deref(), name);
            out.push_str(&table(rows, context.look, width, lead));
            out.push('\n');
        }
        out.push_str(&format!("{}\n", summary(&self.rows)));
        if let Some(next) = next_step(&self.rows) {
            out.push_str(&format!("{}\n", wrap(next, width)));
        }
        if let Some(outputs) = &self.outputs {
            out.push_str(&format!("{}\n", links.chat(&outputs.url)));
        }
        if let Some(record) = &self.record {
            out.push_str(&format!("{}\n", wrap(&record.to_string(), width)));
        }
        out.push_str(&self.metrics.text(context, width));
        out
    }

    /// Where, and which release that is.
    fn heading(&self) -> String {
        let heading = self.plan.heading();
        match (self.live, self.lock.release) {
            (None, 0) => heading,
            (Some(live), newest) if live < newest => {
                format!("{heading}, release {live} is live, {newest} is the newest")
            }
            (Some(live), _) => format!("{heading}, release {live} is live"),
            (None, newest) => format!("{heading}, newest release {newest}"),
        }
    }
}
