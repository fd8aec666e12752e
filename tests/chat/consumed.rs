//! What a message really consumes, held against what `cost` says it does.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{MetricDataQuery, MetricDataResult, MetricStat};
use msgai::cost::{Estimate, Shape, Traffic, estimate, figures};
use msgai::local::Happening;
use serde_json::json;
use tokio::sync::broadcast::Receiver;

use super::STACK;
use super::deployed::{Deployed, deploy};
use super::person::Person;

const MESSAGES: u32 = 10;

const PATIENCE: Duration = Duration::from_mins(1);

fn client(chat: &Deployed) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(chat.local.endpoint())
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Client::from_conf(config.build())
}

/// The sum of a metric over all its series of this namespace.
async fn sum(client: &Client, namespace: &str, name: &str) -> f64 {
    let listed = client.list_metrics().namespace(namespace).metric_name(name);
    let listed = listed.send().await.unwrap();
    let queries = listed.metrics().iter().enumerate().map(|(n, metric)| {
        let stat = MetricStat::builder().metric(metric.clone());
        let stat = stat.period(60).stat("Sum").build();
        MetricDataQuery::builder()
            .id(format!("m{n}"))
            .metric_stat(stat)
            .build()
    });
    let queries: Vec<_> = queries.collect();
    if queries.is_empty() {
        return 0.0;
    }
    let now = jiff::Timestamp::now().as_second();
    let found = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(DateTime::from_secs(now - 3600))
        .end_time(DateTime::from_secs(now + 120))
        .send()
        .await
        .unwrap();
    let results = found.metric_data_results().iter();
    results.flat_map(MetricDataResult::values).sum()
}

async fn units(client: &Client) -> [f64; 2] {
    let of = |name| sum(client, "AWS/DynamoDB", name);
    [
        of("ConsumedWriteCapacityUnits").await,
        of("ConsumedReadCapacityUnits").await,
    ]
}

/// Until so many messages were answered by their function, which is when nothing more is written for them.
async fn answered(happenings: &mut Receiver<Happening>, messages: u32) {
    let mut left = messages;
    while left > 0 {
        let next = tokio::time::timeout(PATIENCE, happenings.recv()).await;
        let Happening::Event {
            route_key, error, ..
        } = next.unwrap().unwrap()
        else {
            continue;
        };
        assert_eq!(error, None, "{route_key}");
        left -= u32::from(route_key == "sendMessage");
    }
}

/// What a month of one person's messages takes beside connecting, for each message.
fn modelled(recipients: f64) -> [f64; 2] {
    let of = |messages: f64| {
        let traffic = Traffic {
            users: 1.0,
            messages_per_user_day: messages,
            recipients,
            hours_per_user_day: 1.0,
            message_bytes: 200.0,
            months_kept: 1.0,
            peak: 1.0,
        };
        estimate(&traffic, &Shape::reference(), &figures())
    };
    let amount = |estimate: &Estimate, what: &str| {
        let mut lines = estimate.lines.iter();
        lines
            .find(|line| line.what == what)
            .unwrap()
            .amount
            .unwrap()
            * 1e6
    };
    let (with, without) = (of(1000.0), of(0.0));
    let messages = 1000.0 * 43_800.0 / 1440.0;
    ["writes", "reads"].map(|what| (amount(&with, what) - amount(&without, what)) / messages)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_consumes_what_cost_says() {
    let chat = deploy(STACK, None).await;
    let client = client(&chat);
    let mut alice = Person::joins(&chat.url, "userId=alice&groupId=ward").await;
    let mut others = Vec::new();
    for name in ["bob", "eve"] {
        others.push(Person::joins(&chat.url, &format!("userId={name}&groupId=ward")).await);
    }
    for (kind, to, recipients) in [
        ("direct", json!({ "recipientId": "bob" }), 1.0),
        ("group", json!({ "groupId": "ward" }), 3.0),
    ] {
        let before = units(&client).await;
        let mut happenings = chat.local.watch();
        for n in 0..MESSAGES {
            alice.sends(&format!("{kind}-{n}"), to.clone()).await;
            answered(&mut happenings, 1).await;
        }
        let after = units(&client).await;
        let modelled = modelled(recipients);
        for (what, n) in [("writes", 0), ("reads", 1)] {
            let each = (after[n] - before[n]) / f64::from(MESSAGES);
            let off = (each - modelled[n]).abs();
            assert!(
                off < 1e-6,
                "{kind} {what}: {each} is consumed, {} is modelled",
                modelled[n]
            );
        }
    }
    // What the handlers count by themselves, in their log lines: each to one, then each to the three of the group.
    let delivered = sum(&client, "msgai", "Delivered").await;
    assert!(
        (delivered - f64::from(4 * MESSAGES)).abs() < 1e-9,
        "{delivered}"
    );
}
