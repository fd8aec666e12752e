//! Which function reads or changes a part of an API.

use super::paging::{one, page};
use super::{
    Api, Context, api, authorizers, bad, deployments, integrations, models, routes, stages,
};
use crate::local::refusal::Refusal;
use crate::local::wire::{Object, Reply};

pub(super) fn read(
    api: &Api,
    operation: &str,
    ids: &[String],
    query: &[(String, String)],
) -> Result<Reply, Refusal> {
    let id = ids.get(1).map_or("", String::as_str);
    match operation {
        "GetApi" => Ok(Reply::ok(api.about.clone())),
        "GetIntegrations" => page(&api.integrations, query),
        "GetIntegration" => one(&api.integrations, "Integration", id),
        "GetIntegrationResponses" => page(integrations::responses(api, id)?, query),
        "GetIntegrationResponse" => one(
            integrations::responses(api, id)?,
            "IntegrationResponse",
            &ids[2],
        ),
        "GetModels" => page(&api.models, query),
        "GetModel" => one(&api.models, "Model", id),
        "GetModelTemplate" => models::template(api, id),
        "GetRoutes" => page(api.routes.iter().map(|(id, r)| (id, &r.about)), query),
        "GetRoute" => Ok(Reply::ok(api.route(id)?.about.clone())),
        "GetRouteResponses" => page(&api.route(id)?.responses, query),
        "GetRouteResponse" => one(&api.route(id)?.responses, "RouteResponse", &ids[2]),
        "GetAuthorizers" => page(&api.authorizers, query),
        "GetAuthorizer" => one(&api.authorizers, "Authorizer", id),
        "GetDeployments" => page(api.deployments.iter().map(|(id, d)| (id, &d.about)), query),
        "GetDeployment" => Ok(Reply::ok(api.deployment(id)?.about.clone())),
        "GetStages" => page(&api.stages, query),
        "GetStage" => Ok(Reply::ok(api.stage(id)?.clone())),
        _ => Err(bad(format!("{operation} is not a read"))),
    }
}

pub(super) fn write(
    api: &mut Api,
    context: &Context<'_>,
    operation: &str,
    ids: &[String],
    body: &Object,
) -> Result<Reply, Refusal> {
    let id = ids.get(1).map_or("", String::as_str);
    match operation {
        "UpdateApi" => api::update(api, body),
        "CreateIntegration" => integrations::create(api, body),
        "UpdateIntegration" => integrations::update(api, id, body),
        "DeleteIntegration" => integrations::delete(api, id),
        "CreateIntegrationResponse" => integrations::create_response(api, id, body),
        "UpdateIntegrationResponse" => integrations::update_response(api, id, &ids[2], body),
        "DeleteIntegrationResponse" => integrations::delete_response(api, id, &ids[2]),
        "CreateModel" => models::create(api, body),
        "UpdateModel" => models::update(api, id, body),
        "DeleteModel" => models::delete(api, id),
        "CreateRoute" => routes::create(api, body),
        "UpdateRoute" => routes::update(api, id, body),
        "DeleteRoute" => routes::delete(api, id),
        "DeleteRouteRequestParameter" => routes::delete_parameter(api, id, &ids[2]),
        "CreateRouteResponse" => routes::create_response(api, id, body),
        "UpdateRouteResponse" => routes::update_response(api, id, &ids[2], body),
        "DeleteRouteResponse" => routes::delete_response(api, id, &ids[2]),
        "CreateAuthorizer" => authorizers::create(api, body),
        "UpdateAuthorizer" => authorizers::update(api, id, body),
        "DeleteAuthorizer" => authorizers::delete(api, id),
        "CreateDeployment" => deployments::create(api, context, body),
        "UpdateDeployment" => deployments::update(api, id, body),
        "DeleteDeployment" => deployments::delete(api, id),
        "CreateStage" => stages::create(api, context, body),
        "UpdateStage" => stages::update(api, context, id, body),
        "DeleteStage" => stages::delete(api, id),
        "DeleteAccessLogSettings" => stages::delete_access_log(api, context, id),
        "DeleteRouteSettings" => stages::delete_route_settings(api, context, id, &ids[2]),
        // There is no cache on a WebSocket API, so that nothing is left to forget.
        "ResetAuthorizersCache" => api.stage(id).map(|_| Reply::empty(204)),
        _ => Err(bad(format!("{operation} is not a write"))),
    }
}
