//! Keys and words that are not ours: what their writer meant.
//!
//! In: an unknown key or word and its place. Out: what it stands for, or a remark. Never: a complaint; `shape.rs` words those.

use serde_json::Value as Json;

use super::problem::Path;
use super::words::nearest;

/// Other tools' names for our keys. Of several, the first that is a key of the place counts.
const ELSEWHERE: &[(&str, &str)] = &[
    ("env", "environment"),
    ("variables", "environment"),
    ("memorySize", "memory"),
    ("functionName", "name"),
    ("tableName", "name"),
    ("roleName", "name"),
    ("partitionKey", "partition"),
    ("partitionKey", "key"),
    ("partition", "key"),
    ("hashKey", "partition"),
    ("hashKey", "key"),
    ("hash", "partition"),
    ("hash", "key"),
    ("primaryKey", "key"),
    ("sortKey", "sort"),
    ("rangeKey", "sort"),
    ("range", "sort"),
    ("gsi", "indexes"),
    ("globalSecondaryIndexes", "indexes"),
    ("pointInTimeRecovery", "recovery"),
    ("timeToLive", "ttl"),
    ("deletionProtection", "deletion_protection"),
    ("kmsKey", "encryption"),
    ("retentionInDays", "retention"),
    ("stageName", "stage"),
    ("routeSelectionExpression", "select"),
    ("reservedConcurrency", "concurrency"),
    ("permissions", "uses"),
    ("policies", "uses"),
    ("authorizer", "auth"),
    ("lambdas", "functions"),
    ("lambda", "function"),
    ("handler", "function"),
    ("handler", "entry"),
    ("code", "source"),
    ("codeUri", "source"),
    ("service", "name"),
    ("domainName", "name"),
    ("certificateArn", "certificate"),
    ("basePath", "key"),
    ("apiMappingKey", "key"),
    ("stack", "name"),
];

/// Other tools' names for our words.
const WORDS_ELSEWHERE: &[(&str, &str)] = &[
    ("amd64", "x86_64"),
    ("x64", "x86_64"),
    ("x86-64", "x86_64"),
    ("x86", "x86_64"),
    ("intel", "x86_64"),
    ("arm", "arm64"),
    ("aarch64", "arm64"),
    ("graviton", "arm64"),
    ("message", "send"),
    ("broadcast", "send"),
    ("dynamodb:GetItem", "read"),
    ("dynamodb:Query", "read"),
    ("dynamodb:PutItem", "write"),
    ("dynamodb:UpdateItem", "update"),
    ("dynamodb:DeleteItem", "delete"),
    ("execute-api:ManageConnections", "send"),
];

/// The known key that a wrong one is another tool's name for.
pub(super) fn elsewhere<'k>(
    key: &str,
    known: &'k serde_json::Map<String, Json>,
) -> Option<&'k str> {
    ELSEWHERE
        .iter()
        .filter(|(theirs, _)| theirs.eq_ignore_ascii_case(key))
        .find_map(|(_, ours)| known.get_key_value(*ours).map(|(ours, _)| ours.as_str()))
}

/// What to say about a key that deserves more than its nearest neighbour.
pub(super) fn remark(key: &str, path: &Path) -> Option<String> {
    let said = match key {
        "snapStart" | "snapstart" => {
            "SnapStart does not exist for `provided` and `nodejs` runtimes"
        }
        "cors" | "Cors" => {
            "a WebSocket has no CORS; `auth.origins` lists the pages that may connect"
        }
        "vpc" | "vpcConfig" => {
            "functions run outside of a VPC: the tables and the API are reached without one"
        }
        "layers" => "there are no layers: what a function needs is in its `source`",
        "events" => "what calls a function is in `api.routes`: `$connect: connect`",
        "billingMode" | "billing" | "capacity" => "tables are billed on demand, always",
        "protocol" | "protocolType" => "the API is a WebSocket API, always",
        _ if path.steps().is_empty() && key.starts_with("x-") => {
            "an anchor stands where its value is used first: `connect: &usual { … }`, then `<<: *usual`"
        }
        _ => return None,
    };
    Some(said.to_owned())
}

/// What a word that is none of the choices was meant to be.
pub(super) fn word(text: &str, words: &[&str], path: &Path) -> Option<String> {
    let place = path.words();
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    match place.as_slice() {
        ["role"] if text.starts_with("arn:") => {
            let name = text.rsplit('/').next().unwrap_or_default();
            return Some(format!(
                "msgai makes the role itself; `role: {{ name: {name} }}` gives it this name"
            ));
        }
        ["functions", _, "handler"] | [.., "functions", _, "handler"]
            if text.contains(['.', '/']) =>
        {
            return Some(format!(
                "a shipped handler has no file; your own code is `source: FOLDER`, `runtime: nodejs22.x`, `entry: {text}`"
            ));
        }
        _ => {}
    }
    let theirs =
        |(theirs, ours): &&(&str, &str)| theirs.eq_ignore_ascii_case(text) && words.contains(ours);
    let longer = |word: &&&str| word.len() > 3 && text.to_lowercase().starts_with(**word);
    let meant = WORDS_ELSEWHERE
        .iter()
        .find(theirs)
        .map(|(_, ours)| *ours)
        .or_else(|| nearest(text, words.iter().copied()))
        .or_else(|| words.iter().find(longer).copied());
    meant.map(|word| format!("did you mean `{word}`?"))
}

/// A description in the middle of a sentence; an abbreviation keeps its capitals.
pub(super) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}
