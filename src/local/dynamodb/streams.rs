//! The one shard of a stream, under a name in AWS's form: the engine's own is shorter or longer than clients take.

use serde_json::Value;

use crate::local::wire::Object;

/// Any stream's only shard.
const SHARD: &str = "shardId-00000000000000000001-00000001";

/// A request with the engine's name of the shard.
pub(super) fn inward(mut body: Object) -> Value {
    let of_engine = body
        .get("StreamArn")
        .and_then(Value::as_str)
        .and_then(|arn| arn.split("table/").nth(1))
        .and_then(|rest| rest.split('/').next())
        .map(|table| format!("shardId-00000001-{table}"));
    if let (Some(of_engine), Some(asked)) = (of_engine, body.get_mut("ShardId"))
        && asked == SHARD
    {
        *asked = of_engine.into();
    }
    body.into()
}

/// Whether a request asks for the shards after the only one, a member that the engine does not read.
pub(super) fn is_past_end(body: &Object) -> bool {
    body.get("ExclusiveStartShardId")
        .is_some_and(|id| id == SHARD)
}

/// An answer with AWS's, and with the region of the cloud in its records.
pub(super) fn outward(reply: &mut Value, region: &str, past_end: bool) {
    if past_end {
        reply["StreamDescription"]["Shards"] = Value::Array(Vec::new());
    }
    for shard in items(&mut reply["StreamDescription"]["Shards"]) {
        shard["ShardId"] = SHARD.into();
    }
    for record in items(&mut reply["Records"]) {
        record["awsRegion"] = region.into();
    }
    // Looking up a missing member makes it, as null.
    if let Some(members) = reply.as_object_mut() {
        members.retain(|_, value| !value.is_null());
        if members
            .get("StreamDescription")
            .is_some_and(|d| d.get("StreamArn").is_none())
        {
            members.remove("StreamDescription");
        }
    }
}

fn items(list: &mut Value) -> impl Iterator<Item = &mut Value> {
    list.as_array_mut().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str =
        "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2024-01-01T00:00:00.000";

    fn object(value: Value) -> Object {
        let Value::Object(object) = value else {
            panic!("an object");
        };
        object
    }

    #[test]
    fn clients_see_a_shard_of_a_length_that_they_take() {
        assert!((28..=65).contains(&SHARD.len()));
        let described = json!({ "StreamDescription": {
            "StreamArn": ARN, "Shards": [{ "ShardId": "shardId-00000001-T" }]
        }});
        let mut reply = described.clone();
        outward(&mut reply, "eu-west-1", false);
        let shards = &reply["StreamDescription"]["Shards"];
        assert_eq!(*shards, json!([{ "ShardId": SHARD }]));
        let mut reply = described;
        outward(&mut reply, "eu-west-1", true);
        assert_eq!(reply["StreamDescription"]["Shards"], json!([]));
        let asked = inward(object(json!({ "StreamArn": ARN, "ShardId": SHARD })));
        assert_eq!(asked["ShardId"], "shardId-00000001-T");
    }

    #[test]
    fn records_are_of_the_clouds_region_and_nothing_else_changes() {
        let mut reply = json!({ "Records": [{ "awsRegion": "dynoxide", "eventID": "1" }] });
        outward(&mut reply, "eu-west-1", false);
        let record = json!({ "awsRegion": "eu-west-1", "eventID": "1" });
        assert_eq!(reply, json!({ "Records": [record] }));
    }
}
