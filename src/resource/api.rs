//! The WebSocket API. API names are not unique and `CreateApi` takes no token, so the mark in the call itself is
//! what we know it by.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use aws_sdk_apigatewayv2::types::{Api as ApiObject, ProtocolType};

use super::tags::{self, Tags};
use super::{Difference, Found, Managed, Scope, Work, endpoint_off, mapping, touches};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, MARK, Physical, ResourceId, StackId};

#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    pub stack: StackId,
    /// What consoles show; it may change freely.
    pub api_name: String,
    pub description: String,
    /// The route selection expression.
    pub select: String,
    pub tags: Tags,
}

/// A stack has one API; its name here is the stack's, so that renaming the API never replaces it.
pub fn id(stack: &StackId) -> ResourceId {
    ResourceId::new(Kind::Api, stack.as_str())
}

impl Managed for Api {
    const KIND: Kind = Kind::Api;

    fn name(&self) -> String {
        self.stack.to_string()
    }

    fn after(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn settings(&self, _: &Facts) -> Value {
        settings(&self.api_name, &self.description, &self.select, &self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        let create = || async {
            let create = work.cloud.apigateway().create_api();
            let made = create
                .name(&self.api_name)
                .protocol_type(ProtocolType::Websocket)
                .route_selection_expression(&self.select)
                .set_description(Some(self.description.clone()).filter(|d| !d.is_empty()))
                .set_tags(Some(self.tags.clone().into_iter().collect()))
                .send()
                .await?;
            Ok(made.api_id.unwrap_or_default())
        };
        let look = || self.made(work);
        let cloud = work.cloud;
        let id = cloud.make("CreateApi", &self.api_name, create, look);
        id.await.map(Physical::new)
    }

    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        because: &[Difference],
    ) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        let gateway = work.cloud.apigateway();
        // First the mark: what is changed is the stack's from then on, wherever a kill comes.
        if touches(because, "tags") {
            tag(work, &work.place.api_arn(&at.id), because, &self.tags).await?;
        }
        if ["name", "description", "select"]
            .iter()
            .any(|field| touches(because, field))
        {
            work.cloud
                .call("UpdateApi", &self.api_name, || {
                    gateway
                        .update_api()
                        .api_id(&at.id)
                        .name(&self.api_name)
                        .description(&self.description)
                        .route_selection_expression(&self.select)
                        .send()
                })
                .await?;
        }
        Ok(at.clone())
    }
}

impl Api {
    /// The API of a `CreateApi` whose answer was lost: it carries the mark if it is there.
    async fn made(&self, work: &Work<'_>) -> Result<Option<String>, CloudError> {
        let mut mine = marked(work.cloud, work.stack).await?;
        if mine.len() > 1 {
            let message = format!("{} APIs carry the mark of this stack", mine.len());
            let error = CloudError::of("CreateApi", &self.api_name, Fault::Other, message);
            return Err(error);
        }
        Ok(mine.pop().and_then(|api| api.api_id))
    }
}

fn settings(name: &str, description: &str, select: &str, tags: &Tags) -> Value {
    json!({ "name": name, "description": description, "select": select, "tags": tags })
}

/// Sets and removes tags of an API or a stage.
pub(crate) async fn tag(
    work: &Work<'_>,
    arn: &str,
    because: &[Difference],
    want: &Tags,
) -> Result<(), CloudError> {
    let (remove, set) = tags::changes(because, want);
    let gateway = work.cloud.apigateway();
    if !set.is_empty() {
        work.cloud
            .call("TagResource", arn, || {
                let pairs = set.clone().into_iter().collect();
                gateway
                    .tag_resource()
                    .resource_arn(arn)
                    .set_tags(Some(pairs))
                    .send()
            })
            .await?;
    }
    if !remove.is_empty() {
        work.cloud
            .call("UntagResource", arn, || {
                gateway
                    .untag_resource()
                    .resource_arn(arn)
                    .set_tag_keys(Some(remove.clone()))
                    .send()
            })
            .await?;
    }
    Ok(())
}

/// One call that takes routes, integrations, authorizers, stages and deployments with it.
pub(crate) async fn delete(work: &Work<'_>, at: &Physical) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().api_write().await;
    work.cloud
        .call("DeleteApi", &at.id, || {
            work.cloud.apigateway().delete_api().api_id(&at.id).send()
        })
        .await
        .map(drop)
}

async fn all(cloud: &Cloud) -> Result<Vec<ApiObject>, CloudError> {
    super::pages(|token| async move {
        let page = cloud
            .call("GetApis", "the account", || {
                cloud
                    .apigateway()
                    .get_apis()
                    .max_results("100")
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        Ok((page.items.unwrap_or_default(), page.next_token))
    })
    .await
}

fn mark(api: &ApiObject) -> Option<&str> {
    api.tags()
        .and_then(|tags| tags.get(MARK))
        .map(String::as_str)
}

async fn marked(cloud: &Cloud, stack: &StackId) -> Result<Vec<ApiObject>, CloudError> {
    let is_marked = |api: &ApiObject| mark(api) == Some(stack.as_str());
    Ok(all(cloud).await?.into_iter().filter(is_marked).collect())
}

/// Whether an API that is listed before the stack's has a stage of this name, too.
pub(crate) async fn is_stage_taken(
    cloud: &Cloud,
    stack: &StackId,
    stage: &str,
) -> Result<bool, CloudError> {
    let all = all(cloud).await?;
    let before_ours = all
        .iter()
        .take_while(|api| mark(api) != Some(stack.as_str()));
    for other in before_ours {
        let stages = super::stage::list(cloud, other.api_id().unwrap_or_default()).await?;
        if stages.iter().any(|s| s.found.at.id == stage) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the account's list of APIs says of the stack.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) found: Vec<Found>,
    /// The id of the stack's own API.
    pub(crate) api: Option<String>,
    /// Its tags that remember where it has mappings.
    pub(crate) remembered: Tags,
}

/// The stack's API: the one with its mark, else the one that is named for being taken over. A second one is listed
/// under its own id, for the plan to refuse.
pub(crate) async fn list(cloud: &Cloud, scope: &Scope) -> Result<Listed, CloudError> {
    let all = all(cloud).await?;
    let (mut ours, others): (Vec<_>, Vec<_>) = all
        .iter()
        .partition(|api| mark(api) == Some(scope.stack.as_str()));
    let mut named: Vec<&ApiObject> = others
        .into_iter()
        .filter(|api| is_named(api, &scope.adopt))
        .collect();
    let free = named.iter().position(|api| mark(api).is_none());
    if let Some(free) = free.filter(|_| ours.is_empty()) {
        ours.push(named.remove(free));
    }
    let own = ours.first().copied();
    let off = own.filter(|api| api.disable_execute_api_endpoint() == Some(true));
    let off = off.map(|api| endpoint_off::object(&scope.stack, &physical(api)));
    let remembered = own.map(|api| mapping::apart(tags_of(api)).0);
    let ours = ours
        .into_iter()
        .enumerate()
        .map(|(n, api)| object(api, scope, n == 0));
    let others = named.into_iter().map(|api| Found {
        ours: false,
        ..object(api, scope, false)
    });
    Ok(Listed {
        found: ours.chain(others).chain(off).collect(),
        api: own.and_then(|api| api.api_id().map(str::to_owned)),
        remembered: remembered.unwrap_or_default(),
    })
}

impl Listed {
    /// Tags of our API that are to go, among those that it shows.
    pub(crate) fn shows(&mut self, tags: &Tags) {
        let own = self.api.as_ref();
        let mut found = self.found.iter_mut();
        let Some(api) = found.find(|f| f.id.kind == Kind::Api && Some(&f.at.id) == own) else {
            return;
        };
        for (key, value) in tags {
            api.settings["tags"][key] = json!(value);
        }
    }
}

fn tags_of(api: &ApiObject) -> Tags {
    tags::own(api.tags().into_iter().flatten())
}

fn physical(api: &ApiObject) -> Physical {
    Physical::new(api.api_id().unwrap_or_default())
}

fn is_named(api: &ApiObject, adopt: &BTreeSet<ResourceId>) -> bool {
    let id = ResourceId::new(Kind::Api, api.api_id().unwrap_or_default());
    api.protocol_type() == Some(&ProtocolType::Websocket) && adopt.contains(&id)
}

/// What comes after the stack's name where an API is not the stack's only one.
const BESIDE: char = '~';

/// The physical id of an API that is not the stack's only one.
pub fn beside(id: &ResourceId) -> Option<&str> {
    let (_, physical) = id.name.split_once(BESIDE)?;
    (id.kind == Kind::Api).then_some(physical)
}

fn object(api: &ApiObject, scope: &Scope, is_only: bool) -> Found {
    let at = physical(api);
    let name = if is_only {
        scope.stack.to_string()
    } else {
        format!("{}{BESIDE}{}", scope.stack, at.id)
    };
    let settings = settings(
        api.name().unwrap_or_default(),
        api.description().unwrap_or_default(),
        api.route_selection_expression().unwrap_or_default(),
        &mapping::apart(tags_of(api)).1,
    );
    Found::ours(Kind::Api, name, at, settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_api_is_none_to_take_over() {
        let adopt = BTreeSet::from([ResourceId::new(Kind::Api, "a1")]);
        let api = |id: &str, protocol| {
            let api = ApiObject::builder().api_id(id).protocol_type(protocol);
            is_named(&api.build(), &adopt)
        };
        assert!(api("a1", ProtocolType::Websocket));
        assert!(!api("a1", ProtocolType::Http));
        assert!(!api("a2", ProtocolType::Websocket));
    }
}
