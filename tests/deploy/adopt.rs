//! Objects that somebody else made and that are named for being taken over, and those that are not.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ProvisionedThroughput,
    ScalarAttributeType, Tag,
};
use msgai::names::{Kind, ResourceId};
use msgai::observe::Observed;
use msgai::plan::Plan;
use msgai::plan::guard::Consent;

use super::drift::physical;
use super::{WHOLE, assert_up_to_date, deployed};
use crate::support::inventory::inventory;
use crate::support::sdk::TRUST;
use crate::support::{Draft, Lab, Wanted, assert_complete, carry_out, shown};

pub(crate) const MARK: &str = "msgai:stack";

/// The draft with objects to take over, as a flag or the file names them.
pub(crate) fn naming(lab: &Lab, draft: &Draft, named: &[&str]) -> Wanted {
    let mut wanted = lab.wanted(draft);
    let loaded = msgai::stack::load_text(&draft.text, "stack.yaml", None, &|_| None).unwrap();
    let id = |text: &&str| loaded.stack.adopted(text, Some("us-east-1")).unwrap();
    wanted.scope.adopt = named.iter().map(id).collect();
    wanted
}

pub(crate) async fn plan(lab: &Lab, named: &[&str]) -> (Plan, Observed) {
    let wanted = naming(lab, &Draft::from(WHOLE), named);
    let observed = lab.observe(&wanted).await;
    (lab.plan_of(&wanted, &wanted.desired, &observed), observed)
}

pub(crate) async fn deploy(lab: &Lab, named: &[&str]) -> Plan {
    let (plan, _) = plan(lab, named).await;
    assert_complete(&carry_out(&lab.cloud, &plan).await.0);
    plan
}

pub(crate) fn dangers(plan: &Plan) -> Vec<String> {
    plan.dangers.iter().map(ToString::to_string).collect()
}

fn fields(plan: &Plan, id: &str) -> Vec<String> {
    let json = plan.json();
    let changes = json["changes"].as_array().unwrap();
    let change = changes.iter().find(|change| change["id"] == id);
    let change = change.unwrap_or_else(|| panic!("{id}: {}", shown(plan)));
    let because = change["because"].as_array().unwrap();
    let field = |d: &serde_json::Value| d["field"].as_str().unwrap().to_owned();
    because.iter().map(field).collect()
}

/// What a script of old has left: everything under the names that the stack wants, and nothing marked.
async fn scripted(lab: &Lab) -> String {
    lab.sdk.allow_access_logs().await;
    let role = lab.sdk.make_role("whole-us-east-1", TRUST).await;
    let put = lab.sdk.iam.put_role_policy().role_name("whole-us-east-1");
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    let put = put.policy_name("theirs").policy_document(document);
    put.send().await.unwrap();
    for function in ["whole-talk", "whole-gate"] {
        lab.sdk.make_function(function, &role).await;
        let group = lab.sdk.logs.create_log_group();
        let group = group.log_group_name(format!("/aws/lambda/{function}"));
        group.send().await.unwrap();
    }
    let add = lab.sdk.lambda.add_permission().function_name("whole-talk");
    let add = add.statement_id("theirs").action("lambda:InvokeFunction");
    let add = add.principal("apigateway.amazonaws.com");
    add.send().await.unwrap();
    provisioned(lab, "whole-connections").await;
    let api = lab.sdk.make_api("their-api", None).await;
    aim(lab, &api, "whole-talk").await;
    api
}

/// A table with a throughput that is paid whether it is used or not, and one item in it.
async fn provisioned(lab: &Lab, name: &str) {
    let attribute = AttributeDefinition::builder()
        .attribute_name("connectionId")
        .attribute_type(ScalarAttributeType::S);
    let schema = KeySchemaElement::builder()
        .attribute_name("connectionId")
        .key_type(KeyType::Hash);
    let units = ProvisionedThroughput::builder()
        .read_capacity_units(5)
        .write_capacity_units(5);
    let tag = Tag::builder().key("owner").value("somebody");
    let create = lab.sdk.dynamodb.create_table().table_name(name);
    let create = create
        .billing_mode(BillingMode::Provisioned)
        .provisioned_throughput(units.build().unwrap());
    let create = create
        .attribute_definitions(attribute.build().unwrap())
        .key_schema(schema.build().unwrap());
    create.tags(tag.build().unwrap()).send().await.unwrap();
    let put = lab.sdk.dynamodb.put_item().table_name(name);
    let value = aws_sdk_dynamodb::types::AttributeValue::S("c1".to_owned());
    put.item("connectionId", value).send().await.unwrap();
}

/// Aims the API's one integration at a function, without an alias, as scripts do.
async fn aim(lab: &Lab, api: &str, function: &str) {
    let gateway = &lab.sdk.apigateway;
    let all = gateway.get_integrations().api_id(api).send().await.unwrap();
    let id = all.items()[0].integration_id().unwrap();
    let uri = lab.place.invocation_uri(&lab.place.function_arn(function));
    let update = gateway.update_integration().api_id(api);
    let update = update.integration_id(id).integration_uri(uri);
    update.send().await.unwrap();
}

const BY_NAME: [&str; 6] = [
    "role/whole-us-east-1",
    "log-group/aws/lambda/whole-talk",
    "log-group/aws/lambda/whole-gate",
    "table/whole-connections",
    "function/whole-talk",
    "function/whole-gate",
];

#[tokio::test]
async fn what_a_script_has_left_becomes_the_stack_s_with_its_url_its_items_and_its_policies() {
    let lab = Lab::instant().await;
    let api = scripted(&lab).await;
    let named_api = format!("api/{api}");
    let named: Vec<&str> = BY_NAME.into_iter().chain([named_api.as_str()]).collect();
    let before = inventory(&lab.sdk).await;

    let (plan, _) = plan(&lab, &named).await;
    assert_eq!(dangers(&plan), Vec::<String>::new());
    let mark = format!("tags.{MARK}");
    for id in BY_NAME.into_iter().chain(["api/whole"]) {
        assert!(fields(&plan, id).contains(&mark), "{id}: {}", shown(&plan));
    }
    let of_table = fields(&plan, "table/whole-connections");
    for field in [
        "billing",
        "ttl",
        "indexes.userId-index.partition",
        "tags.owner",
    ] {
        assert!(of_table.iter().any(|f| f == field), "{field}: {of_table:?}");
    }
    // It calls the same function, and so it is the same integration.
    assert_eq!(fields(&plan, "integration/whole-talk"), ["uri"]);
    assert_eq!(
        fields(&plan, "stage/production").first().unwrap(),
        "logs.destination"
    );

    assert_complete(&carry_out(&lab.cloud, &plan).await.0);
    // From here on the mark says it, and naming it is needless and does no harm.
    assert_up_to_date(&lab, &Draft::from(WHOLE)).await;
    let (again, _) = self::plan(&lab, &named).await;
    assert!(
        again.is_empty() && again.dangers.is_empty(),
        "{}",
        shown(&again)
    );
    assert!(again.notes.is_empty(), "{:?}", again.notes);

    let draft = Draft::from(WHOLE);
    assert_eq!(physical(&lab, &draft, Kind::Api, "whole").await, api);
    let items = lab.sdk.dynamodb.scan().table_name("whole-connections");
    assert_eq!(items.send().await.unwrap().count, 1);
    let now = inventory(&lab.sdk).await;
    let theirs = "role-policy/whole-us-east-1/theirs";
    assert_eq!(now.get(theirs), before.get(theirs));
    let role = lab.sdk.iam.get_role().role_name("whole-us-east-1");
    let role = role.send().await.unwrap().role.unwrap();
    let talk = lab.sdk.lambda.get_function().function_name("whole-talk");
    let talk = talk.send().await.unwrap().configuration.unwrap();
    assert_eq!(talk.role(), Some(role.arn()));
    let policy = lab.sdk.lambda.get_policy().function_name("whole-talk");
    assert!(
        policy
            .send()
            .await
            .unwrap()
            .policy
            .unwrap()
            .contains("theirs")
    );

    // What was taken over is the stack's also when it goes, but for what others have hung on it.
    let delete = lab
        .sdk
        .iam
        .delete_role_policy()
        .role_name("whole-us-east-1");
    delete.policy_name("theirs").send().await.unwrap();
    lab.destroy(&draft, true).await;
    let left: Vec<String> = inventory(&lab.sdk).await.into_keys().collect();
    assert_eq!(left, ["role/api-gateway-logs"]);
}

#[tokio::test]
async fn nothing_is_taken_over_that_is_not_named() {
    let lab = Lab::instant().await;
    let api = scripted(&lab).await;
    for left_out in BY_NAME {
        let named: Vec<&str> = BY_NAME.into_iter().filter(|id| *id != left_out).collect();
        let (plan, _) = plan(&lab, &named).await;
        let said = format!("{left_out} exists and was not made by this stack");
        assert_eq!(dangers(&plan), [said]);
        assert_eq!(plan.dangers[0].consent(), Consent::Never);
        let hint = plan.dangers[0].hint();
        assert!(hint.ends_with(&format!("`--adopt {left_out}`")), "{hint}");
    }
    // An API's name says nothing: without its id there is a second one.
    let (plan, observed) = plan(&lab, &BY_NAME).await;
    let made = &plan.changes[&ResourceId::new(Kind::Api, "whole")];
    assert_eq!(made.action.word(), "create");
    assert!(observed.objects.values().all(|found| found.at.id != api));
}

/// Naming is for a deploy. What has not been taken over is not the stack's to remove.
#[tokio::test]
async fn destroying_takes_nothing_over() {
    let lab = Lab::instant().await;
    scripted(&lab).await;
    let text = format!("adopt: [table/whole-connections, function/whole-talk]\n{WHOLE}");
    let before = inventory(&lab.sdk).await;
    let plan = lab.destroy(&Draft::from(text.as_str()), true).await;
    assert!(plan.is_empty(), "{}", shown(&plan));
    assert_eq!(inventory(&lab.sdk).await, before);
}

#[tokio::test]
async fn what_another_stack_has_marked_is_refused_although_it_is_named() {
    let (lab, _) = deployed().await;
    let api = physical(&lab, &Draft::from(WHOLE), Kind::Api, "whole").await;
    let other = WHOLE
        .replace("name: whole", "name: other")
        .replace(
            "    key: connectionId",
            "    name: whole-connections\n    key: connectionId",
        )
        .replace(
            "    source: ./code\n    memory",
            "    name: whole-talk\n    source: ./code\n    memory",
        )
        .replace("api:\n", "role: { name: whole-us-east-1 }\napi:\n");
    let named_api = format!("api/{api}");
    let named = [
        "table/whole-connections",
        "function/whole-talk",
        "role/whole-us-east-1",
        "log-group/aws/lambda/whole-talk",
        named_api.as_str(),
    ];
    let wanted = naming(&lab, &Draft::from(other.as_str()), &named);
    let observed = lab.observe(&wanted).await;
    let plan = lab.plan_of(&wanted, &wanted.desired, &observed);
    let said = |id: &str| format!("{id} belongs to the stack whole");
    assert_eq!(
        dangers(&plan),
        [
            said(&named_api),
            // By its path, which says the Region, too.
            said("role/whole-us-east-1") + " in us-east-1",
            said("log-group/aws/lambda/whole-talk"),
            said("table/whole-connections"),
            said("function/whole-talk"),
        ]
    );
    assert!(plan.dangers.iter().all(|d| d.consent() == Consent::Never));
}

/// Roles are the same everywhere: the one of the other Region has the same mark, and another policy.
#[tokio::test]
async fn the_role_of_the_same_stack_in_another_region_is_not_ours() {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    let text = WHOLE.replace("api:\n", "role: { name: shared }\napi:\n");
    let create = lab
        .sdk
        .iam
        .create_role()
        .role_name("shared")
        .path("/msgai/eu-west-1/whole/");
    let tag = aws_sdk_iam::types::Tag::builder().key(MARK).value("whole");
    let create = create.tags(tag.build().unwrap());
    create
        .assume_role_policy_document(TRUST)
        .send()
        .await
        .unwrap();
    let plan = lab.plan(&Draft::from(text.as_str())).await;
    assert_eq!(
        dangers(&plan),
        ["role/shared belongs to the stack whole in eu-west-1"]
    );
}

#[tokio::test]
async fn what_is_named_and_not_there_is_made_and_said() {
    let lab = Lab::instant().await;
    lab.sdk.allow_access_logs().await;
    let plan = deploy(&lab, &["table/whole-connections"]).await;
    assert_eq!(
        plan.notes,
        ["there is no table/whole-connections to take over: a new one is made"]
    );
    assert_up_to_date(&lab, &Draft::from(WHOLE)).await;
}

/// Whoever marks it between the look and the deed has it.
#[tokio::test]
async fn an_object_that_another_stack_marks_meanwhile_is_left_to_it() {
    let lab = Lab::instant().await;
    scripted(&lab).await;
    let (plan, _) = plan(&lab, &BY_NAME).await;
    let tag = Tag::builder().key(MARK).value("other").build().unwrap();
    let arn = lab.place.table_arn("whole-connections");
    let tags = lab.sdk.dynamodb.tag_resource().resource_arn(arn).tags(tag);
    tags.send().await.unwrap();
    let group = lab.place.log_group_arn("/aws/lambda/whole-talk");
    let tags = lab.sdk.logs.tag_resource().resource_arn(group);
    tags.tags(MARK, "other").send().await.unwrap();
    let before = inventory(&lab.sdk).await;
    let (applied, _) = carry_out(&lab.cloud, &plan).await;
    let failed: BTreeSet<String> = applied.failures().map(|(id, _)| id.to_string()).collect();
    let wanted = ["log-group/aws/lambda/whole-talk", "table/whole-connections"];
    assert_eq!(failed, wanted.map(str::to_owned).into());
    let now = inventory(&lab.sdk).await;
    for key in [
        "table/whole-connections",
        "log-group//aws/lambda/whole-talk",
    ] {
        assert_eq!(now.get(key), before.get(key), "{key}");
    }
}

/// Killed after any call, it is finished by the same command.
#[tokio::test]
async fn a_takeover_that_is_killed_is_finished_by_the_next() {
    let whole = Lab::instant().await;
    let api = scripted(&whole).await;
    let named_api = format!("api/{api}");
    let named: Vec<&str> = BY_NAME.into_iter().chain([named_api.as_str()]).collect();
    whole.calls();
    deploy(&whole, &named).await;
    let calls = whole.calls().len();
    let end: Vec<String> = names(&whole, &api).await;
    let mut kills = 0;
    for killed_after in (0..calls).step_by(7) {
        let lab = Lab::instant().await;
        let api = scripted(&lab).await;
        let named_api = format!("api/{api}");
        let named: Vec<&str> = BY_NAME.into_iter().chain([named_api.as_str()]).collect();
        tokio::select! {
            biased;
            () = lab.after_calls(killed_after) => kills += 1,
            _ = Box::pin(deploy(&lab, &named)) => {}
        }
        deploy(&lab, &named).await;
        assert_up_to_date(&lab, &Draft::from(WHOLE)).await;
        assert_eq!(
            names(&lab, &api).await,
            end,
            "killed after {killed_after} calls"
        );
    }
    assert!(kills > 5, "{kills} kills of {calls} calls");
}

/// What is there, without the ids that the cloud makes up.
async fn names(lab: &Lab, api: &str) -> Vec<String> {
    let all = inventory(&lab.sdk).await;
    let shared = |key: &String| {
        let kind = key.split('/').next().unwrap();
        ["integration", "authorizer", "route-response", "permission"].contains(&kind)
    };
    let mut names: Vec<String> = all
        .keys()
        .map(|key| {
            if shared(key) {
                key.split('/').next().unwrap().to_owned()
            } else {
                key.replace(api, "API")
            }
        })
        .collect();
    names.sort();
    names
}
