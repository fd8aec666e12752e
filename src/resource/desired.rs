//! All that a stack wants, as one value.

use std::collections::{BTreeMap, BTreeSet};

use super::{Resource, table};
use crate::names::{Kind, ResourceId};

/// What a stack says should be.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    pub resources: BTreeMap<ResourceId, Resource>,
    /// Tables that are only used: name → what they must look like.
    pub referenced: BTreeMap<String, table::TableShape>,
    /// The domain that is only used.
    pub used_domain: Option<String>,
    /// Kinds whose objects stay when nothing wants them any more.
    pub kept: BTreeSet<Kind>,
}

impl Desired {
    /// What is to be true of tables when a plan has been carried out.
    #[must_use]
    pub fn until(mut self, until: table::Until) -> Self {
        for resource in self.resources.values_mut() {
            if let Resource::Table(table) = resource {
                table.until = until;
            }
        }
        self
    }
}
