//! A stack file written from what runs: taking it over with that file changes nothing but marks.

use std::collections::BTreeSet;

use msgai::adopt::{self, Which, Written};
use msgai::names::Kind;
use msgai::plan::Plan;

use super::adopt::{MARK, dangers, naming};
use super::drift::physical;
use super::support::inventory::inventory;
use super::support::sdk::Sdk;
use super::support::{Draft, Lab, assert_complete, carry_out};
use super::{WHOLE, assert_up_to_date};

const EXAMPLES: [(&str, &str); 6] = [
    ("whole", WHOLE),
    ("reference", include_str!("../../stack.yaml")),
    (
        "messageai",
        include_str!("../../examples/messageai/stack.yaml"),
    ),
    ("nursify", include_str!("../../examples/nursify/stack.yaml")),
    (
        "node-handlers",
        include_str!("../../examples/node-handlers/stack.yaml"),
    ),
    (
        "custom-route",
        include_str!("../../examples/custom-route/stack.yaml"),
    ),
];

/// A table that the stacks of the field only use.
async fn messages(lab: &Lab, text: &str) {
    let names = ["Messages", "ChatMessages"];
    let used = names
        .into_iter()
        .find(|name| text.contains(&format!("name: {name} ")));
    let Some(name) = used.filter(|_| text.contains("existing: true")) else {
        return;
    };
    lab.sdk.make_table(name, "messageId").await;
}

/// Takes the mark off everything; only the path of roles still tells.
async fn unmark(sdk: &Sdk, lab: &Lab, api: &str, stage: &str) {
    for arn in [lab.place.api_arn(api), lab.place.stage_arn(api, stage)] {
        let untag = sdk.apigateway.untag_resource().resource_arn(arn);
        untag.tag_keys(MARK).send().await.unwrap();
    }
    for function in sdk
        .lambda
        .list_functions()
        .send()
        .await
        .unwrap()
        .functions()
    {
        let untag = sdk.lambda.untag_resource();
        let untag = untag.resource(function.function_arn().unwrap());
        untag.tag_keys(MARK).send().await.unwrap();
    }
    for table in sdk
        .dynamodb
        .list_tables()
        .send()
        .await
        .unwrap()
        .table_names()
    {
        let untag = sdk.dynamodb.untag_resource();
        let untag = untag.resource_arn(lab.place.table_arn(table));
        untag.tag_keys(MARK).send().await.unwrap();
    }
    for role in sdk.iam.list_roles().send().await.unwrap().roles() {
        let untag = sdk.iam.untag_role().role_name(role.role_name());
        untag.tag_keys(MARK).send().await.unwrap();
    }
    let groups = sdk.logs.describe_log_groups().send().await.unwrap();
    for group in groups.log_groups() {
        let arn = lab.place.log_group_arn(group.log_group_name().unwrap());
        let untag = sdk.logs.untag_resource().resource_arn(arn);
        untag.tag_keys(MARK).send().await.unwrap();
    }
}

async fn written(lab: &Lab, api: &str, name: &str) -> Written {
    let which = Which::Api(api.to_owned());
    let system = adopt::read(&lab.cloud, &lab.place, &which, None).await;
    let system = system.unwrap_or_else(|missing| panic!("{missing:?}"));
    adopt::write(&system, name).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

/// The plan of a written file that takes over what it names.
async fn plan(lab: &Lab, written: &Written) -> Plan {
    let draft = Draft::from(written.text.as_str());
    let named: Vec<&str> = written.adopt.iter().map(String::as_str).collect();
    let wanted = naming(lab, &draft, &named);
    let observed = lab.observe(&wanted).await;
    lab.plan_of(&wanted, &wanted.desired, &observed)
}

/// `function/x: memory`, for everything that differs.
pub(crate) fn differs(plan: &Plan) -> BTreeSet<String> {
    let json = plan.json();
    let changes = json["changes"].as_array().unwrap();
    let each = changes.iter().flat_map(|change| {
        let id = change["id"].as_str().unwrap();
        let fields = change["because"].as_array().into_iter().flatten();
        let of = fields.map(move |d| format!("{id}: {}", d["field"].as_str().unwrap()));
        let fields: Vec<String> = of.collect();
        if fields.is_empty() {
            vec![format!("{id}: {}", change["action"].as_str().unwrap())]
        } else {
            fields
        }
    });
    each.collect()
}

async fn deployed_and_unmarked(lab: &Lab, text: &str) -> String {
    lab.sdk.allow_access_logs().await;
    messages(lab, text).await;
    let draft = Draft::from(text);
    lab.deploy(&draft).await;
    let stack = msgai::stack::load_text(text, "stack.yaml", None, &|_| None).unwrap();
    let (id, stage) = (stack.stack.id(), &stack.stack.api.stage);
    let api = physical(lab, &draft, Kind::Api, id.as_str()).await;
    unmark(&lab.sdk, lab, &api, stage).await;
    api
}

#[tokio::test]
async fn every_example_is_taken_over_by_the_file_that_is_written_of_it() {
    for (name, text) in EXAMPLES {
        let lab = Lab::instant().await;
        let api = deployed_and_unmarked(&lab, text).await;
        let written = written(&lab, &api, name).await;
        let plan = plan(&lab, &written).await;
        assert_eq!(
            dangers(&plan),
            Vec::<String>::new(),
            "{name}\n{}",
            written.text
        );
        let marks = |difference: &String| difference.ends_with(&format!(": tags.{MARK}"));
        let differs = differs(&plan);
        let more: Vec<&String> = differs.iter().filter(|d| !marks(d)).collect();
        assert!(more.is_empty(), "{name}: {more:?}\n{}", written.text);
        assert!(written.notes.is_empty(), "{name}: {:?}", written.notes);
        for id in written.adopt.iter().filter(|id| !id.starts_with("api/")) {
            let shown = format!("{id}: tags.{MARK}");
            assert!(differs.contains(&shown), "{name}: {id}");
        }

        let table = written
            .adopt
            .iter()
            .find_map(|id| id.strip_prefix("table/"))
            .unwrap();
        let put = lab.sdk.dynamodb.put_item().table_name(table);
        let value = aws_sdk_dynamodb::types::AttributeValue::S("c1".to_owned());
        put.item("connectionId", value).send().await.unwrap();
        let before = inventory(&lab.sdk).await;
        assert_complete(&carry_out(&lab.cloud, &plan).await.0);
        let after = inventory(&lab.sdk).await;
        assert_eq!(
            before.keys().collect::<Vec<_>>(),
            after.keys().collect::<Vec<_>>(),
            "{name}"
        );
        let items = lab
            .sdk
            .dynamodb
            .scan()
            .table_name(table)
            .send()
            .await
            .unwrap();
        assert_eq!(items.count, 1, "{name}");
        // Naming is needless from here on, and the file from before names the same stack.
        assert_up_to_date(&lab, &Draft::from(written.text.as_str())).await;
    }
}
