//! The handlers' permissions, one statement taken away at a time: what is denied, who is told, and what heals it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use aws_sdk_iam::Client;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::{BehaviorVersion, Config, Credentials, Region};
use msgai::local::Happening;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

use super::STACK;
use super::deployed::{Deployed, deploy};
use super::person::{ERROR, MESSAGE, Person, STATUS};

/// The one role of a stack, and its one policy.
struct Access {
    iam: Client,
    role: String,
    policy: String,
    statements: Vec<Value>,
}

impl Access {
    async fn of(chat: &Deployed) -> Self {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(chat.local.endpoint())
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        let iam = Client::from_conf(config.build());
        let roles = iam
            .list_roles()
            .path_prefix("/msgai/")
            .send()
            .await
            .unwrap();
        let [role] = roles.roles() else {
            panic!("{roles:?}")
        };
        let role = role.role_name().to_owned();
        let names = iam
            .list_role_policies()
            .role_name(&role)
            .send()
            .await
            .unwrap();
        let [policy] = names.policy_names() else {
            panic!("{names:?}")
        };
        let get = iam.get_role_policy().role_name(&role).policy_name(policy);
        let document = get.send().await.unwrap().policy_document;
        let document = percent_decode_str(&document).decode_utf8().unwrap();
        let mut document: Value = serde_json::from_str(&document).unwrap();
        let statements = document["Statement"].as_array_mut().unwrap();
        Self {
            role,
            policy: policy.clone(),
            statements: std::mem::take(statements),
            iam,
        }
    }

    async fn put(&self, statements: &[Value]) {
        let document = json!({ "Version": "2012-10-17", "Statement": statements });
        let put = self.iam.put_role_policy().role_name(&self.role);
        let put = put.policy_name(&self.policy);
        put.policy_document(document.to_string())
            .send()
            .await
            .unwrap();
    }

    /// The policy but for the statement of this id.
    fn without(&self, sid: &str) -> Vec<Value> {
        let rest = self.statements.iter().filter(|one| one["Sid"] != sid);
        let rest: Vec<Value> = rest.cloned().collect();
        assert_eq!(rest.len() + 1, self.statements.len(), "{sid}");
        rest
    }
}

/// The next denial: who, what, and the statement that lifts it.
async fn denied(happenings: &mut Receiver<Happening>) -> (String, String, Value) {
    loop {
        if let Happening::Denied {
            principal,
            action,
            statement,
            ..
        } = happenings.recv().await.unwrap()
        {
            let who = principal.rsplit('/').next().unwrap().to_owned();
            return (who, action, serde_json::from_str(&statement).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_may_not_be_stored_is_an_error_until_the_statement_is_there() {
    let chat = deploy(STACK, None).await;
    let access = Access::of(&chat).await;
    let mut happenings = chat.local.watch();
    let mut alice = Person::joins(&chat.url, "userId=alice").await;

    let mut statements = access.without("TableMessages");
    access.put(&statements).await;
    alice.sends("m1", json!({ "recipientId": "alice" })).await;
    assert_eq!(alice.hears(ERROR).await["code"], "storage");
    let (who, action, statement) = denied(&mut happenings).await;
    assert_eq!(
        (who.as_str(), action.as_str()),
        ("chat-sendMessage", "dynamodb:PutItem")
    );
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/chat-messages";
    assert_eq!(statement["Resource"], table);

    statements.push(statement);
    access.put(&statements).await;
    alice.sends("m1", json!({ "recipientId": "alice" })).await;
    assert_eq!(alice.hears(STATUS).await["messageId"], "m1");
    alice.leaves().await;
    chat.local.shutdown().await;
}

/// The table is in the policy and the index is not, as in many a script.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_found_by_an_index_that_no_statement_names() {
    let chat = deploy(STACK, None).await;
    let access = Access::of(&chat).await;
    let mut happenings = chat.local.watch();
    let mut alice = Person::joins(&chat.url, "userId=alice").await;
    let mut bob = Person::joins(&chat.url, "userId=bob").await;

    let mut statements = access.without("IndexesConnections");
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/chat-connections";
    statements.push(json!({ "Effect": "Allow", "Action": "dynamodb:Query", "Resource": table }));
    access.put(&statements).await;
    alice.sends("m1", json!({ "recipientId": "bob" })).await;
    assert_eq!(alice.hears(ERROR).await["code"], "delivery");
    let (_, action, statement) = denied(&mut happenings).await;
    assert_eq!(action, "dynamodb:Query");
    assert_eq!(statement["Resource"], format!("{table}/index/userId-index"));

    statements.push(statement);
    access.put(&statements).await;
    alice.sends("m2", json!({ "recipientId": "bob" })).await;
    assert_eq!(alice.hears(STATUS).await["status"], "delivered");
    assert_eq!(bob.hears(MESSAGE).await["messageId"], "m2");
    alice.leaves_content().await;
    bob.leaves_content().await;
    chat.local.shutdown().await;
}

/// `@connections` is denied by the method, and said to be the stage's, not one connection's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_posted_without_the_right_to_post() {
    let chat = deploy(STACK, None).await;
    let access = Access::of(&chat).await;
    let mut happenings = chat.local.watch();
    let mut alice = Person::joins(&chat.url, "userId=alice").await;

    let mut statements = access.without("Connections");
    access.put(&statements).await;
    alice.sends("m1", json!({ "recipientId": "bob" })).await;
    let (_, action, statement) = denied(&mut happenings).await;
    assert_eq!(action, "execute-api:ManageConnections");
    let resource = statement["Resource"].as_str().unwrap();
    assert!(
        resource.ends_with("/production/POST/@connections/*"),
        "{resource}"
    );

    statements.push(statement);
    access.put(&statements).await;
    alice.sends("m2", json!({ "recipientId": "bob" })).await;
    assert_eq!(alice.hears(STATUS).await["messageId"], "m2");
    alice.leaves_content().await;
    chat.local.shutdown().await;
}
