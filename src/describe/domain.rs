//! The domain of one's own, what it leads to, and what functions have to know of it.

use std::collections::BTreeSet;

use super::{Address, Describing};
use crate::resource::domain::Domain;
use crate::resource::endpoint_off::EndpointOff;
use crate::resource::mapping::{self, Mapping};
use crate::resource::text::{Text, Variable};
use crate::resource::{Resource, api};
use crate::stack::DomainDef;

/// Where functions post to connections, whatever an event says.
const MANAGEMENT: &str = "MANAGEMENT_ENDPOINT";

impl Describing<'_> {
    pub(crate) fn domain(&self) -> Vec<Resource> {
        let Some(def) = &self.stack.api.domain else {
            return Vec::new();
        };
        let mut all = Vec::new();
        all.extend(self.certificate(def).map(|certificate| {
            Resource::Domain(Domain {
                name: def.name.clone(),
                certificate,
                tags: self.tags.clone(),
            })
        }));
        all.push(Resource::Mapping(Mapping {
            stack: self.id.clone(),
            domain: def.name.clone(),
            key: def.key().to_owned(),
            stage: self.stack.api.stage.clone(),
        }));
        if def.only {
            all.push(Resource::EndpointOff(EndpointOff {
                stack: self.id.clone(),
                mapping: mapping::id(&def.name, def.key()),
            }));
        }
        all
    }

    /// Without one the domain is only used. Where there is nothing but the stack's own, it is made all the same, and
    /// nobody asks whose certificate it is.
    fn certificate(&self, def: &DomainDef) -> Option<String> {
        let place = &self.site.place;
        let made_up = || {
            format!(
                "arn:{}:acm:{}:{}:certificate/00000000-0000-0000-0000-000000000000",
                place.partition, place.region, place.account
            )
        };
        let is_here = |(_, region, _): &(&str, &str, &str)| *region == place.region;
        if self.site.makes_existing && !def.certificate_place().as_ref().is_some_and(is_here) {
            return Some(made_up());
        }
        def.certificate.clone()
    }

    pub(crate) fn used_domain(&self) -> Option<String> {
        let def = self.stack.api.domain.as_ref()?;
        self.certificate(def).is_none().then(|| def.name.clone())
    }

    /// Events name the host that a client came by, and behind a domain the stage has another name: who posts needs the
    /// whole URL. An endpoint on this machine is found by `AWS_ENDPOINT_URL`.
    pub(crate) fn management(
        &self,
        methods: &BTreeSet<&'static str>,
    ) -> Option<(String, Variable)> {
        let def = self.stack.api.domain.as_ref()?;
        if methods.is_empty() || self.site.address != Address::Aws {
            return None;
        }
        let text = if def.only {
            Text::known(format!("https://{}", def.address()))
        } else {
            let host = self.site.execute_api_host();
            let stage = &self.stack.api.stage;
            Text::known("https://")
                .then_id(api::id(&self.id))
                .then(format!("{host}/{stage}"))
        };
        let secret = false;
        Some((MANAGEMENT.to_owned(), Variable { text, secret }))
    }
}
