//! Clients that write one thing after the other, and remember what was acknowledged.

use std::sync::Mutex;

use aws_sdk_apigatewayv2::types::ProtocolType;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put,
    ScalarAttributeType, TransactWriteItem,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use futures_util::future::join_all;
use tokio::sync::watch;

use super::sdk::{Sdk, TRUST};
use super::served::handler;

const TABLE: &str = "kept";
const GROUP: &str = "/kept";
const STREAM: &str = "lines";
const FUNCTION: &str = "kept";

/// Each kind of state that the local cloud keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    Item,
    Transaction,
    Table,
    LogEvent,
    Role,
    Route,
    Setting,
    Version,
}

/// What was acknowledged: who wrote, and under which name it can be found.
#[derive(Debug, Clone)]
pub(crate) struct Ack {
    writer: Writer,
    name: String,
}

#[derive(Default)]
pub(crate) struct Kept {
    all: Mutex<Vec<Ack>>,
    count: watch::Sender<usize>,
}

impl Kept {
    pub(crate) fn count(&self) -> usize {
        *self.count.borrow()
    }

    pub(crate) fn of(&self, writer: Writer) -> usize {
        let all = self.all.lock().unwrap();
        all.iter().filter(|ack| ack.writer == writer).count()
    }

    pub(crate) async fn reaches(&self, count: usize) {
        let mut now = self.count.subscribe();
        now.wait_for(|now| *now >= count).await.unwrap();
    }

    fn add(&self, writer: Writer, name: String) {
        self.all.lock().unwrap().push(Ack { writer, name });
        self.count.send_modify(|count| *count += 1);
    }
}

/// What the writers write into.
pub(crate) async fn prepare(sdk: &Sdk) {
    make_table(sdk, TABLE).await.unwrap();
    let group = sdk.logs.create_log_group().log_group_name(GROUP);
    group.send().await.unwrap();
    let stream = sdk.logs.create_log_stream().log_group_name(GROUP);
    stream.log_stream_name(STREAM).send().await.unwrap();
    let role = sdk.make_role("kept", TRUST).await;
    let code = FunctionCode::builder().zip_file(Blob::new(handler()));
    let function = sdk.lambda.create_function().function_name(FUNCTION);
    let function = function
        .role(role)
        .code(code.build())
        .handler("index.handler");
    let made = function.runtime(Runtime::Nodejs22x).send().await;
    made.unwrap();
    let api = sdk.apigateway.create_api().name("kept");
    let api = api.protocol_type(ProtocolType::Websocket);
    let made = api
        .route_selection_expression("$request.body.action")
        .send();
    made.await.unwrap();
}

async fn make_table(sdk: &Sdk, name: &str) -> Result<(), String> {
    let attribute = AttributeDefinition::builder().attribute_name("id");
    let attribute = attribute.attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("id");
    let table = sdk.dynamodb.create_table().table_name(name);
    table
        .attribute_definitions(attribute.build().unwrap())
        .key_schema(key.key_type(KeyType::Hash).build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .map(drop)
        .map_err(|e| format!("{e:?}"))
}

async fn api(sdk: &Sdk) -> String {
    let apis = sdk.apigateway.get_apis().send().await.unwrap();
    let mut apis = apis.items.unwrap().into_iter();
    let kept = apis.find(|api| api.name() == Some("kept")).unwrap();
    kept.api_id.unwrap()
}

fn item(id: &str) -> AttributeValue {
    AttributeValue::S(id.to_owned())
}

impl Writer {
    pub(crate) const ALL: [Self; 8] = [
        Self::Item,
        Self::Transaction,
        Self::Table,
        Self::LogEvent,
        Self::Role,
        Self::Route,
        Self::Setting,
        Self::Version,
    ];

    /// Writes until the cloud is gone.
    pub(crate) async fn until_it_fails(self, sdk: &Sdk, kept: &Kept, round: usize) {
        // API Gateway has room for 300 routes, and the killer comes sooner.
        for i in 0..10_000 {
            match self.write(sdk, &format!("{self:?}-{round}-{i}")).await {
                Ok(name) => kept.add(self, name),
                Err(_) => return,
            }
        }
        panic!("{self:?} was never stopped");
    }

    /// One write; the name under which it can be found once it is acknowledged.
    async fn write(self, sdk: &Sdk, name: &str) -> Result<String, String> {
        let done = name.to_owned();
        match self {
            Self::Item => {
                let put = sdk.dynamodb.put_item().table_name(TABLE);
                let put = put.item("id", item(name)).send().await;
                put.map(|_| done).map_err(|e| format!("{e:?}"))
            }
            Self::Transaction => {
                let put = |part: &str| {
                    let put = Put::builder().table_name(TABLE);
                    let put = put.item("id", item(&format!("{name}-{part}")));
                    let put = put.build().unwrap();
                    TransactWriteItem::builder().put(put).build()
                };
                let both = sdk.dynamodb.transact_write_items();
                let both = both.transact_items(put("a")).transact_items(put("b"));
                let both = both.send().await;
                both.map(|_| done).map_err(|e| format!("{e:?}"))
            }
            Self::Table => make_table(sdk, name).await.map(|()| done),
            Self::LogEvent => {
                let now = jiff::Timestamp::now().as_millisecond();
                let event = InputLogEvent::builder().timestamp(now).message(name);
                let put = sdk.logs.put_log_events().log_group_name(GROUP);
                let put = put.log_stream_name(STREAM);
                let put = put.log_events(event.build().unwrap()).send().await;
                put.map(|_| done).map_err(|e| format!("{e:?}"))
            }
            Self::Role => {
                let role = sdk.iam.create_role().role_name(name);
                let role = role.assume_role_policy_document(TRUST).send().await;
                role.map(|_| done).map_err(|e| format!("{e:?}"))
            }
            Self::Route => {
                let apis = sdk.apigateway.get_apis().send().await;
                let apis = apis.map_err(|e| format!("{e:?}"))?.items.unwrap();
                let kept = apis.iter().find(|api| api.name() == Some("kept"));
                let route = sdk.apigateway.create_route().route_key(name);
                let route = route.set_api_id(kept.unwrap().api_id.clone()).send().await;
                route
                    .map(|route| route.route_id.unwrap())
                    .map_err(|e| format!("{e:?}"))
            }
            Self::Setting => {
                let settings = sdk.lambda.tag_resource();
                let settings = settings
                    .resource(format!(
                        "arn:aws:lambda:us-east-1:000000000000:function:{FUNCTION}"
                    ))
                    .tags("newest", name);
                let settings = settings.send().await;
                settings.map(|_| done).map_err(|e| format!("{e:?}"))
            }
            Self::Version => {
                let update = sdk.lambda.update_function_configuration();
                let update = update.function_name(FUNCTION).description(name);
                update.send().await.map_err(|e| format!("{e:?}"))?;
                let publish = sdk.lambda.publish_version().function_name(FUNCTION);
                let published = publish.send().await;
                published
                    .map(|version| version.version.unwrap())
                    .map_err(|e| format!("{e:?}"))
            }
        }
    }
}

/// What was acknowledged and is not there.
pub(crate) async fn missing(sdk: &Sdk, kept: &Kept) -> Vec<Ack> {
    let all = kept.all.lock().unwrap().clone();
    if all.is_empty() {
        return all;
    }
    let events = sdk.logs.filter_log_events().log_group_name(GROUP);
    let events = events.limit(10_000).send().await.unwrap();
    let lines: Vec<&str> = events.events().iter().filter_map(|e| e.message()).collect();
    let api = api(sdk).await;
    let newest = all.iter().rfind(|ack| ack.writer == Writer::Setting);
    let newest = newest.map(|ack| ack.name.clone());
    let there = join_all(all.iter().map(|ack| async {
        match ack.writer {
            Writer::Item => has_item(sdk, &ack.name).await,
            Writer::Transaction => {
                has_item(sdk, &format!("{}-a", ack.name)).await
                    && has_item(sdk, &format!("{}-b", ack.name)).await
            }
            Writer::Table => {
                let table = sdk.dynamodb.describe_table().table_name(&ack.name);
                table.send().await.is_ok()
            }
            Writer::LogEvent => lines.contains(&ack.name.as_str()),
            Writer::Role => {
                let role = sdk.iam.get_role().role_name(&ack.name);
                role.send().await.is_ok()
            }
            Writer::Route => {
                let route = sdk.apigateway.get_route().api_id(&api);
                route.route_id(&ack.name).send().await.is_ok()
            }
            Writer::Setting => {
                // Only the newest can be there; one that was never acknowledged may have come after it.
                Some(&ack.name) != newest.as_ref() || is_at_least(sdk, &ack.name).await
            }
            Writer::Version => {
                let version = sdk.lambda.get_function_configuration();
                let version = version.function_name(FUNCTION).qualifier(&ack.name);
                version.send().await.is_ok()
            }
        }
    }))
    .await;
    let lost = all.into_iter().zip(there).filter(|(_, there)| !there);
    lost.map(|(ack, _)| ack).collect()
}

async fn has_item(sdk: &Sdk, id: &str) -> bool {
    let get = sdk.dynamodb.get_item().table_name(TABLE);
    let got = get.key("id", item(id)).send().await.unwrap();
    got.item.is_some()
}

/// Whether the function's tag is the acknowledged one, or the one after it.
async fn is_at_least(sdk: &Sdk, name: &str) -> bool {
    let tags = sdk.lambda.list_tags();
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{FUNCTION}");
    let tags = tags.resource(arn).send().await.unwrap().tags.unwrap();
    let (head, number) = name.rsplit_once('-').unwrap();
    let next = number.parse::<usize>().unwrap() + 1;
    tags["newest"] == name || tags["newest"] == format!("{head}-{next}")
}
