//! Lambda: functions, versions, aliases, policies, and calling them.
//!
//! In: Lambda's REST API, and the data plane's calls. Out: AWS's answers and refusals; function states come from the
//! clock and the cloud's realism, never from timers. The processes themselves are `runtime`'s.

mod absent;
mod account;
mod api;
mod check;
mod code;
mod event_config;
mod functions;
mod invoke;
mod policy;
mod settings;
mod shown;
mod state;
#[cfg(test)]
mod tests;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

pub(crate) use api::{operation, serve};
pub(crate) use functions::snapshot;
#[cfg(test)]
pub(crate) use invoke::Here;
pub(crate) use invoke::{Answer, TIMED_OUT};
pub(crate) use policy::glob;
use state::State;

use super::locked;
use super::refusal::Refusal;
use super::runtime::Fleet;
use super::store::Store;
use code::CodeStore;

const FILE: &str = "lambda";

pub(crate) struct Lambda {
    state: Mutex<State>,
    store: Store,
    code: CodeStore,
    fleet: Fleet,
    /// Functions whose policy is being written.
    writing: Mutex<BTreeSet<String>>,
    /// Calls under way, by function.
    busy: Mutex<BTreeMap<String, u64>>,
    #[cfg(test)]
    here: Mutex<BTreeMap<String, invoke::Here>>,
}

impl Lambda {
    pub(crate) fn open(store: &Store) -> io::Result<Self> {
        let state: State = store.load(FILE)?;
        let code = CodeStore::open(store)?;
        let versions = state.functions.values().flat_map(|f| {
            std::iter::once(&f.latest)
                .chain(&f.previous)
                .chain(f.versions.values())
        });
        code.sweep(&versions.map(|v| v.code.sha256.as_str()).collect())?;
        Ok(Self {
            state: Mutex::new(state),
            store: store.clone(),
            code,
            fleet: Fleet::default(),
            writing: Mutex::default(),
            busy: Mutex::default(),
            #[cfg(test)]
            here: Mutex::default(),
        })
    }

    /// Ends every process and takes no more calls.
    pub(crate) fn close(&self) {
        self.fleet.close();
    }

    /// Whether an environment of this version and revision still serves calls.
    pub(crate) fn is_current(
        &self,
        world: &super::World,
        function: &str,
        number: &str,
        revision: &str,
    ) -> bool {
        let state = self.lock();
        let function = state.functions.get(function);
        function.is_some_and(|f| f.is_current(world, number, revision))
    }

    pub(crate) fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Changes the state and saves it; a change that refuses must not have changed anything.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut state = self.lock();
        let done = change(&mut state)?;
        self.store.save(FILE, &*state).map_err(check::failure)?;
        Ok(done)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
