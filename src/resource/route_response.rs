//! What lets a function's answer go back over the socket; without it, AWS drops the answer.

use serde_json::{Value, json};

use super::{Difference, Found, Managed, Work, at_id, pages};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, Physical, ResourceId};

#[derive(Debug, Clone, PartialEq)]
pub struct RouteResponse {
    pub route_key: String,
}

/// The only response key that AWS takes.
const KEY: &str = "$default";

impl Managed for RouteResponse {
    const KIND: Kind = Kind::RouteResponse;

    fn name(&self) -> String {
        self.route_key.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        vec![ResourceId::new(Kind::Route, &self.route_key)]
    }

    fn settings(&self, _: &Facts) -> Value {
        json!({ "key": KEY })
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().api_write().await;
        let route = work.id(&ResourceId::new(Kind::Route, &self.route_key));
        let create = || async {
            let create = work.cloud.apigateway().create_route_response();
            let made = create
                .api_id(work.api())
                .route_id(route)
                .route_response_key(KEY)
                .send()
                .await?;
            let id = made.route_response_id.unwrap_or_default();
            Ok(physical(route, &id))
        };
        let look = || async {
            let all = list(work.cloud, work.api(), &self.route_key, route).await?;
            Ok(at_id(all, &ResourceId::new(Self::KIND, &self.route_key)))
        };
        let cloud = work.cloud;
        let made = cloud.make("CreateRouteResponse", &self.route_key, create, look);
        match made.await {
            Err(error) if error.fault == Fault::Exists => look().await?.ok_or(error),
            made => made,
        }
    }

    /// There is nothing in it that could differ.
    async fn update(
        &self,
        _: &Work<'_>,
        at: &Physical,
        _: &[Difference],
    ) -> Result<Physical, CloudError> {
        Ok(at.clone())
    }
}

/// A route response is known by its route's id and its own.
fn physical(route: &str, response: &str) -> Physical {
    Physical::new(format!("{route}/{response}"))
}

pub(crate) async fn delete(work: &Work<'_>, at: &Physical) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().api_write().await;
    let (route, response) = at.id.split_once('/').unwrap_or_default();
    work.cloud
        .call("DeleteRouteResponse", &at.id, || {
            let delete = work.cloud.apigateway().delete_route_response();
            delete
                .api_id(work.api())
                .route_id(route)
                .route_response_id(response)
                .send()
        })
        .await
        .map(drop)
}

pub(crate) async fn list(
    cloud: &Cloud,
    api: &str,
    route_key: &str,
    route: &str,
) -> Result<Vec<Found>, CloudError> {
    let items = pages(|token| async move {
        let page = cloud
            .call("GetRouteResponses", route_key, || {
                let get = cloud
                    .apigateway()
                    .get_route_responses()
                    .api_id(api)
                    .route_id(route);
                get.max_results("100").set_next_token(token.clone()).send()
            })
            .await?;
        Ok((page.items.unwrap_or_default(), page.next_token))
    })
    .await?;
    let one = |(n, item): (usize, &aws_sdk_apigatewayv2::types::RouteResponse)| {
        let id = item.route_response_id().unwrap_or_default();
        let name = if n == 0 {
            route_key.to_owned()
        } else {
            format!("{route_key}~{id}")
        };
        let settings = json!({ "key": item.route_response_key() });
        Found::ours(Kind::RouteResponse, name, physical(route, id), settings)
    };
    Ok(items.iter().enumerate().map(one).collect())
}
