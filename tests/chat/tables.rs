//! The tables of a deployed stack, through the SDK.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};

use super::deployed::Deployed;

pub(crate) type Item = BTreeMap<String, AttributeValue>;

fn client(chat: &Deployed) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(chat.local.endpoint())
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Client::from_conf(config.build())
}

/// Everything in a small table, in the order of its key.
pub(crate) async fn items(chat: &Deployed, table: &str) -> Vec<Item> {
    let page = client(chat).scan().table_name(table).send().await.unwrap();
    assert!(page.last_evaluated_key().is_none(), "a small table");
    let mut items: Vec<Item> = page
        .items()
        .iter()
        .map(|item| item.clone().into_iter().collect())
        .collect();
    items.sort_by_key(|item| format!("{item:?}"));
    items
}

pub(crate) async fn put(chat: &Deployed, table: &str, item: Item) {
    let put = client(chat).put_item().table_name(table);
    put.set_item(Some(item.into_iter().collect()))
        .send()
        .await
        .unwrap();
}

/// The same for many.
pub(crate) async fn put_all(chat: &Deployed, table: &str, items: Vec<Item>) {
    let client = client(chat);
    for batch in items.chunks(25) {
        let put = |item: &Item| {
            let put = PutRequest::builder().set_item(Some(item.clone().into_iter().collect()));
            let request = WriteRequest::builder();
            request.put_request(put.build().unwrap()).build()
        };
        let batch = batch.iter().map(put).collect();
        let write = client.batch_write_item().request_items(table, batch);
        let left = write.send().await.unwrap().unprocessed_items;
        assert!(left.is_none_or(|left| left.is_empty()));
    }
}

/// A text attribute.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name].as_s().unwrap()
}
