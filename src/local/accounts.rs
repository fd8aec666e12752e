//! Accounts beside the first: a key of twelve digits is the account that it names, and each account is a world apart.
//!
//! In: the key that a request is signed with, or the URL of a stage. Out: the world that is meant. Never: a thing that
//! two accounts share, but for the port, the clock and whoever watches.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::websocket::Address;
use super::{ACCOUNT, Options, World, locked, wire};

/// Below the cloud's own folder, a folder for each account but the first.
const FOLDER: &str = "accounts";

/// A made-up key costs a folder and a database; so many are enough for anybody.
const MOST: usize = 16;

/// The account that a kept state is of: the first one, for what was kept before there were others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct AccountId(String);

impl AccountId {
    pub(crate) fn new(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl Default for AccountId {
    fn default() -> Self {
        Self::new(ACCOUNT)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first account's world knows those of the others.
pub(crate) struct Accounts {
    /// How they are to be.
    options: Options,
    others: Mutex<BTreeMap<String, Arc<World>>>,
}

impl Accounts {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            others: Mutex::default(),
        }
    }
}

/// Whether a key is an account's id.
fn names_account(key: &str) -> bool {
    key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit())
}

impl World {
    /// Opens the accounts that the cloud's folder has.
    pub(super) fn reopen(self: &Arc<Self>) -> io::Result<()> {
        let Some(dir) = &self.accounts.options.dir else {
            return Ok(());
        };
        let folders = match fs::read_dir(dir.join(FOLDER)) {
            Ok(folders) => folders,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut others = locked(&self.accounts.others);
        for folder in folders {
            let name = folder?.file_name();
            if let Some(id) = name.to_str().filter(|name| names_account(name)) {
                others.insert(id.to_owned(), self.beside(id)?);
            }
        }
        Ok(())
    }

    fn beside(&self, id: &str) -> io::Result<Arc<Self>> {
        let mut options = self.accounts.options.clone();
        options.dir = options.dir.map(|dir| dir.join(FOLDER).join(id));
        let mut world = Self::of(id, options)?;
        world.happenings = self.happenings.clone();
        world.address = self.address.clone();
        world.tls = self.tls.clone();
        Ok(Arc::new(world))
    }

    /// Every account's world, the first one first.
    pub(super) fn all(self: &Arc<Self>) -> Vec<Arc<Self>> {
        let others = locked(&self.accounts.others);
        let first = std::iter::once(Arc::clone(self));
        first.chain(others.values().cloned()).collect()
    }

    fn is_alone(&self) -> bool {
        locked(&self.accounts.others).is_empty()
    }

    /// Whether a host is a domain of one's own of any account.
    pub(super) fn has_domain(self: &Arc<Self>, host: &str) -> bool {
        let mut all = self.all().into_iter();
        all.any(|world| world.apigateway.has_domain(host))
    }

    /// The account that a key belongs to: the one that it names, the one that gave it out, or the first.
    pub(super) fn of_key(self: &Arc<Self>, key: &str) -> Result<Arc<Self>, Refusal> {
        if !names_account(key) || key == self.account {
            if self.is_alone() {
                return Ok(Arc::clone(self));
            }
            let gave = self.all().into_iter().find(|world| world.sts.knows(key));
            return Ok(gave.unwrap_or_else(|| Arc::clone(self)));
        }
        let mut others = locked(&self.accounts.others);
        if let Some(world) = others.get(key) {
            return Ok(Arc::clone(world));
        }
        if others.len() >= MOST {
            let message = format!("the local cloud holds no more than {MOST} further accounts");
            return Err(Refusal::new(400, "LimitExceededException", message));
        }
        let world = self.beside(key).map_err(|error| wire::unsaved(&error))?;
        others.insert(key.to_owned(), Arc::clone(&world));
        Ok(world)
    }

    /// The account whose stage or connection a URL means; the first where none has it, or several do.
    pub(super) fn of_url(self: &Arc<Self>, host: &str, path: &str) -> Arc<Self> {
        if self.is_alone() {
            return Arc::clone(self);
        }
        let all = self.all();
        let means = |world: &&Arc<Self>| Address::at(world, host, path).is_in(world);
        all.iter().find(means).unwrap_or(self).clone()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use serde_json::{Value, json};

    use super::*;
    use crate::local::inside::Inside;

    const OTHER: &str = "111122223333";

    /// A call signed with this key: its status, and its body as text.
    async fn call(cloud: &Inside, key: &str, service: &str, request: Call<'_>) -> (u16, String) {
        let scope = format!("{key}/20231114/us-east-1/{service}/aws4_request");
        let mut built = Request::builder()
            .method(request.method)
            .uri(request.path)
            .header("host", "localhost")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            );
        if let Some((name, value)) = request.header {
            built = built.header(name, value);
        }
        let built = built.body(Body::from(request.body.to_owned())).unwrap();
        let answer = cloud.answer(built).await;
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    struct Call<'a> {
        method: &'a str,
        path: &'a str,
        header: Option<(&'a str, &'a str)>,
        body: &'a str,
    }

    async fn dynamo(cloud: &Inside, key: &str, operation: &str, body: Value) -> Value {
        let target = format!("DynamoDB_20120810.{operation}");
        let request = Call {
            method: "POST",
            path: "/",
            header: Some(("x-amz-target", &target)),
            body: &body.to_string(),
        };
        let (status, body) = call(cloud, key, "dynamodb", request).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn query(cloud: &Inside, key: &str, service: &str, body: &str) -> (u16, String) {
        let request = Call {
            method: "POST",
            path: "/",
            header: Some(("content-type", "application/x-www-form-urlencoded")),
            body,
        };
        call(cloud, key, service, request).await
    }

    async fn gateway(cloud: &Inside, key: &str, path: &str, body: Value) -> Value {
        let request = Call {
            method: "POST",
            path,
            header: None,
            body: &body.to_string(),
        };
        let (status, body) = call(cloud, key, "apigateway", request).await;
        assert_eq!(status, 201, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn options(dir: Option<&std::path::Path>) -> Options {
        Options {
            dir: dir.map(std::path::Path::to_owned),
            ..Options::default()
        }
    }

    #[tokio::test]
    async fn each_account_has_its_own_things_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Inside::open(options(Some(folder.path()))).unwrap();
        let table = json!({
            "TableName": "chats", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        });
        let made = dynamo(&cloud, OTHER, "CreateTable", table).await;
        let arn = format!("arn:aws:dynamodb:us-east-1:{OTHER}:table/chats");
        assert_eq!(made["TableDescription"]["TableArn"], arn.as_str());
        drop(cloud);
        let cloud = Inside::open(options(Some(folder.path()))).unwrap();
        let named = json!({ "TableName": "chats" });
        let found = dynamo(&cloud, OTHER, "DescribeTable", named).await;
        assert_eq!(found["Table"]["TableArn"], arn.as_str());
        for (key, names) in [("any", json!([])), (OTHER, json!(["chats"]))] {
            let tables = dynamo(&cloud, key, "ListTables", json!({})).await;
            assert_eq!(tables["TableNames"], names, "{key}");
        }
    }

    #[tokio::test]
    async fn a_caller_is_of_its_account_and_so_are_its_sessions() {
        let cloud = Inside::open(options(None)).unwrap();
        let who = "Action=GetCallerIdentity&Version=2011-06-15";
        for (key, account) in [("any", crate::local::ACCOUNT), (OTHER, OTHER)] {
            let (_, body) = query(&cloud, key, "sts", who).await;
            let user = format!("arn:aws:iam::{account}:user/local");
            assert!(body.contains(&user), "{key}: {body}");
            let named = format!("<Account>{account}</Account>");
            assert!(body.contains(&named), "{key}: {body}");
        }
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": OTHER },
        }] });
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([("Action", "CreateRole"), ("RoleName", "r")]);
        form.append_pair("AssumeRolePolicyDocument", &trust.to_string());
        let (status, body) = query(&cloud, OTHER, "iam", &form.finish()).await;
        let role = format!("arn:aws:iam::{OTHER}:role/r");
        assert!(status == 200 && body.contains(&role), "{body}");
        let assume = format!("Action=AssumeRole&RoleSessionName=s&RoleArn={role}");
        let (status, _) = query(&cloud, "any", "sts", &assume).await;
        assert_eq!(status, 403, "another account's role is not there");
        let (status, body) = query(&cloud, OTHER, "sts", &assume).await;
        let session = format!("arn:aws:sts::{OTHER}:assumed-role/r/s");
        assert!(status == 200 && body.contains(&session), "{body}");
    }

    #[tokio::test]
    async fn connections_are_for_their_own_account() {
        let cloud = Inside::open(options(None)).unwrap();
        let api = gateway(
            &cloud,
            OTHER,
            "/v2/apis",
            json!({ "name": "c", "protocolType": "WEBSOCKET", "routeSelectionExpression": "x" }),
        )
        .await;
        let api = api["apiId"].as_str().unwrap();
        let route = json!({ "routeKey": "$default" });
        gateway(&cloud, OTHER, &format!("/v2/apis/{api}/routes"), route).await;
        let stage = json!({ "stageName": "p" });
        for kind in ["stages", "deployments"] {
            let path = format!("/v2/apis/{api}/{kind}");
            gateway(&cloud, OTHER, &path, stage.clone()).await;
        }
        let path = format!("/_aws/execute-api/{api}/p/@connections/AAAAAAAAAAAAAAA%3D");
        for (key, status) in [(OTHER, 410), ("any", 403), ("444455556666", 403)] {
            let request = Call {
                method: "GET",
                path: &path,
                header: None,
                body: "",
            };
            let (got, body) = call(&cloud, key, "execute-api", request).await;
            assert_eq!(got, status, "{key}: {body}");
        }
    }

    #[tokio::test]
    async fn there_is_an_end_to_accounts() {
        let cloud = Inside::open(options(None)).unwrap();
        for n in 1..=MOST + 1 {
            let key = format!("{n:012}");
            let who = "Action=GetCallerIdentity&Version=2011-06-15";
            let (status, body) = query(&cloud, &key, "sts", who).await;
            assert_eq!(status, if n > MOST { 400 } else { 200 }, "{body}");
        }
    }
}
