//! Lambda's REST API: which operation a path means, and its way in and out.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::check::{Target, in_range, too_large};
use super::functions::serialization;
use super::{account, event_config, functions, invoke, policy, versions};
use crate::local::refusal::Refusal;
use crate::local::{World, wire};

/// A package of 50 MB in base64 and the JSON around it.
const BODY_LIMIT: usize = 70 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operation {
    AddPermission,
    CreateAlias,
    CreateFunction,
    DeleteAlias,
    DeleteFunction,
    DeleteFunctionConcurrency,
    DeleteFunctionEventInvokeConfig,
    GetAccountSettings,
    GetAlias,
    GetFunction,
    GetFunctionCodeSigningConfig,
    GetFunctionConcurrency,
    GetFunctionConfiguration,
    GetFunctionEventInvokeConfig,
    GetPolicy,
    Invoke,
    ListAliases,
    ListEventSourceMappings,
    ListFunctionEventInvokeConfigs,
    ListFunctions,
    ListTags,
    ListVersionsByFunction,
    PublishVersion,
    PutFunctionConcurrency,
    PutFunctionEventInvokeConfig,
    RemovePermission,
    TagResource,
    UntagResource,
    UpdateAlias,
    UpdateFunctionCode,
    UpdateFunctionConfiguration,
    UpdateFunctionEventInvokeConfig,
}

use Operation as O;

/// Methods and paths as AWS has them; `*` stands for an argument.
const OPERATIONS: [(&str, &str, Operation); 32] = [
    ("POST", "2015-03-31/functions", O::CreateFunction),
    ("GET", "2015-03-31/functions", O::ListFunctions),
    ("GET", "2015-03-31/functions/*", O::GetFunction),
    ("DELETE", "2015-03-31/functions/*", O::DeleteFunction),
    (
        "GET",
        "2015-03-31/functions/*/configuration",
        O::GetFunctionConfiguration,
    ),
    (
        "PUT",
        "2015-03-31/functions/*/configuration",
        O::UpdateFunctionConfiguration,
    ),
    ("PUT", "2015-03-31/functions/*/code", O::UpdateFunctionCode),
    ("POST", "2015-03-31/functions/*/versions", O::PublishVersion),
    (
        "GET",
        "2015-03-31/functions/*/versions",
        O::ListVersionsByFunction,
    ),
    ("POST", "2015-03-31/functions/*/aliases", O::CreateAlias),
    ("GET", "2015-03-31/functions/*/aliases", O::ListAliases),
    ("GET", "2015-03-31/functions/*/aliases/*", O::GetAlias),
    ("PUT", "2015-03-31/functions/*/aliases/*", O::UpdateAlias),
    ("DELETE", "2015-03-31/functions/*/aliases/*", O::DeleteAlias),
    ("POST", "2015-03-31/functions/*/policy", O::AddPermission),
    ("GET", "2015-03-31/functions/*/policy", O::GetPolicy),
    (
        "DELETE",
        "2015-03-31/functions/*/policy/*",
        O::RemovePermission,
    ),
    ("POST", "2015-03-31/functions/*/invocations", O::Invoke),
    (
        "PUT",
        "2017-10-31/functions/*/concurrency",
        O::PutFunctionConcurrency,
    ),
    (
        "DELETE",
        "2017-10-31/functions/*/concurrency",
        O::DeleteFunctionConcurrency,
    ),
    (
        "GET",
        "2019-09-30/functions/*/concurrency",
        O::GetFunctionConcurrency,
    ),
    (
        "PUT",
        "2019-09-25/functions/*/event-invoke-config",
        O::PutFunctionEventInvokeConfig,
    ),
    (
        "POST",
        "2019-09-25/functions/*/event-invoke-config",
        O::UpdateFunctionEventInvokeConfig,
    ),
    (
        "GET",
        "2019-09-25/functions/*/event-invoke-config",
        O::GetFunctionEventInvokeConfig,
    ),
    (
        "DELETE",
        "2019-09-25/functions/*/event-invoke-config",
        O::DeleteFunctionEventInvokeConfig,
    ),
    (
        "GET",
        "2019-09-25/functions/*/event-invoke-config/list",
        O::ListFunctionEventInvokeConfigs,
    ),
    (
        "GET",
        "2020-06-30/functions/*/code-signing-config",
        O::GetFunctionCodeSigningConfig,
    ),
    ("GET", "2017-03-31/tags/*", O::ListTags),
    ("POST", "2017-03-31/tags/*", O::TagResource),
    ("DELETE", "2017-03-31/tags/*", O::UntagResource),
    ("GET", "2016-08-19/account-settings", O::GetAccountSettings),
    (
        "GET",
        "2015-03-31/event-source-mappings",
        O::ListEventSourceMappings,
    ),
];

impl Operation {
    /// The operation of a path and its arguments, still percent-encoded.
    fn of<'a>(method: &str, path: &'a str) -> Option<(Self, Vec<&'a str>)> {
        let path = path.trim_matches('/');
        OPERATIONS.iter().find_map(|(m, pattern, operation)| {
            let arguments = (*m == method).then(|| matched(pattern, path))??;
            Some((*operation, arguments))
        })
    }
}

fn matched<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = path.split('/');
    let mut arguments = Vec::new();
    for wanted in pattern.split('/') {
        let part = parts.next().filter(|p| !p.is_empty())?;
        if wanted == "*" {
            arguments.push(part);
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(arguments)
}

/// One call, taken apart.
#[derive(Debug)]
pub(super) struct Call {
    arguments: Vec<String>,
    query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn argument(&self, index: usize) -> &str {
        &self.arguments[index]
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.queries(name).next()
    }

    pub(super) fn queries(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.query.iter().filter(move |(n, _)| n == name);
        pairs.map(|(_, value)| value.as_str())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The function that the first argument and `Qualifier` name.
    pub(super) fn target(&self, world: &World) -> Result<Target, Refusal> {
        Target::parse(world, self.argument(0), self.query("Qualifier"))
    }

    pub(super) fn input<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|e| serialization(e.to_string()))
    }
}

/// The operation that a method and a path mean.
pub(crate) fn operation(method: &str, path: &str) -> Option<String> {
    Operation::of(method, path).map(|(operation, _)| format!("{operation:?}"))
}

pub(crate) async fn serve(world: &Arc<World>, request: Request) -> Response {
    let answer = answer(world, request).await;
    answer.unwrap_or_else(|refusal| wire::rest_json(&refusal))
}

async fn answer(world: &Arc<World>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let found = Operation::of(parts.method.as_str(), parts.uri.path());
    let Some((operation, arguments)) = found else {
        return Err(Refusal::new(404, "UnknownOperationException", ""));
    };
    let decode = |text: &&str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let query = parts.uri.query().unwrap_or_default();
    let call = Call {
        arguments: arguments.iter().map(decode).collect(),
        query: form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: parts.headers,
        body: read(body).await?,
    };
    dispatch(world, operation, &call).await
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|_| too_large(format!("Request must be smaller than {BODY_LIMIT} bytes")))
}

async fn dispatch(
    world: &Arc<World>,
    operation: Operation,
    call: &Call,
) -> Result<Response, Refusal> {
    match operation {
        O::AddPermission => policy::add(world, call).await,
        O::CreateAlias => versions::create_alias(world, call),
        O::CreateFunction => functions::create(world, call).await,
        O::DeleteAlias => versions::delete_alias(world, call),
        O::DeleteFunction => functions::delete(world, call),
        O::DeleteFunctionConcurrency => account::unreserve(world, call),
        O::DeleteFunctionEventInvokeConfig => event_config::delete(world, call),
        O::GetAccountSettings => Ok(account::settings(world)),
        O::GetAlias => versions::get_alias(world, call),
        O::GetFunction => functions::get(world, call),
        O::GetFunctionCodeSigningConfig => account::code_signing(world, call),
        O::GetFunctionConcurrency => account::reserved(world, call),
        O::GetFunctionConfiguration => functions::configuration(world, call),
        O::GetFunctionEventInvokeConfig => event_config::get(world, call),
        O::GetPolicy => policy::get(world, call),
        O::Invoke => invoke::serve(world, call).await,
        O::ListAliases => versions::list_aliases(world, call),
        // Nothing here calls a function but the API.
        O::ListEventSourceMappings => {
            Ok(json(200, &serde_json::json!({ "EventSourceMappings": [] })))
        }
        O::ListFunctionEventInvokeConfigs => event_config::list(world, call),
        O::ListFunctions => functions::list(world, call),
        O::ListTags => account::tags(world, call),
        O::ListVersionsByFunction => versions::list_versions(world, call),
        O::PublishVersion => versions::publish_version(world, call),
        O::PutFunctionConcurrency => account::reserve(world, call),
        O::PutFunctionEventInvokeConfig => event_config::put(world, call),
        O::RemovePermission => policy::remove(world, call).await,
        O::TagResource => account::tag(world, call),
        O::UntagResource => account::untag(world, call),
        O::UpdateAlias => versions::update_alias(world, call),
        O::UpdateFunctionCode => functions::update_code(world, call).await,
        O::UpdateFunctionConfiguration => functions::update_configuration(world, call),
        O::UpdateFunctionEventInvokeConfig => event_config::update(world, call),
    }
}

pub(super) fn json(status: u16, body: &Value) -> Response {
    (code(status), Json(body)).into_response()
}

pub(super) fn empty(status: u16) -> Response {
    let mut response = code(status).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

pub(super) fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("only real statuses are written here")
}

/// One page of a list, in the order of its keys, which are the markers too.
pub(super) fn page(
    call: &Call,
    member: &str,
    mut items: Vec<(String, Value)>,
) -> Result<Response, Refusal> {
    let most = match call.query("MaxItems").map(str::parse::<i64>) {
        None => 50,
        Some(Ok(n)) => in_range(n, "maxItems", 1, 10_000)?.min(50),
        Some(Err(e)) => return Err(serialization(format!("MaxItems: {e}"))),
    };
    let most = usize::try_from(most).unwrap_or(50);
    items.sort_by(|(a, _), (b, _)| a.cmp(b));
    let after = call.query("Marker").unwrap_or_default();
    let mut left = items.into_iter().filter(|(key, _)| key.as_str() > after);
    let shown: Vec<(String, Value)> = left.by_ref().take(most).collect();
    let mut body = Map::new();
    if left.next().is_some()
        && let Some((last, _)) = shown.last()
    {
        body.insert("NextMarker".to_owned(), Value::from(last.clone()));
    }
    let shown: Vec<Value> = shown.into_iter().map(|(_, value)| value).collect();
    body.insert(member.to_owned(), Value::from(shown));
    Ok(json(200, &Value::Object(body)))
}
