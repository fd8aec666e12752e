//! One run of a stack under its lock: look, perhaps ask, apply, write down what came of it.
//!
//! The lock is taken while looking, which costs no time of its own; where a person is asked first, it is taken after the
//! answer, so that nobody's lock waits for somebody's lunch. Either way a plan that another run may have
//! overtaken is made anew.

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use tokio::sync::watch;

use super::Context;
use super::session::{Session, of_cloud, signals};
use super::who::{about, json_of};
use crate::apply::held::{apply_held, record};
use crate::apply::{Applied, stopped};
use crate::cli::Locking;
use crate::cloud::wait::within;
use crate::cloud::{CloudError, Fault};
use crate::error::{Error, ErrorKind};
use crate::ledger::{Claim, Holder, LEASE, Lease, Ledger, Lost, Record, Seen, TABLE, Tried};
use crate::plan::Plan;

/// How long letting go of the lock may take, and how long after a signal: a pipeline kills what lingers.
const PATIENT: Duration = Duration::from_secs(30);
const HURRIED: Duration = Duration::from_secs(1);

/// What a run is called, and how it keeps apart from others.
pub(crate) struct Run<'a> {
    context: &'a Context,
    session: &'a Session,
    ledger: Option<Ledger>,
    claim: Claim,
    wait: Duration,
    /// The lock as it was before the last look at the stack.
    seen: Option<Seen>,
    lease: Option<Lease>,
    /// Whether a person is asked before anything is changed.
    asks: bool,
    stop: Option<watch::Receiver<bool>>,
    begun: Instant,
    /// What is written down at the end.
    pub(crate) record: Option<Record>,
}

impl<'a> Run<'a> {
    /// No call yet. `stop` is who hears signals already; else this run does from when it holds the lock.
    pub(crate) fn new(
        context: &'a Context,
        session: &'a Session,
        command: &str,
        locking: &Locking,
        stop: Option<watch::Receiver<bool>>,
    ) -> Self {
        Self {
            context,
            session,
            ledger: (!locking.no_lock).then(|| session.ledger()),
            claim: session.claim(command),
            wait: locking.lock_wait,
            seen: session.seen.clone(),
            lease: None,
            asks: !context.global.yes && !session.is_local(),
            stop,
            begun: Instant::now(),
            record: None,
        }
    }

    /// Asks a person in any case, the local cloud's as well.
    pub(crate) fn asking(mut self, always: bool) -> Self {
        self.asks |= always && !self.context.global.yes;
        self
    }

    /// Whether a person is asked before anything is changed.
    pub(crate) fn asks(&self) -> bool {
        self.asks
    }

    /// Where the run is written down, if it is.
    pub(crate) fn ledger(&self) -> Option<Ledger> {
        self.ledger.clone()
    }

    /// Looks, shows and asks, until what was agreed to is what is to be done; with the lock held unless that is nothing.
    /// `overtaken` is said before a person is asked again.
    pub(crate) async fn agree<T, F>(
        &mut self,
        look: impl Fn() -> F,
        ask: impl AsyncFn(&mut Self, &T) -> Result<(), Error>,
        overtaken: &str,
    ) -> Result<T, Error>
    where
        T: AsRef<Plan>,
        F: Future<Output = Result<T, Error>>,
    {
        let mut found = self.look(&look).await?;
        loop {
            ask(self, &found).await?;
            if found.as_ref().is_empty() || self.hold().await? {
                return Ok(found);
            }
            let now = self.keeping(Box::pin(look())).await?;
            if now.as_ref().json() == found.as_ref().json() {
                return Ok(now);
            }
            self.context.say(overtaken);
            self.let_go().await?;
            found = Box::pin(self.look(&look)).await?;
        }
    }

    /// Looks, holding the lock unless a person is asked first.
    pub(crate) async fn look<T, F>(&mut self, look: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        if self.asks {
            self.wait_until_free().await?;
            return Box::pin(look()).await;
        }
        let Some(ledger) = self.ledger.clone() else {
            return self.unless_stopped(Box::pin(look())).await;
        };
        let seen = self.seen.clone();
        let claim = self.claim.clone();
        let take = async move { ledger.take(&claim, seen.as_ref(), None).await };
        let first = select(Box::pin(take), Box::pin(look()));
        // A signal in between may leave the lock behind; it runs out by itself.
        let first = self.unless_stopped(async { Ok(first.await) }).await?;
        let (tried, looking) = match first {
            Either::Left((tried, looking)) => (tried, Either::Left(looking)),
            Either::Right((looked, take)) => {
                let tried = self.unless_stopped(async { Ok(take.await) }).await?;
                (tried, Either::Right(std::future::ready(looked)))
            }
        };
        match tried {
            Ok(Tried::Taken(lease)) => {
                let undisturbed = lease.undisturbed;
                self.lease = Some(*lease);
                // A first build takes minutes; the lock is renewed meanwhile.
                let looked = self.keeping(looking).await?;
                if undisturbed {
                    return Ok(looked);
                }
            }
            Ok(Tried::Held(holder)) => {
                // What is wrong with the stack itself need not wait for anybody.
                self.unless_stopped(looking).await?;
                self.wait_for(holder).await?;
            }
            Err(error) => {
                self.unless_stopped(looking).await?;
                return Err(of_ledger(error));
            }
        }
        self.keeping(Box::pin(look())).await
    }

    /// After a person has agreed to a plan: the lock, and whether the plan is still what they saw.
    async fn hold(&mut self) -> Result<bool, Error> {
        let (None, Some(ledger)) = (&self.lease, self.ledger.clone()) else {
            return Ok(true);
        };
        let (claim, seen) = (self.claim.clone(), self.seen.clone());
        let tried = self.unless_stopped(Box::pin(async {
            let tried = ledger.take(&claim, seen.as_ref(), None).await;
            tried.map_err(of_ledger)
        }));
        match tried.await? {
            Tried::Taken(lease) => {
                let undisturbed = lease.undisturbed;
                self.lease = Some(*lease);
                Ok(undisturbed)
            }
            Tried::Held(holder) => {
                self.wait_for(holder).await?;
                Ok(false)
            }
        }
    }

    /// Does what must be done with the lock held.
    pub(crate) async fn keeping<T>(
        &mut self,
        what: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut stop = self.stop();
        let mut lease = self.lease.take();
        let lost = async {
            match &mut lease {
                Some(lease) => lease.keep().await,
                None => std::future::pending().await,
            }
        };
        let done = tokio::select! {
            done = what => done,
            lost = lost => Err(of_lost(&lost)),
            () = stopped(&mut stop) => Err(stopped_early()),
        };
        self.lease = lease;
        done
    }

    /// Applies a plan while the lock is renewed. What is not complete is an error that says what is left.
    pub(crate) async fn apply(&mut self, plan: &Plan) -> Result<Applied, Error> {
        let mut reporter = self.context.reporter();
        let stop = self.stop();
        let cloud = &self.session.cloud;
        let lease = self.lease.as_mut();
        let (applied, lost) = apply_held(plan, cloud, lease, &stop, &mut *reporter).await;
        drop(reporter);
        let makes_release = matches!(self.claim.command.as_str(), "deploy" | "dev");
        let release = self.release().filter(|_| makes_release);
        self.record = Some(record(
            &self.claim,
            plan,
            &applied,
            release,
            self.begun.elapsed(),
        ));
        match lost {
            Some(lost) => Err(of_lost(&lost)),
            None if applied.is_complete() => Ok(applied),
            None => Err(super::deploy::incomplete(&applied)),
        }
    }

    /// What was applied is not to be a release: it does not do what it should.
    pub(crate) fn unproven(&mut self, why: &str) {
        if let Some(record) = &mut self.record {
            record.release = None;
            "failed".clone_into(&mut record.outcome);
            record.note = Some(why.to_owned());
        }
    }

    /// Turns back what was applied before, as part of the same run.
    pub(crate) async fn switch_back(&mut self, plan: &Plan) -> Result<Applied, Error> {
        let first = self.record.take();
        let done = self.apply(plan).await;
        if let (Some(mut first), Some(second)) = (first, self.record.take()) {
            if done.is_ok() {
                "switched back".clone_into(&mut first.outcome);
            }
            first.changes.extend(second.changes);
            first.live = second.live;
            first.seconds = second.seconds;
            self.record = Some(first);
        }
        done
    }

    /// The number of the release that this run makes, where a history is kept.
    pub(crate) fn release(&self) -> Option<u64> {
        self.lease.as_ref().map(Lease::next_release)
    }

    /// The number of the release that this run has made.
    pub(crate) fn made(&self) -> Option<u64> {
        self.record.as_ref().and_then(|record| record.release)
    }

    /// Lets the lock go and writes down what was done; whatever the run came to, this is its end.
    pub(crate) async fn end(self) {
        let Some(lease) = self.lease else { return };
        let is_stopped = self.stop.as_ref().is_some_and(|stop| *stop.borrow());
        let most = if is_stopped { HURRIED } else { PATIENT };
        let why = match within(most, lease.release(self.record)).await {
            Some(Ok(_)) => return,
            Some(Err(error)) => error.to_string(),
            None => format!("no answer within {} s", most.as_secs()),
        };
        self.context.warn(&format!(
            "warning: the lock is not let go: {why}\nhint: it runs out by itself in {} s",
            LEASE.as_secs()
        ));
    }

    /// Before a person is asked, another run may as well end: what it does would have to be looked at again.
    async fn wait_until_free(&mut self) -> Result<(), Error> {
        match self.seen.as_ref().and_then(Seen::holder).cloned() {
            Some(holder) if self.ledger.is_some() => {
                self.wait_for(holder).await?;
                self.let_go().await
            }
            _ => Ok(()),
        }
    }

    /// Nobody's lock waits for a person; what it looks like without this run's hand on it is what they are asked about.
    async fn let_go(&mut self) -> Result<(), Error> {
        if let Some(lease) = self.lease.take() {
            lease.release(None).await.map_err(of_ledger)?;
        }
        if let Some(ledger) = &self.ledger {
            self.seen = ledger.look().await.ok();
        }
        Ok(())
    }

    async fn wait_for(&mut self, holder: Holder) -> Result<(), Error> {
        let Some(ledger) = self.ledger.clone() else {
            return Ok(());
        };
        let (claim, most) = (self.claim.clone(), self.wait);
        let context = self.context;
        let waiting = async {
            let told = |holder: &Holder| tell(context, holder);
            let told: &dyn Fn(&Holder) = if most.is_zero() { &|_| {} } else { &told };
            ledger
                .wait(&claim, holder, most, told)
                .await
                .map_err(of_ledger)
        };
        match self.unless_stopped(Box::pin(waiting)).await? {
            Ok(lease) => {
                self.lease = Some(lease);
                Ok(())
            }
            Err(holder) => Err(self.locked(&holder)),
        }
    }

    fn locked(&self, holder: &Holder) -> Error {
        let stack = self.session.loaded.stack.id();
        Error::refused(format!("stack {stack} is locked: {}", about(holder)))
            .hint("wait for it with `--lock-wait 5m`")
            .hint("if that run is dead, `msgai unlock` breaks its lock")
            .details(serde_json::json!({ "holder": json_of(holder) }))
    }

    fn stop(&mut self) -> watch::Receiver<bool> {
        self.stop.get_or_insert_with(signals).clone()
    }

    async fn unless_stopped<T>(
        &mut self,
        what: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut stop = self.stop();
        tokio::select! {
            done = what => done,
            () = stopped(&mut stop) => Err(stopped_early()),
        }
    }
}

fn tell(context: &Context, holder: &Holder) {
    if context.global.json {
        context.say_json(serde_json::json!({
            "type": "waiting",
            "version": 1,
            "holder": json_of(holder),
        }));
    } else {
        context.say(&format!("waiting for the lock: {}", about(holder)));
    }
}

fn stopped_early() -> Error {
    Error::new(
        ErrorKind::Stopped,
        "stopped by a signal, nothing is changed",
    )
}

fn of_lost(lost: &Lost) -> Error {
    let why = match lost {
        Lost::Broken => "somebody broke it or took it over".to_owned(),
        Lost::Unrenewed(error) => format!("it could not be renewed: {error}"),
    };
    Error::new(
        ErrorKind::Partly,
        format!("the lock is lost, so nothing more was begun: {why}"),
    )
    .hint("see `msgai history`, then run the same command again; it goes on from what is there")
}

/// The ledger is no part of the stack, so a person who may not use it can still go on.
pub(crate) fn of_ledger(error: CloudError) -> Error {
    let fault = error.fault;
    let shown = of_cloud(error);
    match fault {
        Fault::Denied | Fault::Invalid => shown.hint(format!(
            "the lock and the history are in the table {TABLE}; `--no-lock` goes on without them"
        )),
        _ => shown,
    }
}
