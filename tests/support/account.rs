//! All that is in an account, in each service's own words but for what no two runs have in common.
//!
//! Ids become what they stand for, and times go. What is left is the same however often a deploy was cut off.

#![expect(
    clippy::disallowed_methods,
    reason = "the clock is paused, so that sleeping only says when"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use msgai::local::inside::Inside;
use serde_json::{Value, json};
use tokio::time::sleep;

/// `kind/name` → all that its service says of it.
pub(crate) type Account = BTreeMap<String, String>;

/// Between two questions, so that no rate is exceeded.
const REST: Duration = Duration::from_millis(120);

/// What says when, or how often, and not what.
const PASSING: [&str; 20] = [
    "createdDate",
    "lastUpdatedDate",
    "lastDeploymentStatusMessage",
    "LastModified",
    "RevisionId",
    "Location",
    "CreationDateTime",
    "creationTime",
    "storedBytes",
    "TableId",
    "TableSizeBytes",
    "ItemCount",
    "IndexSizeBytes",
    "EarliestRestorableDateTime",
    "LatestRestorableDateTime",
    "LastIncreaseDateTime",
    "LastDecreaseDateTime",
    "LastUpdateToPayPerRequestDateTime",
    "nextToken",
    "Id",
];

struct Reader<'a> {
    cloud: &'a Inside,
    all: Account,
    /// Id → what it stands for.
    names: BTreeMap<String, String>,
}

pub(crate) async fn account(cloud: &Inside) -> Account {
    let mut reader = Reader {
        cloud,
        all: Account::new(),
        names: BTreeMap::new(),
    };
    reader.apis().await;
    reader.domains().await;
    reader.roles().await;
    reader.functions().await;
    reader.tables().await;
    reader.log_groups().await;
    let named = |text: &String| {
        let mut text = text.clone();
        for (id, name) in &reader.names {
            text = text.replace(id, name);
        }
        text
    };
    let mut normal = Account::new();
    for (key, about) in &reader.all {
        let mut key = named(key);
        while normal.contains_key(&key) {
            key.push_str(" again");
        }
        normal.insert(key, named(about));
    }
    normal
}

impl Reader<'_> {
    async fn apis(&mut self) {
        for api in list(
            &self.rest("apigateway", "/v2/apis?maxResults=100").await,
            "items",
        ) {
            let id = word(&api, "apiId");
            let name = format!("<{} of {}>", word(&api, "name"), api["tags"]["msgai:stack"]);
            self.names.insert(id.clone(), name);
            self.keep(format!("api/{id}"), api);
            for (kind, key) in [
                ("integrations", "integrationId"),
                ("authorizers", "authorizerId"),
                ("routes", "routeId"),
                ("stages", "stageName"),
                ("deployments", "deploymentId"),
            ] {
                let path = format!("/v2/apis/{id}/{kind}?maxResults=100");
                for item in list(&self.rest("apigateway", &path).await, "items") {
                    self.part(&id, kind, &word(&item, key), item).await;
                }
            }
        }
    }

    async fn domains(&mut self) {
        let all = self
            .rest("apigateway", "/v2/domainnames?maxResults=100")
            .await;
        for domain in list(&all, "items") {
            let name = word(&domain, "domainName");
            let target = word(
                &domain["domainNameConfigurations"][0],
                "apiGatewayDomainName",
            );
            self.names.insert(target, format!("<target of {name}>"));
            self.keep(format!("domain/{name}"), domain);
            let path = format!("/v2/domainnames/{name}/apimappings?maxResults=100");
            for mapping in list(&self.rest("apigateway", &path).await, "items") {
                let (id, key) = (
                    word(&mapping, "apiMappingId"),
                    word(&mapping, "apiMappingKey"),
                );
                self.names.insert(id, format!("<at {key}>"));
                self.keep(format!("mapping/{name}/{key}"), mapping);
            }
        }
    }

    async fn part(&mut self, api: &str, kind: &str, id: &str, mut item: Value) {
        let name = match kind {
            "integrations" => {
                let function = word(&item, "integrationUri");
                let function = function.split("function:").nth(1).unwrap_or_default();
                format!("<to {function} in {}>", item["timeoutInMillis"])
            }
            "authorizers" => format!("<by {}>", word(&item, "name")),
            "routes" => format!("<on {}>", word(&item, "routeKey")),
            "deployments" => {
                // A digest of ids.
                item["description"] = Value::Null;
                "<snapshot>".to_owned()
            }
            _ => id.to_owned(),
        };
        if kind == "routes" {
            let path = format!("/v2/apis/{api}/routes/{id}/routeresponses");
            for response in list(&self.rest("apigateway", &path).await, "items") {
                let own = word(&response, "routeResponseId");
                self.names.insert(own.clone(), "<response>".to_owned());
                self.keep(format!("responses/{api}/{id}/{own}"), response);
            }
        }
        self.names.insert(id.to_owned(), name);
        self.keep(format!("{kind}/{api}/{id}"), item);
    }

    async fn roles(&mut self) {
        let roles = self.iam("ListRoles").await;
        for name in between(&roles, "<RoleName>", "</RoleName>") {
            let whole = self.iam(&format!("GetRole&RoleName={name}")).await;
            self.all.insert(format!("role/{name}"), lasting(&whole));
            let policies = format!("ListRolePolicies&RoleName={name}");
            for policy in between(&self.iam(&policies).await, "<member>", "</member>") {
                let get = format!("GetRolePolicy&RoleName={name}&PolicyName={policy}");
                let document = self.iam(&get).await;
                let key = format!("role-policy/{name}/{policy}");
                self.all.insert(key, lasting(&document));
            }
        }
    }

    async fn functions(&mut self) {
        let root = "/2015-03-31/functions/";
        let functions = self.rest("lambda", root).await;
        for function in list(&functions, "Functions") {
            let name = word(&function, "FunctionName");
            let whole = self.rest("lambda", &format!("{root}{name}")).await;
            self.keep(format!("function/{name}"), whole);
            let versions = self.rest("lambda", &format!("{root}{name}/versions")).await;
            for version in list(&versions, "Versions") {
                let key = format!("version/{name}/{}", word(&version, "Version"));
                self.keep(key, version);
            }
            let aliases = self.rest("lambda", &format!("{root}{name}/aliases")).await;
            for alias in list(&aliases, "Aliases") {
                let alias_name = word(&alias, "Name");
                self.keep(format!("alias/{name}/{alias_name}"), alias);
                let path = format!("{root}{name}/policy?Qualifier={alias_name}");
                let policy = self.rest("lambda", &path).await;
                self.statements(&name, &policy);
            }
        }
    }

    fn statements(&mut self, function: &str, policy: &Value) {
        let Some(policy) = policy["Policy"].as_str() else {
            return;
        };
        let policy: Value = serde_json::from_str(policy).unwrap();
        for mut statement in list(&policy, "Statement") {
            let id = word(&statement, "Sid");
            // The last part is a digest of ids.
            let start = id.rsplit_once('-').map_or(id.as_str(), |(start, _)| start);
            statement["Sid"] = start.into();
            self.keep(format!("permission/{function}/{start}/{id}"), statement);
            self.names.insert(id.clone(), "<statement>".to_owned());
        }
    }

    async fn tables(&mut self) {
        let tables = self.dynamodb("ListTables", json!({})).await;
        for name in list(&tables, "TableNames") {
            let name = name.as_str().unwrap().to_owned();
            if name == msgai::ledger::TABLE {
                // It tells of runs, and no two are alike.
                continue;
            }
            let of = json!({ "TableName": name });
            let table = self.dynamodb("DescribeTable", of.clone()).await;
            let ttl = self.dynamodb("DescribeTimeToLive", of.clone()).await;
            let backups = self.dynamodb("DescribeContinuousBackups", of).await;
            let arn = json!({ "ResourceArn": table["Table"]["TableArn"] });
            let tags = self.dynamodb("ListTagsOfResource", arn).await;
            let about = json!([table, ttl, backups, tags]);
            self.keep(format!("table/{name}"), about);
        }
    }

    async fn log_groups(&mut self) {
        let groups = self.logs("DescribeLogGroups", json!({})).await;
        for group in list(&groups, "logGroups") {
            let name = word(&group, "logGroupName");
            let arn = json!({ "resourceArn": group["logGroupArn"] });
            let tags = self.logs("ListTagsForResource", arn).await;
            self.keep(format!("log-group/{name}"), json!([group, tags]));
        }
    }

    fn keep(&mut self, key: String, mut about: Value) {
        forget(&mut about);
        assert!(self.all.insert(key, about.to_string()).is_none());
    }

    async fn rest(&self, service: &str, path: &str) -> Value {
        let request = Request::get(format!("http://127.0.0.1:0{path}"));
        let text = self.ask(service, request, String::new()).await;
        serde_json::from_str(&text).unwrap()
    }

    async fn dynamodb(&self, operation: &str, body: Value) -> Value {
        let target = format!("DynamoDB_20120810.{operation}");
        self.target("dynamodb", &target, &body).await
    }

    async fn logs(&self, operation: &str, body: Value) -> Value {
        let target = format!("Logs_20140328.{operation}");
        self.target("logs", &target, &body).await
    }

    async fn target(&self, service: &str, target: &str, body: &Value) -> Value {
        let request = Request::post("http://127.0.0.1:0/").header("x-amz-target", target);
        let text = self.ask(service, request, body.to_string()).await;
        serde_json::from_str(&text).unwrap()
    }

    async fn iam(&self, action: &str) -> String {
        let form = "application/x-www-form-urlencoded";
        let request = Request::post("http://127.0.0.1:0/").header("content-type", form);
        let body = format!("Action={action}&Version=2010-05-08");
        self.ask("iam", request, body).await
    }

    async fn ask(
        &self,
        service: &str,
        request: axum::http::request::Builder,
        body: String,
    ) -> String {
        sleep(REST).await;
        let scope = format!("key/20260101/us-east-1/{service}/aws4_request");
        let signed =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let request = request
            .header("host", "127.0.0.1:0")
            .header("authorization", signed);
        let answer = self.cloud.answer(request.body(Body::from(body)).unwrap());
        let (parts, body) = answer.await.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        // An alias without a policy has none to get.
        let is_read = parts.status.is_success() || text.contains("The resource you requested");
        assert!(is_read, "{service}: {} {text}", parts.status);
        text
    }
}

fn list(of: &Value, member: &str) -> Vec<Value> {
    of[member].as_array().cloned().unwrap_or_default()
}

fn word(of: &Value, member: &str) -> String {
    of[member].as_str().unwrap().to_owned()
}

fn forget(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(forget);
            items.sort_by_key(Value::to_string);
        }
        Value::Object(members) => {
            members.retain(|key, _| !PASSING.contains(&key.as_str()));
            members.values_mut().for_each(forget);
            members.sort_keys();
        }
        _ => {}
    }
}

fn between(text: &str, start: &str, end: &str) -> Vec<String> {
    let parts = text.split(start).skip(1);
    parts
        .filter_map(|part| part.split(end).next())
        .map(str::to_owned)
        .collect()
}

/// XML without the elements that no two runs have in common.
fn lasting(xml: &str) -> String {
    let mut text = xml.to_owned();
    for element in ["CreateDate", "RoleId", "RequestId", "RoleLastUsed"] {
        for value in between(
            &text.clone(),
            &format!("<{element}>"),
            &format!("</{element}>"),
        ) {
            text = text.replace(&format!("<{element}>{value}</{element}>"), "");
        }
    }
    text
}
