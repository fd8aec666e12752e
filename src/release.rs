//! What releases leave behind: old versions and deployments, of which the newest are kept to go back to.
//!
//! In: what there is, what is live, what the history needs. Out: how much was removed. Never: a failed deploy; what
//! could not be removed is removed another time.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, LIVE, ResourceId, StackId};
use crate::resource::past::Past;
use crate::resource::{alias, api, deployment, version};

/// Removals in one run; what is left over is removed by the next ones.
const AT_MOST: usize = 50;

/// Which versions and deployments stay.
#[derive(Debug, Clone)]
pub struct Keep<'a> {
    /// What is served now, as far as this run knows it.
    pub live: &'a Facts,
    /// Of each function, and of the API.
    pub newest: usize,
    /// What releases of the history need: alias or deployment, and its physical id.
    pub needed: &'a BTreeSet<(ResourceId, String)>,
}

/// Something that nobody needs any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Old {
    Version { function: String, number: u64 },
    Deployment { id: String },
}

/// What became of the old ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    pub versions: usize,
    pub deployments: usize,
    /// Why something stays that should have gone.
    pub note: Option<String>,
}

impl Pruned {
    /// `pruned 2 old versions, 1 old deployment`; `None` where there was nothing to remove.
    pub fn line(&self) -> Option<String> {
        let count = |n: usize, what: &str| match n {
            0 => None,
            1 => Some(format!("1 old {what}")),
            n => Some(format!("{n} old {what}s")),
        };
        let versions = count(self.versions, "version");
        let parts: Vec<String> = versions
            .into_iter()
            .chain(count(self.deployments, "deployment"))
            .collect();
        (!parts.is_empty()).then(|| format!("pruned {}", parts.join(", ")))
    }
}

/// What may go, oldest first. It may have been read before what is live was made.
pub fn old(past: &Past, keep: &Keep<'_>) -> Vec<Old> {
    let versions = past.functions.iter().flat_map(|(function, versions)| {
        let live: Option<u64> =
            serves(keep.live, &alias::id(function)).and_then(|number| number.parse().ok());
        let mut all = versions.published.clone();
        all.extend(live);
        let mut stay: BTreeSet<u64> = all.iter().rev().take(keep.newest).copied().collect();
        stay.extend(live);
        // Of our own alias only a share of the calls counts, which nobody but a person sets.
        let others = versions.served.iter();
        stay.extend(others.flat_map(|(name, served)| {
            let moved = name == LIVE && live.is_some() && served.len() == 1;
            served.iter().filter(move |_| !moved)
        }));
        stay.extend(
            needed(keep, &alias::id(function)).filter_map(|number| number.parse::<u64>().ok()),
        );
        let gone = versions.published.difference(&stay).copied();
        gone.map(|number| Old::Version {
            function: function.clone(),
            number,
        })
        .collect::<Vec<_>>()
    });
    versions.chain(old_deployments(past, keep)).collect()
}

fn old_deployments(past: &Past, keep: &Keep<'_>) -> Vec<Old> {
    let is_known = |id: &str| past.snapshots.iter().any(|one| one.id == id);
    let mut stay: BTreeSet<&str> = BTreeSet::new();
    // One that was made after that was read is the newest of all.
    let mut newer = 0;
    for (id, at) in keep
        .live
        .iter()
        .filter(|(id, _)| id.kind == Kind::Deployment)
    {
        stay.insert(&at.id);
        newer += usize::from(!is_known(&at.id));
        stay.extend(needed(keep, id));
    }
    for (stage, served) in &past.stages {
        let id = ResourceId::new(Kind::Deployment, stage);
        if serves(keep.live, &id).is_none() {
            stay.insert(served);
        }
        stay.extend(needed(keep, &id));
    }
    let ours = || past.snapshots.iter().filter(|one| one.ours);
    let newest = ours().rev().take(keep.newest.saturating_sub(newer));
    stay.extend(newest.map(|one| one.id.as_str()));
    ours()
        .filter(|one| !stay.contains(one.id.as_str()))
        .map(|one| Old::Deployment { id: one.id.clone() })
        .collect()
}

fn serves<'a>(live: &'a Facts, id: &ResourceId) -> Option<&'a str> {
    live.get(id).map(|at| at.id.as_str())
}

fn needed<'a>(keep: &Keep<'a>, id: &ResourceId) -> impl Iterator<Item = &'a str> {
    let all = keep.needed.iter();
    all.filter(move |(one, _)| one == id)
        .map(|(_, at)| at.as_str())
}

/// Removes them, as many at once as the services' own limits allow.
pub async fn prune(cloud: &Cloud, stack: &StackId, keep: &Keep<'_>, old: &[Old]) -> Pruned {
    let api = serves(keep.live, &api::id(stack));
    let mut under_way: FuturesUnordered<_> = old
        .iter()
        .take(AT_MOST)
        .map(|one| async move { (one, remove(cloud, api, one).await) })
        .collect();
    let mut pruned = Pruned::default();
    let mut failed: Vec<String> = Vec::new();
    while let Some((one, done)) = under_way.next().await {
        match (done, one) {
            (Ok(true), Old::Version { .. }) => pruned.versions += 1,
            (Ok(true), Old::Deployment { .. }) => pruned.deployments += 1,
            (Ok(false), _) => {}
            (Err(error), _) => failed.push(error.to_string()),
        }
    }
    // One reason stands for all of them, and always the same one.
    failed.sort();
    pruned.note = failed.first().map(|first| {
        let count = failed.len();
        format!("not pruned, {count} of what is old: {first}")
    });
    pruned
}

/// `false` where it is gone already, or serves after all.
async fn remove(cloud: &Cloud, api: Option<&str>, old: &Old) -> Result<bool, CloudError> {
    let done = match (old, api) {
        (Old::Version { function, number }, _) => version::remove(cloud, function, *number).await,
        (Old::Deployment { id }, Some(api)) => deployment::remove(cloud, api, id).await,
        (Old::Deployment { .. }, None) => return Ok(false),
    };
    match done {
        Ok(()) => Ok(true),
        Err(error) if passes(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gone, in use, or not now: the next deploy looks again.
fn passes(error: &CloudError) -> bool {
    matches!(
        error.fault,
        Fault::NotFound | Fault::Busy | Fault::InUse | Fault::Throttled
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::names::Physical;
    use crate::resource::past::{Snapshot, Versions};

    fn facts(parts: &[(Kind, &str, &str)]) -> Facts {
        let fact = |(kind, name, at): &(Kind, &str, &str)| {
            (ResourceId::new(*kind, *name), Physical::new(*at))
        };
        parts.iter().map(fact).collect()
    }

    fn past(published: std::ops::RangeInclusive<u64>, snapshots: &[&str]) -> Past {
        let snapshot = |id: &&str| Snapshot {
            id: (*id).to_owned(),
            ours: !id.starts_with("by-hand"),
        };
        let versions = Versions {
            published: published.collect(),
            served: BTreeMap::new(),
        };
        Past {
            functions: BTreeMap::from([("talk".to_owned(), versions)]),
            snapshots: snapshots.iter().map(snapshot).collect(),
            stages: BTreeMap::new(),
        }
    }

    fn gone(
        past: &Past,
        live: &Facts,
        newest: usize,
        needed: &[(Kind, &str, &str)],
    ) -> Vec<String> {
        let needed = needed
            .iter()
            .map(|(kind, name, at)| (ResourceId::new(*kind, *name), (*at).to_owned()))
            .collect();
        let keep = Keep {
            live,
            newest,
            needed: &needed,
        };
        old(past, &keep)
            .into_iter()
            .map(|one| match one {
                Old::Version { function, number } => format!("{function}:{number}"),
                Old::Deployment { id } => id,
            })
            .collect()
    }

    #[test]
    fn the_newest_stay() {
        let past = past(1..=4, &["a", "b", "c"]);
        let live = facts(&[(Kind::Alias, "talk", "4"), (Kind::Deployment, "p", "c")]);
        assert_eq!(gone(&past, &live, 2, &[]), ["talk:1", "talk:2", "a"]);
        assert_eq!(gone(&past, &live, 5, &[]), [""; 0]);
    }

    /// It was read while the deploy was still at work.
    #[test]
    fn what_was_made_since_is_the_newest() {
        let past = past(1..=4, &["a", "b", "c"]);
        let live = facts(&[(Kind::Alias, "talk", "5"), (Kind::Deployment, "p", "d")]);
        let gone = gone(&past, &live, 2, &[]);
        assert_eq!(gone, ["talk:1", "talk:2", "talk:3", "a", "b"]);
    }

    #[test]
    fn what_serves_stays_however_old_it_is() {
        let mut past = past(1..=9, &["a", "b", "c"]);
        let talk = past.functions.get_mut("talk").expect("it is there");
        let canary = BTreeMap::from([
            ("canary".to_owned(), BTreeSet::from([3])),
            (LIVE.to_owned(), BTreeSet::from([4])),
        ]);
        talk.served = canary;
        past.stages = BTreeMap::from([
            ("p".to_owned(), "b".to_owned()),
            ("by-hand".to_owned(), "a".to_owned()),
        ]);
        // Since it was read, ours went on from 4 to 2, and from `b` to `c`.
        let live = facts(&[(Kind::Alias, "talk", "2"), (Kind::Deployment, "p", "c")]);
        let gone = gone(&past, &live, 1, &[]);
        let versions = [1, 4, 5, 6, 7, 8].map(|n| format!("talk:{n}"));
        assert_eq!(gone[..6], versions);
        assert_eq!(gone[6..], ["b"]);
    }

    #[test]
    fn a_share_of_the_calls_is_served_too() {
        let mut past = past(1..=5, &[]);
        let talk = past.functions.get_mut("talk").expect("it is there");
        talk.served = BTreeMap::from([(LIVE.to_owned(), BTreeSet::from([1, 2]))]);
        let live = facts(&[(Kind::Alias, "talk", "5")]);
        assert_eq!(gone(&past, &live, 1, &[]), ["talk:3", "talk:4"]);
    }

    #[test]
    fn what_the_history_needs_stays() {
        let past = past(1..=5, &["a", "b", "c"]);
        let live = facts(&[(Kind::Alias, "talk", "5"), (Kind::Deployment, "p", "c")]);
        let needed = [
            (Kind::Alias, "talk", "2"),
            (Kind::Alias, "other", "3"),
            (Kind::Deployment, "p", "a"),
        ];
        let gone = gone(&past, &live, 1, &needed);
        assert_eq!(gone, ["talk:1", "talk:3", "talk:4", "b"]);
    }

    #[test]
    fn what_others_deployed_stays() {
        let past = past(1..=1, &["by-hand-1", "a", "by-hand-2", "b"]);
        let live = facts(&[(Kind::Alias, "talk", "1"), (Kind::Deployment, "p", "b")]);
        assert_eq!(gone(&past, &live, 1, &[]), ["a"]);
    }

    #[test]
    fn what_was_removed_is_told_in_one_line() {
        let pruned = |versions, deployments| Pruned {
            versions,
            deployments,
            note: None,
        };
        assert_eq!(pruned(0, 0).line(), None);
        assert_eq!(pruned(1, 0).line().as_deref(), Some("pruned 1 old version"));
        let both = pruned(2, 1).line();
        assert_eq!(
            both.as_deref(),
            Some("pruned 2 old versions, 1 old deployment")
        );
    }
}
