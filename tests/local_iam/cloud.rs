//! A local cloud with a table, a role, and a session of that role.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use aws_sdk_dynamodb as dynamodb;
use aws_sdk_iam as iam;
use aws_sdk_sts as sts;

use dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use msgai::local::clock::Clock;
use msgai::local::{Happening, LocalCloud, Options};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

pub(crate) const ACCOUNT: &str = "000000000000";
pub(crate) const WHO: &str = "arn:aws:sts::000000000000:assumed-role/chat/test";
pub(crate) const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/Talk";

/// Key, secret, token.
pub(crate) type Keys = (String, String, Option<String>);

/// A client of a local cloud that signs with the given keys.
macro_rules! client {
    ($service:ident, $cloud:expr, $keys:expr) => {{
        let (key, secret, token): Keys = $keys.clone();
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version($service::config::BehaviorVersion::v2026_01_12())
                .region($service::config::Region::new("us-east-1"))
                .endpoint_url($cloud.local.endpoint())
                .credentials_provider($service::config::Credentials::new(
                    key, secret, token, None, "test",
                ))
                .retry_config($service::config::retry::RetryConfig::disabled())
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build(),
        )
    }};
}

/// A local cloud with a table, a role, and a session of it.
pub(crate) struct Cloud {
    pub(crate) local: LocalCloud,
    pub(crate) clock: Clock,
    happenings: Receiver<Happening>,
    pub(crate) user: Keys,
    pub(crate) session: Keys,
}

impl Cloud {
    pub(crate) async fn start(enforces: bool) -> Self {
        let clock = Clock::turned(Duration::from_secs(1_700_000_000));
        let local = LocalCloud::start(Options {
            clock: clock.clone(),
            iam: enforces,
            ..Options::default()
        });
        let local = local.await.unwrap();
        let happenings = local.watch();
        let user: Keys = ("key".to_owned(), "secret".to_owned(), None);
        let mut cloud = Self {
            local,
            clock,
            happenings,
            session: user.clone(),
            user,
        };
        make_table(&client!(dynamodb, cloud, cloud.user)).await;
        cloud.make_role("chat", &json!({ "AWS": ACCOUNT })).await;
        cloud.session = cloud.assume("chat").await;
        cloud
    }

    pub(crate) async fn make_role(&self, name: &str, principal: &Value) {
        let trust = json!({ "Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"
        } });
        let client = client!(iam, self, self.user);
        let make = client.create_role().role_name(name);
        let make = make.assume_role_policy_document(trust.to_string());
        make.send().await.unwrap();
    }

    pub(crate) async fn assume(&self, role: &str) -> Keys {
        let client = client!(sts, self, self.user);
        let assume = client.assume_role().role_session_name("test");
        let given = assume.role_arn(role_arn(role)).send().await.unwrap();
        let given = given.credentials.unwrap();
        let token = Some(given.session_token);
        (given.access_key_id, given.secret_access_key, token)
    }

    /// What the role may do from now on.
    pub(crate) async fn may(&self, statements: Value) {
        let document = json!({ "Version": "2012-10-17", "Statement": statements });
        let client = client!(iam, self, self.user);
        let put = client.put_role_policy().role_name("chat").policy_name("p");
        let put = put.policy_document(document.to_string());
        put.send().await.unwrap();
    }

    /// The one denial that was told since the last time.
    pub(crate) fn denied(&mut self) -> (String, String, String, Value) {
        let mut all = Vec::new();
        while let Ok(happening) = self.happenings.try_recv() {
            if let Happening::Denied {
                principal,
                action,
                resource,
                why,
                statement,
            } = happening
            {
                assert_eq!(principal, WHO);
                all.push((
                    action,
                    resource,
                    why,
                    serde_json::from_str(&statement).unwrap(),
                ));
            }
        }
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }
}

pub(crate) fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

pub(crate) fn allow(actions: &[&str], resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resource })
}

pub(crate) async fn make_table(client: &dynamodb::Client) {
    let attribute = |name: &str| {
        let builder = AttributeDefinition::builder().attribute_name(name);
        builder
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap()
    };
    let key = |name: &str| {
        let builder = KeySchemaElement::builder().attribute_name(name);
        builder.key_type(KeyType::Hash).build().unwrap()
    };
    let all = Projection::builder().projection_type(ProjectionType::All);
    let index = GlobalSecondaryIndex::builder()
        .index_name("by-user")
        .key_schema(key("user"))
        .projection(all.build())
        .build()
        .unwrap();
    let make = client
        .create_table()
        .table_name("Talk")
        .key_schema(key("id"));
    make.attribute_definitions(attribute("id"))
        .attribute_definitions(attribute("user"))
        .global_secondary_indexes(index)
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
}

/// Code and message of a call that must fail.
macro_rules! refused {
    ($call:expr) => {{
        let error = $call.send().await.unwrap_err();
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        (status, code, error.message().unwrap_or_default().to_owned())
    }};
}

pub(crate) fn unallowed(action: &str, resource: &str) -> String {
    format!(
        "User: {WHO} is not authorized to perform: {action} on resource: {resource} \
         because no identity-based policy allows the {action} action"
    )
}

pub(crate) fn allow_one(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

pub(crate) use client;
pub(crate) use refused;
