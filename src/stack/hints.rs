//! Keys that are not ours: what their writer meant.
//!
//! In: an unknown key and its place. Out: the key it stands for, or a remark. Never: a complaint; `shape.rs` words those.

use serde_json::Value as Json;

use super::problem::Path;
use super::words::nearest;

/// The known key that a wrong one stands for: a near miss, or another tool's name for it.
pub(super) fn meant<'k>(key: &str, known: &'k serde_json::Map<String, Json>) -> Option<&'k str> {
    const ELSEWHERE: &[(&str, &str)] = &[
        ("env", "environment"),
        ("variables", "environment"),
        ("memorySize", "memory"),
        ("functionName", "name"),
        ("tableName", "name"),
        ("roleName", "name"),
        ("partitionKey", "key"),
        ("hashKey", "key"),
        ("primaryKey", "key"),
        ("sortKey", "sort"),
        ("rangeKey", "sort"),
        ("gsi", "indexes"),
        ("globalSecondaryIndexes", "indexes"),
        ("pointInTimeRecovery", "recovery"),
        ("deletionProtection", "deletion_protection"),
        ("retentionInDays", "retention"),
        ("stageName", "stage"),
        ("routeSelectionExpression", "select"),
        ("reservedConcurrency", "concurrency"),
        ("permissions", "uses"),
        ("authorizer", "auth"),
        ("lambdas", "functions"),
        ("code", "source"),
    ];
    ELSEWHERE
        .iter()
        .filter(|(theirs, _)| *theirs == key)
        .find_map(|(_, ours)| known.get_key_value(*ours).map(|(ours, _)| ours.as_str()))
        .or_else(|| nearest(key, known.keys().map(String::as_str)))
}

/// What to say about a key that deserves more than its nearest neighbour.
pub(super) fn remark(key: &str, path: &Path) -> Option<String> {
    match (path.to_string().as_str(), key) {
        ("auth", "issuer" | "audience") => {
            Some(format!("write `jwt: {{ {key}: … }}`: it is of the tokens"))
        }
        (_, "snapStart" | "snapstart") => {
            Some("SnapStart does not exist for `provided` and `nodejs` runtimes".to_owned())
        }
        _ => None,
    }
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
