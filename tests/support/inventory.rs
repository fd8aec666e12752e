//! Everything that is in a local cloud, asked of each service and not of the engine.

use std::collections::BTreeMap;

use super::sdk::Sdk;

/// `kind/name` → all that the service says of it.
pub(crate) type Inventory = BTreeMap<String, String>;

/// How many there are of each kind.
pub(crate) fn counts(inventory: &Inventory) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for key in inventory.keys() {
        let kind = key.split('/').next().unwrap();
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

/// What is in `now` and was not in `before`.
pub(crate) fn added(before: &Inventory, now: &Inventory) -> Inventory {
    let is_new = |(key, _): &(&String, &String)| !before.contains_key(*key);
    let new = now.iter().filter(is_new);
    new.map(|(key, about)| (key.clone(), about.clone()))
        .collect()
}

pub(crate) async fn inventory(sdk: &Sdk) -> Inventory {
    let mut all = Inventory::new();
    apis(sdk, &mut all).await;
    roles(sdk, &mut all).await;
    functions(sdk, &mut all).await;
    tables(sdk, &mut all).await;
    log_groups(sdk, &mut all).await;
    all
}

async fn apis(sdk: &Sdk, all: &mut Inventory) {
    let gateway = &sdk.apigateway;
    let apis = gateway.get_apis().max_results("100").send().await.unwrap();
    for api in apis.items() {
        let id = api.api_id().unwrap();
        all.insert(format!("api/{id}"), format!("{api:?}"));
        let routes = gateway.get_routes().api_id(id).send().await.unwrap();
        for route in routes.items() {
            let key = route.route_key().unwrap();
            all.insert(format!("route/{id}/{key}"), format!("{route:?}"));
            let responses = gateway.get_route_responses().api_id(id);
            let responses = responses.route_id(route.route_id().unwrap());
            for response in responses.send().await.unwrap().items() {
                let response_id = response.route_response_id().unwrap();
                let name = format!("route-response/{id}/{key}/{response_id}");
                all.insert(name, format!("{response:?}"));
            }
        }
        let integrations = gateway.get_integrations().api_id(id).send().await.unwrap();
        for integration in integrations.items() {
            let name = integration.integration_id().unwrap();
            let name = format!("integration/{id}/{name}");
            all.insert(name, format!("{integration:?}"));
        }
        let authorizers = gateway.get_authorizers().api_id(id).send().await.unwrap();
        for authorizer in authorizers.items() {
            let name = authorizer.authorizer_id().unwrap();
            all.insert(format!("authorizer/{id}/{name}"), format!("{authorizer:?}"));
        }
        let stages = gateway.get_stages().api_id(id).send().await.unwrap();
        for stage in stages.items() {
            let name = stage.stage_name().unwrap();
            all.insert(format!("stage/{id}/{name}"), format!("{stage:?}"));
        }
    }
}

async fn roles(sdk: &Sdk, all: &mut Inventory) {
    for role in sdk.iam.list_roles().send().await.unwrap().roles() {
        let name = role.role_name();
        let whole = sdk.iam.get_role().role_name(name).send().await.unwrap();
        all.insert(format!("role/{name}"), format!("{:?}", whole.role));
        let policies = sdk.iam.list_role_policies().role_name(name);
        for policy in policies.send().await.unwrap().policy_names() {
            let get = sdk.iam.get_role_policy().role_name(name);
            let document = get.policy_name(policy).send().await.unwrap();
            let key = format!("role-policy/{name}/{policy}");
            all.insert(key, document.policy_document);
        }
    }
}

async fn functions(sdk: &Sdk, all: &mut Inventory) {
    let functions = sdk.lambda.list_functions().send().await.unwrap();
    for function in functions.functions() {
        let name = function.function_name().unwrap();
        let whole = sdk.lambda.get_function().function_name(name);
        let whole = whole.send().await.unwrap();
        let about = format!("{:?} {:?}", whole.configuration(), whole.tags());
        all.insert(format!("function/{name}"), about);
        let aliases = sdk.lambda.list_aliases().function_name(name);
        for alias in aliases.send().await.unwrap().aliases() {
            let alias_name = alias.name().unwrap();
            all.insert(format!("alias/{name}/{alias_name}"), format!("{alias:?}"));
            let policy = sdk.lambda.get_policy().function_name(name);
            // A function without a policy has nothing to get.
            let Ok(policy) = policy.qualifier(alias_name).send().await else {
                continue;
            };
            let policy: serde_json::Value = serde_json::from_str(policy.policy().unwrap()).unwrap();
            for statement in policy["Statement"].as_array().unwrap() {
                let sid = statement["Sid"].as_str().unwrap();
                all.insert(format!("permission/{name}/{sid}"), statement.to_string());
            }
        }
    }
}

async fn tables(sdk: &Sdk, all: &mut Inventory) {
    let tables = sdk.dynamodb.list_tables().send().await.unwrap();
    for name in tables.table_names() {
        let table = sdk.dynamodb.describe_table().table_name(name);
        let table = table.send().await.unwrap();
        all.insert(format!("table/{name}"), format!("{:?}", table.table()));
    }
}

async fn log_groups(sdk: &Sdk, all: &mut Inventory) {
    let groups = sdk.logs.describe_log_groups().send().await.unwrap();
    for group in groups.log_groups() {
        let name = group.log_group_name().unwrap();
        all.insert(format!("log-group/{name}"), format!("{group:?}"));
    }
}
