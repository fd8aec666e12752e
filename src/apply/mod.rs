//! Walks a plan: as much at once as it allows, up to a limit.
//!
//! One task drives every request, so nothing here is shared or locked. A failure stops what waits for it and
//! nothing else. Nothing is undone: the next deploy goes on from what it finds.

pub mod held;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};

use crate::cloud::wait::pause;
use crate::cloud::{Cloud, CloudError, Note};
use crate::names::{Facts, Physical, Place, ResourceId, StackId};
use crate::plan::{Action, Change, Plan};
use crate::report::{Event, Reporter};
use crate::resource::{self, Work};

/// Changes under way at once; the services' own limits are in `cloud/pace.rs`.
const AT_ONCE: usize = 24;

/// How long changes under way may go on after a signal; letting go of the lock takes up to another second.
const GRACE: Duration = Duration::from_millis(3500);

/// What became of a plan. Half of it done is a result, not an error.
#[derive(Debug)]
#[must_use = "a plan can be applied in part"]
pub struct Applied {
    pub outcomes: BTreeMap<ResourceId, Outcome>,
    /// Everything that exists now, as far as is known.
    pub facts: Facts,
    pub stopped: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done { took: Duration },
    Failed(CloudError),
    Skipped { because: ResourceId },
    NotStarted,
}

impl Applied {
    pub fn is_complete(&self) -> bool {
        self.outcomes
            .values()
            .all(|outcome| matches!(outcome, Outcome::Done { .. }))
    }

    pub fn done(&self) -> usize {
        self.outcomes
            .values()
            .filter(|o| matches!(o, Outcome::Done { .. }))
            .count()
    }

    pub fn failures(&self) -> impl Iterator<Item = (&ResourceId, &CloudError)> {
        self.outcomes
            .iter()
            .filter_map(|(id, outcome)| match outcome {
                Outcome::Failed(error) => Some((id, error)),
                _ => None,
            })
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Ended> + 'a>>;

struct Ended {
    id: ResourceId,
    took: Duration,
    /// The object's physical id; `None` when it is gone.
    result: Result<Option<Physical>, CloudError>,
}

struct Walk<'a> {
    plan: &'a Plan,
    cloud: &'a Cloud,
    notes: mpsc::UnboundedSender<Note>,
    waiting: BTreeSet<ResourceId>,
    outcomes: BTreeMap<ResourceId, Outcome>,
    facts: Facts,
}

/// Applies exactly this plan. `stop` turning true begins nothing more and ends within seconds.
pub async fn apply(
    plan: &Plan,
    cloud: &Cloud,
    stop: &watch::Receiver<bool>,
    reporter: &mut dyn Reporter,
) -> Applied {
    let (sender, mut notes) = mpsc::unbounded_channel();
    let mut walk = Walk {
        plan,
        cloud,
        notes: sender,
        waiting: plan.changes.keys().cloned().collect(),
        outcomes: BTreeMap::new(),
        facts: plan.facts.clone(),
    };
    let mut stop = stop.clone();
    let mut stopping = false;
    let mut running: FuturesUnordered<Running<'_>> = FuturesUnordered::new();
    let mut grace: Pin<Box<dyn Future<Output = ()>>> = Box::pin(std::future::pending());
    reporter.begin(plan.changes.len());
    loop {
        if !stopping {
            walk.begin_ready(&mut running, reporter);
        }
        if running.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            Some(note) = notes.recv() => {
                reporter.on(&Event::Waiting { id: note.id, on: note.on });
            }
            Some(ended) = running.next() => walk.end(ended, reporter),
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                reporter.on(&Event::Stopping { left: walk.waiting.len() });
                grace = Box::pin(pause(GRACE));
            }
            () = &mut grace => break,
        }
    }
    drop(running);
    reporter.end();
    let Walk {
        mut outcomes,
        facts,
        ..
    } = walk;
    for id in plan.changes.keys() {
        outcomes.entry(id.clone()).or_insert(Outcome::NotStarted);
    }
    Applied {
        outcomes,
        facts,
        stopped: stopping,
    }
}

/// Returns when a stop is asked for; never when nobody can ask any more.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl<'a> Walk<'a> {
    fn begin_ready(
        &mut self,
        running: &mut FuturesUnordered<Running<'a>>,
        reporter: &mut dyn Reporter,
    ) {
        // A skipped or cascading change makes others ready, so go round until nothing moves.
        loop {
            let next = self.waiting.iter().find_map(|id| {
                let change = &self.plan.changes[id];
                self.verdict(change).map(|verdict| (id.clone(), verdict))
            });
            let Some((id, verdict)) = next else { return };
            match verdict {
                Verdict::Skip(because) => {
                    self.waiting.remove(&id);
                    reporter.on(&Event::Skipped {
                        id: id.clone(),
                        because: because.clone(),
                    });
                    self.outcomes.insert(id, Outcome::Skipped { because });
                }
                Verdict::Begin if running.len() >= AT_ONCE => return,
                Verdict::Begin => {
                    self.waiting.remove(&id);
                    let change = &self.plan.changes[&id];
                    let (symbol, word) = (change.action.symbol(), change.action.word());
                    reporter.on(&Event::Started { id, symbol, word });
                    running.push(self.carry_out(change));
                }
            }
        }
    }

    /// `None` while something that it comes after is not decided.
    fn verdict(&self, change: &Change) -> Option<Verdict> {
        for dependency in &change.after {
            match self.outcomes.get(dependency) {
                None => return None,
                Some(Outcome::Done { .. }) => {}
                Some(Outcome::Skipped { because }) => return Some(Verdict::Skip(because.clone())),
                Some(_) => return Some(Verdict::Skip(dependency.clone())),
            }
        }
        Some(Verdict::Begin)
    }

    fn carry_out(&self, change: &'a Change) -> Running<'a> {
        let cloud = self.cloud.watched(&change.id, &self.notes);
        let facts = self.facts.clone();
        let (place, stack) = (&self.plan.place, &self.plan.stack);
        Box::pin(async move {
            let begun = Instant::now();
            let result = call(change, &cloud, place, stack, &facts).await;
            Ended {
                id: change.id.clone(),
                took: begun.elapsed(),
                result,
            }
        })
    }

    fn end(&mut self, ended: Ended, reporter: &mut dyn Reporter) {
        let Ended { id, took, result } = ended;
        let outcome = match result {
            Ok(physical) => {
                match physical {
                    Some(physical) => drop(self.facts.insert(id.clone(), physical)),
                    None => drop(self.facts.remove(&id)),
                }
                reporter.on(&Event::Finished {
                    id: id.clone(),
                    took,
                });
                Outcome::Done { took }
            }
            Err(error) => {
                let (text, hint) = (error.to_string(), error.hint());
                reporter.on(&Event::Failed {
                    id: id.clone(),
                    error: text,
                    hint,
                });
                Outcome::Failed(error)
            }
        };
        self.outcomes.insert(id, outcome);
    }
}

enum Verdict {
    Begin,
    Skip(ResourceId),
}

async fn call(
    change: &Change,
    cloud: &Cloud,
    place: &Place,
    stack: &StackId,
    facts: &Facts,
) -> Result<Option<Physical>, CloudError> {
    let work = Work {
        cloud,
        place,
        stack,
        facts,
    };
    match &change.action {
        Action::Create(resource) => resource.create(&work).await.map(Some),
        Action::Update {
            resource,
            at,
            because,
        } => resource.update(&work, at, because).await.map(Some),
        Action::Replace { .. } => {
            unreachable!("a plan with a replacement refuses itself before it is applied")
        }
        // The object that it went with has gone by now.
        Action::Delete { with: Some(_), .. } => Ok(None),
        Action::Delete { at, with: None } => {
            resource::delete(&change.id, at, &work).await.map(|()| None)
        }
    }
}
