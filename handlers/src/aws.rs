//! The chat's tables and sockets on AWS, or on whatever `AWS_ENDPOINT_URL` names.
//!
//! In: credentials and region from the environment. Out: [`Connections`], [`crate::messages::Messages`] and [`crate::broadcast::Sockets`].
//! Never: a decision about the chat; a request for credentials to another service.

mod invoke;
mod messages;
mod path;
mod prune;
mod receipts;
mod signed;
mod sockets;
mod timeline;

pub use invoke::EVENT_BYTES;
pub use messages::AwsMessages;
pub use receipts::AwsReceipts;
pub use sockets::AwsSockets;

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb as dynamodb;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, IdentityCache, Region, StalledStreamProtectionConfig,
};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use crate::call::Call;
use crate::connections::{Audience, Connection, Connections, Cursor, IndexKey, Page, Row};
use crate::env::{Account, ConnectionsTable, MessagesTable};
use crate::fault::Fault;
use crate::http::sign::Signer;
use crate::http::{Bounds, Http};
use crate::shard::Shards;
use signed::Signed;

/// A function that cannot open its first connection in this time says so at its first call.
const WARM_WITHIN: Duration = Duration::from_millis(500);

/// The clients: made once, kept over invocations.
#[derive(Debug)]
pub struct Aws {
    http: Http,
    dynamodb: dynamodb::Client,
    /// Where `DynamoDB` is, without a path.
    tables: String,
    lambda: String,
    signed: Signed,
}

impl Aws {
    /// Prepares the clients; the first call connects, or [`Aws::warm`].
    pub fn new(account: Account, clock: fn() -> SystemTime) -> Self {
        let http = Http::new(account.roots.clone());
        let mut config = dynamodb::config::Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(account.region.clone()))
            // They are the environment's for as long as it lives: nothing to refresh or to remember.
            .credentials_provider(account.credentials.clone())
            .identity_cache(IdentityCache::no_cache())
            .http_client(http.clone())
            .retry_config(retries())
            .timeout_config(timeouts())
            // Answers arrive whole or not at all, within the attempt's time.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(account.dynamodb.clone());
        let tables = account.dynamodb_url();
        let lambda = account.lambda_url();
        let signer = Signer::new(account.credentials, account.region, clock);
        Self {
            dynamodb: dynamodb::Client::from_conf(config.build()),
            signed: Signed::new(http.clone(), signer),
            tables,
            lambda,
            http,
        }
    }

    /// Opens the connection that the first event would wait for, as long as init may take.
    ///
    /// Only where that costs something, which is TLS; and only tried: the first call meets the same fault and tells it.
    pub async fn warm(&self) {
        if self.tables.starts_with("https:") {
            let bounds = Bounds {
                bytes: 1024,
                time: WARM_WITHIN,
            };
            // DynamoDB answers `GET /` with a word about its health, and keeps the connection.
            let _healthy = self.http.get(&self.tables, bounds).await.is_ok();
        }
    }

    /// The client beneath, for what is not signed.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// From here on requests are this call's: an environment has one at a time.
    pub fn begin(&self, call: &Call) {
        self.signed.trace(call.trace.as_deref());
    }

    /// Requests that had to be sent again since this was asked last; the SDK counts its own.
    pub fn take_retried(&self) -> usize {
        self.signed.take_retried()
    }

    pub fn connections<'a>(&'a self, table: &'a ConnectionsTable) -> AwsConnections<'a> {
        AwsConnections {
            client: &self.dynamodb,
            table,
            in_batches: false,
        }
    }

    /// What workers write down, beside the connections.
    pub fn receipts<'a>(&'a self, table: &'a ConnectionsTable) -> AwsReceipts<'a> {
        AwsReceipts {
            client: &self.dynamodb,
            table: &table.name,
        }
    }

    pub fn messages<'a>(&'a self, table: &'a MessagesTable) -> AwsMessages<'a> {
        AwsMessages {
            client: &self.dynamodb,
            table,
        }
    }

    /// The connections behind one endpoint; they share the pool.
    pub fn sockets(&self, endpoint: &str) -> AwsSockets {
        AwsSockets::new(self.signed.clone(), endpoint, &self.lambda)
    }
}

/// Throttles and server faults, with growing jittered pauses. All of them fit into [`timeouts`].
fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(4)
        .with_initial_backoff(Duration::from_millis(50))
        .with_max_backoff(Duration::from_millis(500))
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(2))
        .operation_timeout(Duration::from_secs(4))
        .build()
}

/// One event of a message route, on AWS.
pub type Room<'a> = crate::room::Room<'a, AwsConnections<'a>, AwsSockets>;

/// The Connections table in `DynamoDB`.
#[derive(Debug, Clone, Copy)]
pub struct AwsConnections<'a> {
    client: &'a dynamodb::Client,
    table: &'a ConnectionsTable,
    in_batches: bool,
}

impl AwsConnections<'_> {
    /// Deletes rows by the batch, which has to be permitted.
    #[must_use]
    pub fn in_batches(self) -> Self {
        Self {
            in_batches: true,
            ..self
        }
    }

    fn index(&self, key: &IndexKey) -> Option<&String> {
        match key.attribute() {
            "userId" => self.table.by_user_id.as_ref(),
            _ => self.table.by_group_id.as_ref(),
        }
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

impl Connections for AwsConnections<'_> {
    async fn put(&self, connection: &Connection) -> Result<(), Fault> {
        let request = self.client.put_item().table_name(&self.table.name);
        let shards = self.table.shards.or(self.table.next_shards);
        let request = request.set_item(Some(connection.to_item(shards).into_iter().collect()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(fault("PutItem", &self.table.name, &error)),
        }
    }

    async fn get(&self, connection_id: &str) -> Result<Option<Connection>, Fault> {
        let request = self.client.get_item().table_name(&self.table.name);
        let request = request.key("connectionId", text(connection_id));
        match request.consistent_read(true).send().await {
            Ok(output) => Ok(output
                .item
                .and_then(|item| Connection::from_item(|name| item.get(name)))),
            Err(error) => Err(fault("GetItem", &self.table.name, &error)),
        }
    }

    async fn touch(&self, connection_id: &str, now: u64) -> Result<Option<Connection>, Fault> {
        let request = self.client.update_item().table_name(&self.table.name);
        let request = request
            .key("connectionId", text(connection_id))
            .update_expression("SET seenAt = :now")
            .condition_expression("attribute_exists(connectionId)")
            .expression_attribute_values(":now", AttributeValue::N(now.to_string()))
            .return_values(ReturnValue::AllNew);
        match request.send().await {
            Ok(output) => Ok(output
                .attributes
                .and_then(|row| Connection::from_item(|name| row.get(name)))),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(fault("UpdateItem", &self.table.name, &error)),
            },
        }
    }

    async fn delete(&self, connection_id: &str) -> Result<(), Fault> {
        let request = self.client.delete_item().table_name(&self.table.name);
        let request = request.key("connectionId", text(connection_id));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(fault("DeleteItem", &self.table.name, &error)),
        }
    }

    /// A batch has no conditions: who deletes by the batch leaves out what is young.
    async fn prune(&self, connection_ids: &[String], young: u64) -> Result<(), Fault> {
        let table = &self.table.name;
        if self.in_batches {
            prune::batch(self.client, table, connection_ids).await
        } else {
            prune::each(self.client, table, connection_ids, young).await
        }
    }

    fn can_find(&self, audience: &Audience) -> bool {
        self.index(&IndexKey::of(audience)).is_some()
    }

    fn shards(&self) -> Option<Shards> {
        self.table.shards
    }

    async fn page_of(
        &self,
        key: &IndexKey,
        after: Option<Cursor>,
        most: Option<usize>,
    ) -> Result<Page, Fault> {
        let Some(index) = self.index(key) else {
            let attribute = key.attribute();
            return Err(Fault::Invalid(format!(
                "Query of {}: no index by {attribute} is named in the environment",
                self.table.name
            )));
        };
        let request = self.client.query().table_name(&self.table.name);
        let request = request
            .index_name(index)
            .key_condition_expression("#key = :key")
            .expression_attribute_names("#key", key.attribute())
            .expression_attribute_values(":key", text(key.value()))
            .set_limit(most.and_then(|most| i32::try_from(most).ok()))
            .set_exclusive_start_key(after.map(|key| key.into_iter().collect()));
        match request.send().await {
            Ok(output) => Ok(Page {
                rows: output
                    .items()
                    .iter()
                    .filter_map(|item| Row::from_item(|name| item.get(name)))
                    .collect(),
                next: output.last_evaluated_key.map(Cursor::from_iter),
            }),
            Err(error) => Err(fault(
                "Query",
                &format!("{}/{index}", self.table.name),
                &error,
            )),
        }
    }
}

/// An SDK error in one line. Its own text is "service error"; what matters is inside.
fn fault<E, R>(call: &str, of: &str, error: &SdkError<E, R>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
    SdkError<E, R>: RequestId,
{
    let request = error.request_id().unwrap_or("none");
    match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("unknown error");
            let message = service.err().message().unwrap_or("no message");
            let text = format!("{call} of {of}: {code}: {message} (request {request})");
            match code {
                "ValidationException" => Fault::Invalid(text),
                _ => Fault::Unavailable(text),
            }
        }
        other => {
            let mut text = format!("{call} of {of}: {other}");
            let mut cause = other.source();
            while let Some(inner) = cause {
                text = format!("{text}: {inner}");
                cause = inner.source();
            }
            Fault::Unavailable(text)
        }
    }
}
