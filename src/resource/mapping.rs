//! What a domain's path leads to: a stage of an API. Mappings carry no tags, so one is ours when it leads to our API;
//! and because nobody lists the mappings of an API, a tag on the API remembers each domain that has one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use aws_sdk_apigatewayv2::types::ApiMapping;

use super::tags::Tags;
use super::text::digest;
use super::{Difference, Found, Managed, Scope, Work, api, domain, pages, touches};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, Physical, ResourceId, StackId};

#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    pub stack: StackId,
    pub domain: String,
    /// The path below the domain; empty for the domain alone.
    pub key: String,
    pub stage: String,
}

/// Begins the key of a tag that remembers where there is a mapping; its value is the domain.
const REMEMBERED: &str = "msgai:mapping-";

/// `chat.example.org/chat`, or the domain alone.
pub fn name(domain: &str, key: &str) -> String {
    if key.is_empty() {
        domain.to_owned()
    } else {
        format!("{domain}/{key}")
    }
}

pub fn id(domain: &str, key: &str) -> ResourceId {
    ResourceId::new(Kind::Mapping, name(domain, key))
}

/// The domain that a mapping is of.
pub fn domain_of(id: &ResourceId) -> &str {
    id.name.split('/').next().unwrap_or_default()
}

/// A tag's key has no room for a whole domain.
fn remembered(mapping: &str) -> String {
    format!("{REMEMBERED}{}", digest(mapping.as_bytes()))
}

/// The tags of an API that remember domains, and the others.
pub(crate) fn apart(tags: Tags) -> (Tags, Tags) {
    tags.into_iter()
        .partition(|(key, _)| key.starts_with(REMEMBERED))
}

/// Those that remember a mapping which is none of these: its removal was cut off, or somebody else's.
pub(crate) fn stale<'a>(tags: &Tags, mappings: impl Iterator<Item = &'a ResourceId>) -> Tags {
    let known: BTreeSet<String> = mappings.map(|id| remembered(&id.name)).collect();
    let stale = tags.iter().filter(|(key, _)| !known.contains(*key));
    stale.map(|(k, v)| (k.clone(), v.clone())).collect()
}

impl Managed for Mapping {
    const KIND: Kind = Kind::Mapping;

    fn name(&self) -> String {
        name(&self.domain, &self.key)
    }

    fn after(&self) -> Vec<ResourceId> {
        vec![
            api::id(&self.stack),
            ResourceId::new(Kind::Stage, &self.stage),
            domain::id(&self.domain),
        ]
    }

    fn settings(&self, facts: &Facts) -> Value {
        let api = super::text::Text::id(api::id(&self.stack));
        settings(&api.value(facts), &self.stage, true)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        self.remember(work).await?;
        let made = work
            .cloud
            .call("CreateApiMapping", self.name(), || {
                let create = work.cloud.apigateway().create_api_mapping();
                create
                    .domain_name(&self.domain)
                    .api_id(work.api())
                    .api_mapping_key(&self.key)
                    .stage(&self.stage)
                    .send()
            })
            .await;
        match made {
            Err(error) if error.fault == Fault::Exists => self.made(work).await?.ok_or(error),
            made => Ok(physical(
                &self.domain,
                made?.api_mapping_id().unwrap_or_default(),
            )),
        }
    }

    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        because: &[Difference],
    ) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        // One that led elsewhere becomes ours by what follows.
        if touches(because, "api") || touches(because, "remembered") {
            self.remember(work).await?;
        }
        if !touches(because, "api") && !touches(because, "stage") {
            return Ok(at.clone());
        }
        let (domain, mapping) = parts(at);
        work.cloud
            .call("UpdateApiMapping", self.name(), || {
                let update = work.cloud.apigateway().update_api_mapping();
                update
                    .domain_name(domain)
                    .api_mapping_id(mapping)
                    .api_id(work.api())
                    .api_mapping_key(&self.key)
                    .stage(&self.stage)
                    .send()
            })
            .await?;
        Ok(at.clone())
    }
}

fn settings(api: &Value, stage: &str, remembered: bool) -> Value {
    json!({ "api": api, "remembered": remembered, "stage": stage })
}

impl Mapping {
    async fn remember(&self, work: &Work<'_>) -> Result<(), CloudError> {
        let arn = work.place.api_arn(work.api());
        work.cloud
            .call("TagResource", &arn, || {
                let tag = work.cloud.apigateway().tag_resource();
                tag.resource_arn(&arn)
                    .tags(remembered(&self.name()), &self.domain)
                    .send()
            })
            .await
            .map(drop)
    }

    /// The mapping of a call whose answer was lost: it leads to our API if it is there.
    async fn made(&self, work: &Work<'_>) -> Result<Option<Physical>, CloudError> {
        let mut all = all(work.cloud, &self.domain).await?.into_iter();
        let mine = all
            .find(|item| key(item) == self.key && item.api_id().unwrap_or_default() == work.api());
        Ok(mine.map(|item| physical(&self.domain, item.api_mapping_id().unwrap_or_default())))
    }
}

pub(crate) async fn delete(
    work: &Work<'_>,
    id: &ResourceId,
    at: &Physical,
) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().api_write().await;
    let (domain, mapping) = parts(at);
    let done = work
        .cloud
        .call("DeleteApiMapping", &id.name, || {
            let delete = work.cloud.apigateway().delete_api_mapping();
            delete.domain_name(domain).api_mapping_id(mapping).send()
        })
        .await;
    super::found(done)?;
    let Some(api) = work.facts.get(&api::id(work.stack)) else {
        return Ok(());
    };
    let arn = work.place.api_arn(&api.id);
    work.cloud
        .call("UntagResource", &arn, || {
            let untag = work.cloud.apigateway().untag_resource();
            untag
                .resource_arn(&arn)
                .tag_keys(remembered(&id.name))
                .send()
        })
        .await
        .map(drop)
}

/// A mapping is known by its domain and its own id.
fn physical(domain: &str, mapping: &str) -> Physical {
    Physical::new(format!("{domain}/{mapping}"))
}

fn parts(at: &Physical) -> (&str, &str) {
    at.id.split_once('/').unwrap_or_default()
}

fn key(item: &ApiMapping) -> &str {
    item.api_mapping_key().unwrap_or_default()
}

async fn all(cloud: &Cloud, domain: &str) -> Result<Vec<ApiMapping>, CloudError> {
    pages(|token| async move {
        let page = cloud
            .call("GetApiMappings", domain, || {
                let get = cloud.apigateway().get_api_mappings().domain_name(domain);
                get.max_results("100").set_next_token(token.clone()).send()
            })
            .await?;
        Ok((page.items.unwrap_or_default(), page.next_token))
    })
    .await
}

/// What is known of the stack's API: its id, and the tags that remember where it has mappings.
pub(crate) type Known<'a> = (Option<&'a str>, &'a Tags);

/// All mappings of a domain that lead to our API, or have a name that the stack wants; and `others`, too, where those
/// would go with the domain.
pub(crate) async fn list(
    cloud: &Cloud,
    scope: &Scope,
    known: Known<'_>,
    domain: &str,
    others: bool,
) -> Result<Vec<Found>, CloudError> {
    let items = all(cloud, domain).await?;
    let found = items.iter().map(|item| object(item, scope, known, domain));
    let counts = |found: &Found| others || found.ours || scope.wanted.contains(&found.id);
    Ok(found.filter(counts).collect())
}

fn object(item: &ApiMapping, scope: &Scope, (api, tags): Known<'_>, domain: &str) -> Found {
    let leads_to = item.api_id().unwrap_or_default();
    let id = id(domain, key(item));
    let at = physical(domain, item.api_mapping_id().unwrap_or_default());
    let settings = settings(
        &json!(leads_to),
        item.stage().unwrap_or_default(),
        tags.contains_key(&remembered(&id.name)),
    );
    Found {
        ours: api == Some(leads_to) || scope.adopt.contains(&id),
        id,
        at,
        settings,
        state: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_remember_are_told_from_the_files() {
        let tags = Tags::from([
            ("msgai:stack".to_owned(), "chat".to_owned()),
            (remembered("a.example/x"), "a.example".to_owned()),
        ]);
        let (ours, others) = apart(tags);
        assert_eq!(ours.values().collect::<Vec<_>>(), ["a.example"]);
        let ids = [id("a.example", "x"), id("a.example", "y")];
        assert!(stale(&ours, ids.iter()).is_empty());
        assert_eq!(stale(&ours, ids[1..].iter()), ours);
        assert_eq!(others.into_keys().collect::<Vec<_>>(), ["msgai:stack"]);
    }

    #[test]
    fn a_mapping_is_named_as_its_url_is() {
        assert_eq!(id("a.example", "").to_string(), "mapping/a.example");
        let id = id("a.example", "x");
        assert_eq!(id.to_string(), "mapping/a.example/x");
        assert_eq!(domain_of(&id), "a.example");
    }
}
