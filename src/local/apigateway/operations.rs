//! Which operation a method and a path mean, and the ids in the path.

use percent_encoding::percent_decode_str;

/// Operation, method, path; `*` stands for an id.
const OPERATIONS: &[(&str, &str, &str)] = &[
    ("GetAccount", "GET", "account"),
    ("UpdateAccount", "PATCH", "account"),
    ("CreateApi", "POST", "v2/apis"),
    ("GetApis", "GET", "v2/apis"),
    ("GetApi", "GET", "v2/apis/*"),
    ("UpdateApi", "PATCH", "v2/apis/*"),
    ("DeleteApi", "DELETE", "v2/apis/*"),
    ("CreateIntegration", "POST", "v2/apis/*/integrations"),
    ("GetIntegrations", "GET", "v2/apis/*/integrations"),
    ("GetIntegration", "GET", "v2/apis/*/integrations/*"),
    ("UpdateIntegration", "PATCH", "v2/apis/*/integrations/*"),
    ("DeleteIntegration", "DELETE", "v2/apis/*/integrations/*"),
    (
        "CreateIntegrationResponse",
        "POST",
        "v2/apis/*/integrations/*/integrationresponses",
    ),
    (
        "GetIntegrationResponses",
        "GET",
        "v2/apis/*/integrations/*/integrationresponses",
    ),
    (
        "GetIntegrationResponse",
        "GET",
        "v2/apis/*/integrations/*/integrationresponses/*",
    ),
    (
        "UpdateIntegrationResponse",
        "PATCH",
        "v2/apis/*/integrations/*/integrationresponses/*",
    ),
    (
        "DeleteIntegrationResponse",
        "DELETE",
        "v2/apis/*/integrations/*/integrationresponses/*",
    ),
    ("CreateModel", "POST", "v2/apis/*/models"),
    ("GetModels", "GET", "v2/apis/*/models"),
    ("GetModel", "GET", "v2/apis/*/models/*"),
    ("GetModelTemplate", "GET", "v2/apis/*/models/*/template"),
    ("UpdateModel", "PATCH", "v2/apis/*/models/*"),
    ("DeleteModel", "DELETE", "v2/apis/*/models/*"),
    ("CreateRoute", "POST", "v2/apis/*/routes"),
    ("GetRoutes", "GET", "v2/apis/*/routes"),
    ("GetRoute", "GET", "v2/apis/*/routes/*"),
    ("UpdateRoute", "PATCH", "v2/apis/*/routes/*"),
    ("DeleteRoute", "DELETE", "v2/apis/*/routes/*"),
    (
        "DeleteRouteRequestParameter",
        "DELETE",
        "v2/apis/*/routes/*/requestparameters/*",
    ),
    (
        "CreateRouteResponse",
        "POST",
        "v2/apis/*/routes/*/routeresponses",
    ),
    (
        "GetRouteResponses",
        "GET",
        "v2/apis/*/routes/*/routeresponses",
    ),
    (
        "GetRouteResponse",
        "GET",
        "v2/apis/*/routes/*/routeresponses/*",
    ),
    (
        "UpdateRouteResponse",
        "PATCH",
        "v2/apis/*/routes/*/routeresponses/*",
    ),
    (
        "DeleteRouteResponse",
        "DELETE",
        "v2/apis/*/routes/*/routeresponses/*",
    ),
    ("CreateAuthorizer", "POST", "v2/apis/*/authorizers"),
    ("GetAuthorizers", "GET", "v2/apis/*/authorizers"),
    ("GetAuthorizer", "GET", "v2/apis/*/authorizers/*"),
    ("UpdateAuthorizer", "PATCH", "v2/apis/*/authorizers/*"),
    ("DeleteAuthorizer", "DELETE", "v2/apis/*/authorizers/*"),
    ("CreateDeployment", "POST", "v2/apis/*/deployments"),
    ("GetDeployments", "GET", "v2/apis/*/deployments"),
    ("GetDeployment", "GET", "v2/apis/*/deployments/*"),
    ("UpdateDeployment", "PATCH", "v2/apis/*/deployments/*"),
    ("DeleteDeployment", "DELETE", "v2/apis/*/deployments/*"),
    ("CreateStage", "POST", "v2/apis/*/stages"),
    ("GetStages", "GET", "v2/apis/*/stages"),
    ("GetStage", "GET", "v2/apis/*/stages/*"),
    ("UpdateStage", "PATCH", "v2/apis/*/stages/*"),
    ("DeleteStage", "DELETE", "v2/apis/*/stages/*"),
    (
        "DeleteAccessLogSettings",
        "DELETE",
        "v2/apis/*/stages/*/accesslogsettings",
    ),
    (
        "DeleteRouteSettings",
        "DELETE",
        "v2/apis/*/stages/*/routesettings/*",
    ),
    (
        "ResetAuthorizersCache",
        "DELETE",
        "v2/apis/*/stages/*/cache/authorizers",
    ),
    ("CreateDomainName", "POST", "v2/domainnames"),
    ("GetDomainNames", "GET", "v2/domainnames"),
    ("GetDomainName", "GET", "v2/domainnames/*"),
    ("UpdateDomainName", "PATCH", "v2/domainnames/*"),
    ("DeleteDomainName", "DELETE", "v2/domainnames/*"),
    ("CreateApiMapping", "POST", "v2/domainnames/*/apimappings"),
    ("GetApiMappings", "GET", "v2/domainnames/*/apimappings"),
    ("GetApiMapping", "GET", "v2/domainnames/*/apimappings/*"),
    (
        "UpdateApiMapping",
        "PATCH",
        "v2/domainnames/*/apimappings/*",
    ),
    (
        "DeleteApiMapping",
        "DELETE",
        "v2/domainnames/*/apimappings/*",
    ),
    ("GetTags", "GET", "v2/tags/*"),
    ("TagResource", "POST", "v2/tags/*"),
    ("UntagResource", "DELETE", "v2/tags/*"),
];

/// The operation that a method and a path mean.
pub(crate) fn operation(method: &str, path: &str) -> Option<&'static str> {
    find(method, path).map(|(operation, _)| operation)
}

pub(super) fn find(method: &str, path: &str) -> Option<(&'static str, Vec<String>)> {
    OPERATIONS
        .iter()
        .filter(|(_, m, _)| *m == method)
        .find_map(|(operation, _, pattern)| Some((*operation, ids(pattern, path)?)))
}

/// The ids in `path`, when it fits. A tag's ARN may come with its slashes unescaped, so the last `*` of a path
/// of tags takes the rest.
fn ids(pattern: &str, path: &str) -> Option<Vec<String>> {
    let decode = |s: &str| Some(percent_decode_str(s).decode_utf8().ok()?.into_owned());
    let path = path.trim_matches('/');
    if let Some(arn) = path.strip_prefix("v2/tags/") {
        return if pattern == "v2/tags/*" {
            Some(vec![decode(arn)?])
        } else {
            None
        };
    }
    let (wanted, given): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), path.split('/').collect());
    if wanted.len() != given.len() {
        return None;
    }
    let mut ids = Vec::new();
    for (wanted, given) in wanted.into_iter().zip(given) {
        if wanted == "*" && !given.is_empty() {
            ids.push(decode(given)?);
        } else if wanted != given {
            return None;
        }
    }
    Some(ids)
}
