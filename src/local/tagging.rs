//! The Resource Groups Tagging API (awsJson 1.1): questions over the tags of every service, and tags for several things at once.
//!
//! IAM is missing on purpose: its roles are not in a region, and AWS does not list them reliably either.

mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::wire::{Object, Reply};
use super::{World, dynamodb};

const FILTERS: usize = 50;
const PAGE: usize = 100;

type Tags = BTreeMap<String, String>;

pub(crate) async fn answer(
    world: &Arc<World>,
    operation: &str,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let body: Object = serde_json::from_slice(body)
        .map_err(|e| Refusal::new(400, "SerializationException", e.to_string()))?;
    match operation {
        "GetResources" => select(resources(world).await?, &body).map(Reply::ok),
        "GetTagKeys" => {
            let keys = resources(world).await?.into_iter();
            let keys = keys.flat_map(|(_, tags)| tags.into_keys()).collect();
            texts_in_pages("TagKeys", keys, &body)
        }
        "GetTagValues" => {
            let key = body.get("Key").and_then(Value::as_str);
            let key = key.ok_or_else(|| invalid("Key must not be null"))?;
            let tags = resources(world).await?.into_iter();
            let values = tags.filter_map(|(_, mut tags)| tags.remove(key)).collect();
            texts_in_pages("TagValues", values, &body)
        }
        "TagResources" | "UntagResources" => written::write(world, operation, &body).await,
        _ => Err(Refusal::new(
            400,
            "UnknownOperationException",
            format!("{operation} is not offered by the local cloud"),
        )),
    }
}

/// All texts, a page at a time; the last page's token is empty.
fn texts_in_pages(member: &str, all: BTreeSet<String>, body: &Object) -> Result<Reply, Refusal> {
    let after = after(body)?;
    let mut rest = all
        .into_iter()
        .filter(|text| after.as_ref().is_none_or(|after| text > after))
        .peekable();
    let page: Vec<String> = rest.by_ref().take(PAGE).collect();
    let last = page.last().map(|text| URL_SAFE_NO_PAD.encode(text));
    let token = last.filter(|_| rest.peek().is_some()).unwrap_or_default();
    Ok(Reply::ok(json!({ member: page, "PaginationToken": token })))
}

/// Everything that has a tag, in order of its ARN.
async fn resources(world: &Arc<World>) -> Result<Vec<(String, Tags)>, Refusal> {
    let mut all = dynamodb::tagged(world).await?;
    all.extend(world.apigateway.tagged(world));
    all.extend(world.lambda.tagged(world));
    all.extend(world.logs.tagged(world));
    all.retain(|(_, tags)| !tags.is_empty());
    all.sort();
    Ok(all)
}

fn select(all: Vec<(String, Tags)>, body: &Object) -> Result<Value, Refusal> {
    let filters = filters(body)?;
    let types = texts(body.get("ResourceTypeFilters"));
    let wanted = texts(body.get("ResourceARNList"));
    let size = match body.get("ResourcesPerPage").filter(|size| !size.is_null()) {
        None => PAGE,
        Some(size) => size
            .as_u64()
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| (1..=PAGE).contains(size))
            .ok_or_else(|| invalid("ResourcesPerPage must be between 1 and 100"))?,
    };
    let after = after(body)?;
    let mut rest = all
        .into_iter()
        .filter(|(arn, _)| after.as_ref().is_none_or(|after| arn > after))
        .filter(|(arn, _)| wanted.is_empty() || wanted.contains(&arn.as_str()))
        .filter(|(arn, _)| types.is_empty() || types.iter().any(|t| is_of_type(arn, t)))
        .filter(|(_, tags)| {
            filters.iter().all(|(key, values)| {
                tags.get(key)
                    .is_some_and(|tag| values.is_empty() || values.contains(tag))
            })
        })
        .peekable();
    let page: Vec<(String, Tags)> = rest.by_ref().take(size).collect();
    let last = page.last().map(|(arn, _)| URL_SAFE_NO_PAD.encode(arn));
    let token = last.filter(|_| rest.peek().is_some()).unwrap_or_default();
    let found: Vec<Value> = page
        .into_iter()
        .map(|(arn, tags)| {
            let tags = tags.iter().map(|(k, v)| json!({ "Key": k, "Value": v }));
            json!({ "ResourceARN": arn, "Tags": tags.collect::<Vec<_>>() })
        })
        .collect();
    Ok(json!({ "ResourceTagMappingList": found, "PaginationToken": token }))
}

/// Key and values: every filter must hold, and a filter holds with any of its values, or any at all without.
fn filters(body: &Object) -> Result<Vec<(String, Vec<String>)>, Refusal> {
    let given = body.get("TagFilters").and_then(Value::as_array);
    let given: Vec<&Value> = given.into_iter().flatten().collect();
    if given.len() > FILTERS {
        return Err(invalid("TagFilters must have at most 50 items"));
    }
    given
        .into_iter()
        .map(|filter| {
            let key = filter["Key"]
                .as_str()
                .ok_or_else(|| invalid("A tag filter needs a Key"))?;
            let values = texts(filter.get("Values")).into_iter().map(str::to_owned);
            Ok((key.to_owned(), values.collect()))
        })
        .collect()
}

fn after(body: &Object) -> Result<Option<String>, Refusal> {
    match body.get("PaginationToken").and_then(Value::as_str) {
        None | Some("") => Ok(None),
        Some(token) => URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Some)
            .ok_or_else(|| {
                let message = "The PaginationToken is invalid or has expired";
                Refusal::new(400, "PaginationTokenExpiredException", message)
            }),
    }
}

/// `lambda`, or `lambda:function`, as the type of `arn:aws:lambda:…:function:f`.
fn is_of_type(arn: &str, wanted: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let (service, resource) = match parts.as_slice() {
        [_, _, service, _, _, resource] => (*service, resource.trim_start_matches('/')),
        _ => return false,
    };
    match wanted.split_once(':') {
        None => wanted == service,
        Some((wanted_service, kind)) => {
            let stage = resource.contains("/stages/");
            let own = resource.split([':', '/']).next().unwrap_or_default();
            let fits = if kind == "apis" {
                own == kind && !stage
            } else {
                own == kind
            };
            wanted_service == service
                && (fits || (stage && matches!(kind, "stages" | "apis/stages")))
        }
    }
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    let items = value.and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(400, "InvalidParameterException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<(String, Tags)> {
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        vec![
            (
                "arn:aws:apigateway:r::/apis/a".to_owned(),
                tags(&[("s", "one"), ("t", "x")]),
            ),
            (
                "arn:aws:apigateway:r::/apis/a/stages/p".to_owned(),
                tags(&[("s", "one")]),
            ),
            (
                "arn:aws:dynamodb:r:0:table/T".to_owned(),
                tags(&[("s", "two")]),
            ),
            (
                "arn:aws:lambda:r:0:function:f".to_owned(),
                tags(&[("s", "one")]),
            ),
        ]
    }

    fn arns(body: &Value) -> (Vec<String>, String) {
        let reply = select(all(), body.as_object().unwrap()).unwrap();
        let list = reply["ResourceTagMappingList"].as_array().unwrap();
        let arns = list
            .iter()
            .map(|r| r["ResourceARN"].as_str().unwrap().to_owned());
        (
            arns.collect(),
            reply["PaginationToken"].as_str().unwrap().to_owned(),
        )
    }

    #[test]
    fn filters_narrow_by_key_value_and_type() {
        for (body, count) in [
            (json!({}), 4),
            (json!({"TagFilters": [{"Key": "s"}]}), 4),
            (json!({"TagFilters": [{"Key": "s", "Values": ["one"]}]}), 3),
            (
                json!({"TagFilters": [{"Key": "s", "Values": ["one", "two"]}, {"Key": "t"}]}),
                1,
            ),
            (
                json!({"ResourceTypeFilters": ["lambda:function", "dynamodb"]}),
                2,
            ),
            (json!({"ResourceTypeFilters": ["apigateway:apis"]}), 1),
            (json!({"ResourceTypeFilters": ["apigateway"]}), 2),
            (json!({"TagFilters": [{"Key": "S"}]}), 0),
        ] {
            assert_eq!(arns(&body).0.len(), count, "{body}");
        }
    }

    #[test]
    fn pages_end_with_an_empty_token() {
        let (first, token) = arns(&json!({"ResourcesPerPage": 3}));
        assert_eq!(first.len(), 3);
        let (second, end) = arns(&json!({"ResourcesPerPage": 3, "PaginationToken": token}));
        assert_eq!((second.len(), end.as_str()), (1, ""));
        let refused = select(all(), json!({"PaginationToken": "?"}).as_object().unwrap());
        assert_eq!(refused.unwrap_err().code, "PaginationTokenExpiredException");
    }
}
