//! The DNS record that leads a domain of one's own to the API. It is somebody else's to make; here it is told, and
//! looked whether it is there.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::output::Outputs;
use super::session::Session;
use crate::cloud::wait::within;
use crate::names::{Facts, ResourceId};
use crate::resource::domain::{self, Target};

/// A name server that takes longer is as good as none: a look must not hang.
const PATIENCE: Duration = Duration::from_secs(3);

/// As it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    name: String,
    target: Target,
}

/// Where the name leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leads {
    Here,
    Elsewhere,
    Nowhere,
    /// No name server answers, or none knows the target.
    NotKnown,
}

impl Leads {
    fn word(self) -> &'static str {
        match self {
            Self::Here => "fine",
            Self::Elsewhere => "points elsewhere",
            Self::Nowhere => "not there yet",
            Self::NotKnown => "unknown",
        }
    }
}

impl Record {
    /// `None` without a domain, and where no name server knows anything of this cloud.
    pub(crate) fn of(session: &Session, facts: &Facts) -> Option<Self> {
        let def = session.loaded.stack.api.domain.as_ref()?;
        let at = facts.get(&domain::id(&def.name))?;
        (!session.is_local()).then(|| Self {
            name: def.name.clone(),
            target: Target::of(at),
        })
    }

    /// The domain that it is of.
    pub(crate) fn domain(&self) -> ResourceId {
        domain::id(&self.name)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "type": "CNAME",
            "value": self.target.host,
            "hosted_zone_id": self.target.zone,
        })
    }

    /// Asks the machine's own name server.
    async fn leads(&self) -> Leads {
        let (name, target) =
            futures_util::join!(addresses(&self.name), addresses(&self.target.host));
        leads(name.as_ref(), target.as_ref())
    }
}

/// By their addresses: an alias of Route 53 shows no name.
fn leads(name: Option<&BTreeSet<IpAddr>>, target: Option<&BTreeSet<IpAddr>>) -> Leads {
    match (name, target) {
        (_, None) => Leads::NotKnown,
        (None, Some(_)) => Leads::Nowhere,
        (Some(name), Some(target)) if name.is_disjoint(target) => Leads::Elsewhere,
        (Some(_), Some(_)) => Leads::Here,
    }
}

async fn addresses(name: &str) -> Option<BTreeSet<IpAddr>> {
    let found = within(PATIENCE, tokio::net::lookup_host((name, 443))).await;
    let found: BTreeSet<IpAddr> = found?.ok()?.map(|address| address.ip()).collect();
    (!found.is_empty()).then_some(found)
}

/// A record, and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Looked {
    record: Record,
    leads: Leads,
}

/// `None` where there is no record to make.
pub(crate) async fn looked(outputs: Option<&Outputs>) -> Option<Looked> {
    let record = outputs?.record.clone()?;
    let leads = record.leads().await;
    Some(Looked { record, leads })
}

impl Looked {
    pub(crate) fn json(&self) -> Value {
        let mut record = self.record.json();
        record["standing"] = json!(self.leads.word());
        record
    }
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, word) = (&self.record.name, self.leads.word());
        match self.leads {
            Leads::Here => write!(f, "DNS record of {name}: {word}"),
            _ => write!(
                f,
                "DNS record of {name}: {word}; it is to be {}",
                self.record
            ),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { host, zone } = &self.target;
        write!(f, "{} CNAME {host}", self.name)?;
        if zone.is_empty() {
            return Ok(());
        }
        write!(f, " (in Route 53 an alias, zone {zone})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_where_its_addresses_do() {
        let of = |all: &[u8]| -> BTreeSet<IpAddr> {
            all.iter().map(|n| IpAddr::from([192, 0, 2, *n])).collect()
        };
        let target = of(&[1, 2]);
        assert_eq!(leads(Some(&of(&[2, 3])), Some(&target)), Leads::Here);
        assert_eq!(leads(Some(&of(&[3])), Some(&target)), Leads::Elsewhere);
        assert_eq!(leads(None, Some(&target)), Leads::Nowhere);
        assert_eq!(leads(Some(&target), None), Leads::NotKnown);
    }
}
