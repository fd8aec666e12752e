//! The chat's tables and sockets on AWS, or on whatever `AWS_ENDPOINT_URL` names.
//!
//! In: credentials and region from the environment. Out: [`Connections`], [`crate::messages::Messages`] and [`Sockets`].
//! Never: a decision about the chat; a request for credentials to another service.

mod messages;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_apigatewaymanagement as management;
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use aws_sdk_dynamodb as dynamodb;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::broadcast::{Posted, Sockets};
use crate::connections::{Audience, Connection, Connections, Cursor, Page, Row};
use crate::env::{ConnectionsTable, MessagesTable};
use crate::fault::Fault;

pub use messages::AwsMessages;

/// The clients: made once, kept over invocations.
#[derive(Debug)]
pub struct Aws {
    config: SdkConfig,
    dynamodb: dynamodb::Client,
    management: Mutex<BTreeMap<String, management::Client>>,
}

impl Aws {
    /// Prepares the clients; the first call connects.
    pub async fn load(region: String) -> Self {
        let http = Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        // Lambda's credentials are in the environment; a chain that looks further only costs time.
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region))
            .credentials_provider(EnvironmentVariableCredentialsProvider::new())
            .http_client(http)
            .retry_config(retries())
            .timeout_config(timeouts())
            .load()
            .await;
        Self {
            dynamodb: dynamodb::Client::new(&config),
            management: Mutex::default(),
            config,
        }
    }

    pub fn connections<'a>(&'a self, table: &'a ConnectionsTable) -> AwsConnections<'a> {
        AwsConnections {
            client: &self.dynamodb,
            table,
        }
    }

    pub fn messages<'a>(&'a self, table: &'a MessagesTable) -> AwsMessages<'a> {
        AwsMessages {
            client: &self.dynamodb,
            table,
        }
    }

    /// The client of one endpoint; a function mostly sees one, a shared one a few.
    pub fn sockets(&self, endpoint: &str) -> AwsSockets {
        let mut clients = self
            .management
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(endpoint.to_owned()).or_insert_with(|| {
            let config = management::config::Builder::from(&self.config).endpoint_url(endpoint);
            management::Client::from_conf(config.build())
        });
        AwsSockets {
            client: client.clone(),
        }
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
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(2))
        .operation_timeout(Duration::from_secs(4))
        .build()
}

/// The Connections table in `DynamoDB`.
#[derive(Debug, Clone, Copy)]
pub struct AwsConnections<'a> {
    client: &'a dynamodb::Client,
    table: &'a ConnectionsTable,
}

impl AwsConnections<'_> {
    fn index(&self, audience: &Audience) -> Option<&String> {
        match audience {
            Audience::User(_) => self.table.by_user_id.as_ref(),
            Audience::Group(_) => self.table.by_group_id.as_ref(),
        }
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

impl Connections for AwsConnections<'_> {
    async fn put(&self, connection: &Connection) -> Result<(), Fault> {
        let request = self.client.put_item().table_name(&self.table.name);
        let request = request.set_item(Some(connection.to_item().into_iter().collect()));
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

    async fn delete(&self, connection_id: &str) -> Result<(), Fault> {
        let request = self.client.delete_item().table_name(&self.table.name);
        let request = request.key("connectionId", text(connection_id));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(fault("DeleteItem", &self.table.name, &error)),
        }
    }

    async fn prune(&self, connection_id: &str, found_under: &Audience) -> Result<(), Fault> {
        let request = self.client.delete_item().table_name(&self.table.name);
        let request = request
            .key("connectionId", text(connection_id))
            .condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", found_under.attribute())
            .expression_attribute_values(":owner", text(found_under.value()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // Somebody else was quicker.
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(fault("DeleteItem", &self.table.name, &error)),
            },
        }
    }

    fn can_find(&self, audience: &Audience) -> bool {
        self.index(audience).is_some()
    }

    async fn page(&self, audience: &Audience, after: Option<Cursor>) -> Result<Page, Fault> {
        let Some(index) = self.index(audience) else {
            let attribute = audience.attribute();
            return Err(Fault::Invalid(format!(
                "Query of {}: no index by {attribute} is named in the environment",
                self.table.name
            )));
        };
        let request = self.client.query().table_name(&self.table.name);
        let request = request
            .index_name(index)
            .key_condition_expression("#key = :key")
            .expression_attribute_names("#key", audience.attribute())
            .expression_attribute_values(":key", text(audience.value()))
            .set_exclusive_start_key(after.map(|key| key.into_iter().collect()));
        match request.send().await {
            Ok(output) => Ok(Page {
                rows: output.items().iter().filter_map(row).collect(),
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

/// An index that repeats only the keys has no `ttl`.
fn row<'a, M>(item: &'a M) -> Option<Row>
where
    &'a M: IntoIterator<Item = (&'a String, &'a AttributeValue)>,
{
    let mut connection_id = None;
    let mut ttl = None;
    for (name, value) in item {
        match name.as_str() {
            "connectionId" => connection_id = value.as_s().ok().cloned(),
            "ttl" => ttl = value.as_n().ok().and_then(|ttl| ttl.parse().ok()),
            _ => {}
        }
    }
    Some(Row {
        connection_id: connection_id?,
        ttl,
    })
}

/// The connections of one stage.
#[derive(Debug, Clone)]
pub struct AwsSockets {
    client: management::Client,
}

impl Sockets for AwsSockets {
    async fn post(&self, connection_id: &str, frame: &[u8]) -> Result<Posted, Fault> {
        let request = self.client.post_to_connection();
        let request = request.connection_id(connection_id).data(Blob::new(frame));
        match request.send().await {
            Ok(_) => Ok(Posted::Taken),
            Err(error) => match error.as_service_error() {
                Some(PostToConnectionError::GoneException(_)) => Ok(Posted::Gone),
                _ => Err(fault("PostToConnection", connection_id, &error)),
            },
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
