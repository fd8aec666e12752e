//! How the API calls a function: always through its alias, so that a deploy of code changes nothing here.

use serde_json::{Value, json};

use aws_sdk_apigatewayv2::types::{Integration as IntegrationObject, IntegrationType};

use super::{Difference, Found, Managed, Work, api, at_id, pages};
use crate::cloud::{Cloud, CloudError};
use crate::names::{Facts, Kind, LIVE, Physical, Place, ResourceId, StackId};

/// API Gateway's longest wait for a function, and its default, in milliseconds.
pub const LONGEST: i32 = 29_000;

#[derive(Debug, Clone, PartialEq)]
pub struct Integration {
    pub stack: StackId,
    pub place: Place,
    pub function: String,
    /// Milliseconds that API Gateway waits.
    pub timeout: i32,
}

/// The function's name, and the timeout where it is not the default: what an integration does is its identity,
/// so a changed route points at another one and the old one serves until the deployment.
pub fn name(function: &str, timeout: i32) -> String {
    if timeout == LONGEST {
        function.to_owned()
    } else {
        format!("{function}@{timeout}ms")
    }
}

/// The URI by which the API calls a function's alias.
pub fn uri(place: &Place, function: &str) -> String {
    place.invocation_uri(&format!("{}:{LIVE}", place.function_arn(function)))
}

impl Integration {
    pub fn id(&self) -> ResourceId {
        ResourceId::new(Kind::Integration, name(&self.function, self.timeout))
    }
}

impl Managed for Integration {
    const KIND: Kind = Kind::Integration;

    fn name(&self) -> String {
        name(&self.function, self.timeout)
    }

    fn after(&self) -> Vec<ResourceId> {
        vec![api::id(&self.stack)]
    }

    fn settings(&self, _: &Facts) -> Value {
        settings("AWS_PROXY", &uri(&self.place, &self.function), self.timeout)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        let uri = uri(&self.place, &self.function);
        let create = || async {
            let create = work.cloud.apigateway().create_integration();
            let made = create
                .api_id(work.api())
                .integration_type(IntegrationType::AwsProxy)
                .integration_method("POST")
                .integration_uri(&uri)
                .timeout_in_millis(self.timeout)
                .send()
                .await?;
            Ok(Physical::new(made.integration_id.unwrap_or_default()))
        };
        let look = || async {
            let all = list(work.cloud, work.place, work.api()).await?;
            Ok(at_id(all, &self.id()))
        };
        let cloud = work.cloud;
        cloud
            .make("CreateIntegration", self.name(), create, look)
            .await
    }

    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        _: &[Difference],
    ) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        let uri = uri(&self.place, &self.function);
        work.cloud
            .call("UpdateIntegration", self.name(), || {
                work.cloud
                    .apigateway()
                    .update_integration()
                    .api_id(work.api())
                    .integration_id(&at.id)
                    .integration_type(IntegrationType::AwsProxy)
                    .integration_method("POST")
                    .integration_uri(&uri)
                    .timeout_in_millis(self.timeout)
                    .send()
            })
            .await?;
        Ok(at.clone())
    }
}

fn settings(kind: &str, uri: &str, timeout: i32) -> Value {
    json!({ "timeout": timeout, "type": kind, "uri": uri })
}

pub(crate) async fn delete(work: &Work<'_>, at: &Physical) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().api_write().await;
    work.cloud
        .call("DeleteIntegration", &at.id, || {
            let delete = work.cloud.apigateway().delete_integration();
            delete.api_id(work.api()).integration_id(&at.id).send()
        })
        .await
        .map(drop)
}

/// All integrations of the API. A second one for the same call is listed under its own id, to be removed.
pub(crate) async fn list(
    cloud: &Cloud,
    place: &Place,
    api: &str,
) -> Result<Vec<Found>, CloudError> {
    let items = pages(|token| async move {
        let page = cloud
            .call("GetIntegrations", api, || {
                let get = cloud.apigateway().get_integrations().api_id(api);
                get.max_results("100").set_next_token(token.clone()).send()
            })
            .await?;
        Ok((page.items.unwrap_or_default(), page.next_token))
    })
    .await?;
    // Where several call one function, the one that does it through the alias is ours, and the others are leftovers.
    let not_through_alias = |item: &&IntegrationObject| {
        let uri = item.integration_uri().unwrap_or_default();
        !uri.ends_with(&format!(":{LIVE}/invocations"))
    };
    let mut ordered: Vec<&IntegrationObject> = items.iter().collect();
    ordered.sort_by_key(not_through_alias);
    let mut all: Vec<Found> = Vec::new();
    for item in ordered {
        let mut found = object(item, place);
        if all.iter().any(|other| other.id == found.id) {
            found.id.name = format!("{}~{}", found.id.name, found.at.id);
        }
        all.push(found);
    }
    Ok(all)
}

fn object(item: &IntegrationObject, place: &Place) -> Found {
    let id = item.integration_id().unwrap_or_default();
    let uri = item.integration_uri().unwrap_or_default();
    let timeout = item.timeout_in_millis().unwrap_or(LONGEST);
    let name = function_of(uri, place).map_or_else(|| id.to_owned(), |f| name(f, timeout));
    let kind = item.integration_type().map_or("", IntegrationType::as_str);
    Found::ours(
        Kind::Integration,
        name,
        Physical::new(id),
        settings(kind, uri, timeout),
    )
}

/// The function that an invocation URI names, through its alias or, in an API that was taken over, without.
fn function_of<'a>(uri: &'a str, place: &Place) -> Option<&'a str> {
    let start = format!("/functions/{}", place.function_arn(""));
    let (_, rest) = uri.split_once(&start)?;
    let called = rest.strip_suffix("/invocations")?;
    Some(
        called
            .split_once(':')
            .map_or(called, |(function, _)| function),
    )
}
