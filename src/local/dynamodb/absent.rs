//! What tables of AWS can have and tables here cannot: told as absent, and refused when asked for.

use serde_json::{Value, json};

use super::{invalid, refuse, settings, table_name, tables};
use crate::local::refusal::Refusal;
use crate::local::wire::Object;
use crate::local::{World, locked};

/// Members of requests, and what they would need.
const MEMBERS: &[(&str, &str)] = &[
    ("GlobalTableSettingsReplicationMode", "global tables"),
    ("GlobalTableSourceArn", "global tables"),
    ("GlobalTableWitnessUpdates", "global tables"),
    ("MultiRegionConsistency", "global tables"),
    ("ReplicaUpdates", "global tables"),
    ("ResourcePolicy", "resource policies of tables"),
];

pub(super) fn refuse_members(body: &Object) -> Result<(), Refusal> {
    let given = |name: &str| match body.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    };
    match MEMBERS.iter().find(|(name, _)| given(name)) {
        Some((_, what)) => Err(invalid(format!("The local cloud has no {what}"))),
        None => Ok(()),
    }
}

/// What a table of the local cloud never has, as AWS answers of a table that has none.
pub(super) fn describe(world: &World, operation: &str, body: &Object) -> Result<Value, Refusal> {
    if operation == "ListBackups" {
        return Ok(json!({ "BackupSummaries": [] }));
    }
    if operation == "GetResourcePolicy" {
        let arn = body.get("ResourceArn").and_then(Value::as_str);
        let arn = arn.unwrap_or_default();
        settings::tags(world, arn)?;
        return Err(refuse(
            "PolicyNotFoundException",
            format!("Resource-based policy not found for the provided ResourceArn: {arn}"),
        ));
    }
    let name = table_name(body)?;
    let mut states = locked(&world.dynamodb.states);
    states.prune(world.clock.now());
    tables::must_exist(world, &states, &name)?;
    Ok(if operation == "DescribeContributorInsights" {
        let index = body.get("IndexName").cloned().unwrap_or_default();
        let mut about = json!({ "TableName": name, "ContributorInsightsStatus": "DISABLED" });
        if !index.is_null() {
            about["IndexName"] = index;
        }
        about
    } else {
        json!({ "TableName": name, "KinesisDataStreamDestinations": [] })
    })
}
