//! DynamoDB: a table, or an index of it, and for several items the action of each.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Ask, ask_of_tags, listed_tags};
use crate::local::World;

/// What names a table in a request. Items are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    table_name: String,
    index_name: String,
    resource_arn: String,
    stream_arn: String,
    tags: Vec<Value>,
    #[expect(
        clippy::zero_sized_map_values,
        reason = "what stands under the keys is passed over"
    )]
    request_items: BTreeMap<String, IgnoredAny>,
    transact_items: Vec<BTreeMap<String, Named>>,
    statement: String,
    statements: Vec<Statement>,
    transact_statements: Vec<Statement>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Named {
    table_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Statement {
    statement: String,
}

pub(super) fn asks(world: &World, operation: &str, body: &[u8]) -> Vec<Ask> {
    let Ok(input) = serde_json::from_slice::<Input>(body) else {
        return Vec::new();
    };
    let action = format!("dynamodb:{operation}");
    let table = |name: &str| table(world, name);
    match operation {
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = input.request_items.keys();
            tables.map(|name| Ask::new(&action, table(name))).collect()
        }
        "TransactGetItems" | "TransactWriteItems" => {
            let items = input.transact_items.iter().flatten();
            let asks = items
                .filter_map(|(kind, item)| Some(Ask::new(of_item(kind)?, table(&item.table_name))));
            distinct(asks)
        }
        "ExecuteStatement" | "BatchExecuteStatement" | "ExecuteTransaction" => {
            let one = Some(input.statement).filter(|s| !s.is_empty());
            let lists = input
                .statements
                .into_iter()
                .chain(input.transact_statements);
            let all = one.into_iter().chain(lists.map(|s| s.statement));
            distinct(all.filter_map(|text| partiql(world, &text)))
        }
        // Nothing of one table is asked for, but the resource's type stands in AWS's sentence.
        "ListTables" => vec![Ask::new(action, table("*")).grant("*")],
        "ListStreams" if input.table_name.is_empty() => {
            vec![Ask::new(action, format!("{}/stream/*", table("*"))).grant("*")]
        }
        "DescribeLimits" | "DescribeEndpoints" => vec![Ask::new(action, "*")],
        // Whoever has the iterator was let through when it was given.
        "GetRecords" => Vec::new(),
        _ => on_one(world, &action, &input),
    }
}

fn on_one(world: &World, action: &str, input: &Input) -> Vec<Ask> {
    if !input.stream_arn.is_empty() {
        return vec![Ask::new(action, &input.stream_arn)];
    }
    let mut arn = match input.resource_arn.as_str() {
        "" if input.table_name.is_empty() => return Vec::new(),
        "" => table(world, &input.table_name),
        arn => arn.to_owned(),
    };
    if !input.index_name.is_empty() {
        arn += &format!("/index/{}", input.index_name);
    }
    let tags = listed_tags(&input.tags);
    let ask = ask_of_tags(&tags)(Ask::new(action, &arn));
    if action == "dynamodb:CreateTable" && !tags.is_empty() {
        let tag = ask_of_tags(&tags)(Ask::new("dynamodb:TagResource", arn));
        return vec![ask, tag];
    }
    vec![ask]
}

/// A part of a transaction needs the action that it would need alone.
fn of_item(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Get" => "dynamodb:GetItem",
        "Put" => "dynamodb:PutItem",
        "Update" => "dynamodb:UpdateItem",
        "Delete" => "dynamodb:DeleteItem",
        "ConditionCheck" => "dynamodb:ConditionCheckItem",
        _ => return None,
    })
}

/// `SELECT … FROM "table"."index"`, `INSERT INTO "table"`, `UPDATE "table"`, `DELETE FROM "table"`.
fn partiql(world: &World, statement: &str) -> Option<Ask> {
    let mut words = statement.split_whitespace();
    let verb = words.next()?.to_ascii_uppercase();
    let (action, before) = match verb.as_str() {
        "SELECT" => ("dynamodb:PartiQLSelect", Some("FROM")),
        "INSERT" => ("dynamodb:PartiQLInsert", Some("INTO")),
        "UPDATE" => ("dynamodb:PartiQLUpdate", None),
        "DELETE" => ("dynamodb:PartiQLDelete", Some("FROM")),
        _ => return None,
    };
    if let Some(before) = before {
        words.find(|word| word.eq_ignore_ascii_case(before))?;
    }
    let mut path = words.next()?.split('.').map(|name| name.trim_matches('"'));
    let mut arn = table(world, path.next()?);
    if let Some(index) = path.next() {
        arn += &format!("/index/{index}");
    }
    Some(Ask::new(action, arn))
}

fn distinct(asks: impl Iterator<Item = Ask>) -> Vec<Ask> {
    let mut all: Vec<Ask> = Vec::new();
    for ask in asks {
        if !all.contains(&ask) {
            all.push(ask);
        }
    }
    all
}

/// A table may be named by its ARN.
fn table(world: &World, name: &str) -> String {
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    format!("arn:aws:dynamodb:{}:table/{name}", world.place())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::local::tests_support::world;

    fn told(operation: &str, body: &Value) -> Vec<String> {
        let asks = asks(&world(), operation, body.to_string().as_bytes());
        let prefix = "arn:aws:dynamodb:us-east-1:000000000000:";
        let short = |ask: Ask| {
            let resource = ask.resource.replace(prefix, "");
            format!("{} {resource}", ask.action.replace("dynamodb:", ""))
        };
        asks.into_iter().map(short).collect()
    }

    #[test]
    fn each_request_asks_for_its_actions() {
        let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/T";
        let cases = [
            (
                "PutItem",
                json!({ "TableName": "T", "Item": { "id": { "S": "1" } } }),
                vec!["PutItem table/T"],
            ),
            (
                "GetItem",
                json!({ "TableName": arn }),
                vec!["GetItem table/T"],
            ),
            ("Query", json!({ "TableName": "T" }), vec!["Query table/T"]),
            (
                "Query",
                json!({ "TableName": "T", "IndexName": "i" }),
                vec!["Query table/T/index/i"],
            ),
            (
                "Scan",
                json!({ "TableName": "T", "IndexName": "i" }),
                vec!["Scan table/T/index/i"],
            ),
            (
                "BatchWriteItem",
                json!({ "RequestItems": { "A": [], "B": [] } }),
                vec!["BatchWriteItem table/A", "BatchWriteItem table/B"],
            ),
            (
                "BatchGetItem",
                json!({ "RequestItems": { "A": { "Keys": [] } } }),
                vec!["BatchGetItem table/A"],
            ),
            (
                "TransactWriteItems",
                json!({ "TransactItems": [
                    { "Put": { "TableName": "T", "Item": {} } }, { "Put": { "TableName": "T", "Item": {} } },
                    { "Update": { "TableName": "T" } }, { "Delete": { "TableName": "U" } },
                    { "ConditionCheck": { "TableName": "T" } },
                ] }),
                vec![
                    "PutItem table/T",
                    "UpdateItem table/T",
                    "DeleteItem table/U",
                    "ConditionCheckItem table/T",
                ],
            ),
            (
                "TransactGetItems",
                json!({ "TransactItems": [{ "Get": { "TableName": "T" } }] }),
                vec!["GetItem table/T"],
            ),
            (
                "ExecuteStatement",
                json!({ "Statement": "select * from \"T\".\"i\" where a = 1" }),
                vec!["PartiQLSelect table/T/index/i"],
            ),
            (
                "ExecuteStatement",
                json!({ "Statement": "UPDATE \"T\" SET a = 1" }),
                vec!["PartiQLUpdate table/T"],
            ),
            (
                "BatchExecuteStatement",
                json!({ "Statements": [{ "Statement": "INSERT INTO T VALUE {}" }, { "Statement": "DELETE FROM T" }] }),
                vec!["PartiQLInsert table/T", "PartiQLDelete table/T"],
            ),
            (
                "TagResource",
                json!({ "ResourceArn": arn }),
                vec!["TagResource table/T"],
            ),
            (
                "CreateTable",
                json!({ "TableName": "T", "Tags": [{ "Key": "a", "Value": "b" }] }),
                vec!["CreateTable table/T", "TagResource table/T"],
            ),
            ("ListTables", json!({}), vec!["ListTables table/*"]),
            ("PutItem", json!({}), vec![]),
        ];
        for (operation, body, expected) in cases {
            assert_eq!(told(operation, &body), expected, "{operation} {body}");
        }
    }
}
