//! A route: which message goes to which integration, and who may connect.

use serde_json::{Value, json};

use aws_sdk_apigatewayv2::types::{AuthorizationType, Route as RouteObject};

use super::text::Text;
use super::{Difference, Found, Managed, Work, api, pages, touches};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, Physical, ResourceId, StackId};

#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    pub stack: StackId,
    pub key: String,
    pub integration: ResourceId,
    pub authorizer: Option<ResourceId>,
    /// What the function returns goes back to the client.
    pub reply: bool,
}

impl Route {
    fn target(&self) -> Text {
        Text::known("integrations/").then_id(self.integration.clone())
    }

    fn authorizer(&self) -> Option<Text> {
        self.authorizer.clone().map(Text::id)
    }

    fn authorization(&self) -> AuthorizationType {
        match self.authorizer {
            Some(_) => AuthorizationType::Custom,
            None => AuthorizationType::None,
        }
    }
}

/// The only expression that AWS takes for a route's response.
const REPLY: &str = "$default";

impl Managed for Route {
    const KIND: Kind = Kind::Route;

    fn name(&self) -> String {
        self.key.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        let mut after = vec![api::id(&self.stack), self.integration.clone()];
        after.extend(self.authorizer.clone());
        after
    }

    fn settings(&self, facts: &Facts) -> Value {
        json!({
            "authorization": self.authorization().as_str(),
            "authorizer": self.authorizer().map(|text| text.value(facts)),
            "reply": self.reply,
            "target": self.target().value(facts),
        })
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        let target = work.text(&self.target());
        let authorizer = self.authorizer().map(|text| work.text(&text));
        let made = work
            .cloud
            .call("CreateRoute", &self.key, || {
                work.cloud
                    .apigateway()
                    .create_route()
                    .api_id(work.api())
                    .route_key(&self.key)
                    .target(&target)
                    .authorization_type(self.authorization())
                    .set_authorizer_id(authorizer.clone())
                    .set_route_response_selection_expression(self.reply.then(|| REPLY.to_owned()))
                    .send()
            })
            .await;
        match made {
            Ok(answer) => Ok(Physical::new(answer.route_id().unwrap_or_default())),
            // In our own API, and so ours: an earlier try whose answer was lost.
            Err(error) if error.fault == Fault::Exists => {
                let all = list(work.cloud, work.api()).await?;
                let mine = all
                    .into_iter()
                    .find(|found| found.id.name == self.key)
                    .ok_or(error)?;
                // Nobody knows how far the earlier try came.
                self.write(work, &mine.at, true).await?;
                Ok(mine.at)
            }
            Err(error) => Err(error),
        }
    }

    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        because: &[Difference],
    ) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        self.write(work, at, touches(because, "reply")).await?;
        Ok(at.clone())
    }
}

impl Route {
    /// The target and who may connect, always together: an authorizer goes only with its type. The response
    /// expression only where it changes, because that AWS takes an empty one is not documented.
    async fn write(&self, work: &Work<'_>, at: &Physical, reply: bool) -> Result<(), CloudError> {
        let target = work.text(&self.target());
        let authorizer = self
            .authorizer()
            .map(|text| work.text(&text))
            .unwrap_or_default();
        let expression = if self.reply { REPLY } else { "" };
        // Only $connect ever has an authorizer to take away.
        let authorizer = (self.key == "$connect").then_some(authorizer);
        work.cloud
            .call("UpdateRoute", &self.key, || {
                work.cloud
                    .apigateway()
                    .update_route()
                    .api_id(work.api())
                    .route_id(&at.id)
                    .route_key(&self.key)
                    .target(&target)
                    .authorization_type(self.authorization())
                    .set_authorizer_id(authorizer.clone())
                    .set_route_response_selection_expression(reply.then(|| expression.to_owned()))
                    .send()
            })
            .await
            .map(drop)
    }
}

pub(crate) async fn delete(work: &Work<'_>, at: &Physical) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().api_write().await;
    work.cloud
        .call("DeleteRoute", &at.id, || {
            let delete = work.cloud.apigateway().delete_route();
            delete.api_id(work.api()).route_id(&at.id).send()
        })
        .await
        .map(drop)
}

/// `GetRoutes` has no paginator in the SDK.
pub(crate) async fn list(cloud: &Cloud, api: &str) -> Result<Vec<Found>, CloudError> {
    let items = pages(|token| async move {
        let page = cloud
            .call("GetRoutes", api, || {
                let get = cloud.apigateway().get_routes().api_id(api);
                get.max_results("100").set_next_token(token.clone()).send()
            })
            .await?;
        Ok((page.items.unwrap_or_default(), page.next_token))
    })
    .await?;
    Ok(items.iter().map(object).collect())
}

fn object(item: &RouteObject) -> Found {
    let authorization = item
        .authorization_type()
        .map_or("NONE", AuthorizationType::as_str);
    let settings = json!({
        "authorization": authorization,
        "authorizer": item.authorizer_id().filter(|id| !id.is_empty()),
        "reply": item.route_response_selection_expression() == Some(REPLY),
        "target": item.target(),
    });
    let id = Physical::new(item.route_id().unwrap_or_default());
    Found::ours(
        Kind::Route,
        item.route_key().unwrap_or_default(),
        id,
        settings,
    )
}
