//! The REQUEST authorizer: the function that is asked before a connection is let in.

use serde_json::{Value, json};

use aws_sdk_apigatewayv2::types::{Authorizer as AuthorizerObject, AuthorizerType};

use super::{Difference, Found, Managed, Work, api, at_id, integration, pages};
use crate::cloud::{Cloud, CloudError};
use crate::names::{Facts, Kind, Physical, Place, ResourceId, StackId};

#[derive(Debug, Clone, PartialEq)]
pub struct Authorizer {
    pub stack: StackId,
    pub place: Place,
    pub name: String,
    pub function: String,
    /// `route.request.querystring.token` and the like, sorted.
    pub identity: Vec<String>,
}

impl Managed for Authorizer {
    const KIND: Kind = Kind::Authorizer;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        vec![api::id(&self.stack)]
    }

    fn settings(&self, _: &Facts) -> Value {
        settings(
            &integration::uri(&self.place, &self.function),
            &self.identity,
        )
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        let create = || async {
            let create = work.cloud.apigateway().create_authorizer();
            let made = create
                .api_id(work.api())
                .name(&self.name)
                .authorizer_type(AuthorizerType::Request)
                .authorizer_uri(integration::uri(&self.place, &self.function))
                .set_identity_source(Some(self.identity.clone()))
                .send()
                .await?;
            Ok(Physical::new(made.authorizer_id.unwrap_or_default()))
        };
        let look = || async {
            let all = list(work.cloud, work.api()).await?;
            Ok(at_id(all, &ResourceId::new(Self::KIND, &self.name)))
        };
        let cloud = work.cloud;
        cloud
            .make("CreateAuthorizer", &self.name, create, look)
            .await
    }

    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        _: &[Difference],
    ) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        work.cloud
            .call("UpdateAuthorizer", &self.name, || {
                work.cloud
                    .apigateway()
                    .update_authorizer()
                    .api_id(work.api())
                    .authorizer_id(&at.id)
                    .authorizer_type(AuthorizerType::Request)
                    .authorizer_uri(integration::uri(&self.place, &self.function))
                    .set_identity_source(Some(self.identity.clone()))
                    .send()
            })
            .await?;
        Ok(at.clone())
    }
}

fn settings(uri: &str, identity: &[String]) -> Value {
    json!({ "identity": identity, "uri": uri })
}

pub(crate) async fn delete(work: &Work<'_>, at: &Physical) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().api_write().await;
    work.cloud
        .call("DeleteAuthorizer", &at.id, || {
            let delete = work.cloud.apigateway().delete_authorizer();
            delete.api_id(work.api()).authorizer_id(&at.id).send()
        })
        .await
        .map(drop)
}

pub(crate) async fn list(cloud: &Cloud, api: &str) -> Result<Vec<Found>, CloudError> {
    let items = pages(|token| async move {
        let page = cloud
            .call("GetAuthorizers", api, || {
                let get = cloud.apigateway().get_authorizers().api_id(api);
                get.max_results("100").set_next_token(token.clone()).send()
            })
            .await?;
        Ok((page.items.unwrap_or_default(), page.next_token))
    })
    .await?;
    let mut all: Vec<Found> = Vec::new();
    for item in &items {
        let mut found = object(item);
        if all.iter().any(|other| other.id == found.id) {
            found.id.name = format!("{}~{}", found.id.name, found.at.id);
        }
        all.push(found);
    }
    Ok(all)
}

fn object(item: &AuthorizerObject) -> Found {
    let mut identity = item.identity_source().to_vec();
    identity.sort();
    let settings = settings(item.authorizer_uri().unwrap_or_default(), &identity);
    let id = Physical::new(item.authorizer_id().unwrap_or_default());
    Found::ours(
        Kind::Authorizer,
        item.name().unwrap_or_default(),
        id,
        settings,
    )
}
