//! The SDK clients and the one way to call them: paced, retried by fault, every error sorted once.
//!
//! In: a target and credentials. Out: answers, or a [`CloudError`] that says what, of which, why.
//! Never: a decision about resources, a line of output.

pub(crate) mod account;
pub mod denial;
mod download;
pub mod fault;
mod formation;
pub(crate) mod lines;
mod make;
pub(crate) mod metrics;
pub mod pace;
pub mod simulate;
pub mod wait;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::sync::mpsc;

use crate::names::{Place, ResourceId};
pub use fault::{CloudError, Fault};
pub(crate) use formation::Part;
use pace::Pace;
use wait::Patience;

/// Where calls go, as the command line and the stack file say it.
#[derive(Debug, Clone, Default)]
pub struct Target {
    pub profile: Option<String>,
    /// The profile goes before credentials in the environment, as a flag does before a variable.
    pub profile_first: bool,
    pub region: Option<String>,
    pub endpoint: Option<String>,
    /// The embedded cloud: its own credentials, whatever the environment holds.
    pub local: bool,
}

/// A pause that a resource takes, and why; for whoever reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    pub id: ResourceId,
    pub on: String,
}

/// Who calls, and where that leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub place: Place,
    /// Of a user, a role's session or the account's root.
    pub arn: String,
}

/// All clients of one account and region.
#[derive(Clone)]
pub struct Cloud {
    inner: Arc<Inner>,
    watcher: Option<(ResourceId, mpsc::UnboundedSender<Note>)>,
}

struct Inner {
    apigateway: aws_sdk_apigatewayv2::Client,
    lambda: aws_sdk_lambda::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    iam: aws_sdk_iam::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    tagging: aws_sdk_resourcegroupstagging::Client,
    sts: aws_sdk_sts::Client,
    formation: aws_sdk_cloudformation::Client,
    pace: Pace,
    region: String,
}

impl Cloud {
    /// Makes the clients; no call yet.
    ///
    /// # Errors
    /// When no Region is named anywhere.
    pub async fn open(target: &Target) -> Result<Self, CloudError> {
        Self::open_over(target, network(target)).await
    }

    /// As [`Cloud::open`], over a client of the caller's own, such as one that stays within the process.
    ///
    /// # Errors
    /// When no Region is named anywhere.
    pub async fn open_over(target: &Target, http: SharedHttpClient) -> Result<Self, CloudError> {
        let config = config(target, http).await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(CloudError::no_region());
        };
        Ok(Self {
            inner: Arc::new(Inner {
                apigateway: aws_sdk_apigatewayv2::Client::new(&config),
                lambda: aws_sdk_lambda::Client::new(&config),
                dynamodb: aws_sdk_dynamodb::Client::new(&config),
                iam: aws_sdk_iam::Client::new(&config),
                logs: aws_sdk_cloudwatchlogs::Client::new(&config),
                cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
                tagging: aws_sdk_resourcegroupstagging::Client::new(&config),
                sts: aws_sdk_sts::Client::new(&config),
                formation: aws_sdk_cloudformation::Client::new(&config),
                pace: Pace::default(),
                region,
            }),
            watcher: None,
        })
    }

    /// Asks STS who we are: the account, the partition from the caller's ARN, and that ARN.
    pub async fn caller(&self) -> Result<Caller, CloudError> {
        let answer = self
            .call("GetCallerIdentity", "the caller", || {
                self.inner.sts.get_caller_identity().send()
            })
            .await?;
        let arn = answer.arn().unwrap_or_default();
        let partition = arn.split(':').nth(1).unwrap_or("aws");
        Ok(Caller {
            place: Place {
                partition: partition.to_owned(),
                region: self.inner.region.clone(),
                account: answer.account().unwrap_or_default().to_owned(),
            },
            arn: arn.to_owned(),
        })
    }

    /// The same clients, whose pauses are told to `sender` as `id`'s.
    #[must_use]
    pub fn watched(&self, id: &ResourceId, sender: &mpsc::UnboundedSender<Note>) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            watcher: Some((id.clone(), sender.clone())),
        }
    }

    pub fn region(&self) -> &str {
        &self.inner.region
    }

    pub(crate) fn apigateway(&self) -> &aws_sdk_apigatewayv2::Client {
        &self.inner.apigateway
    }

    pub(crate) fn lambda(&self) -> &aws_sdk_lambda::Client {
        &self.inner.lambda
    }

    pub(crate) fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        &self.inner.dynamodb
    }

    pub(crate) fn iam(&self) -> &aws_sdk_iam::Client {
        &self.inner.iam
    }

    pub(crate) fn logs(&self) -> &aws_sdk_cloudwatchlogs::Client {
        &self.inner.logs
    }

    pub(crate) fn cloudwatch(&self) -> &aws_sdk_cloudwatch::Client {
        &self.inner.cloudwatch
    }

    pub(crate) fn tagging(&self) -> &aws_sdk_resourcegroupstagging::Client {
        &self.inner.tagging
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.inner.pace
    }

    /// Calls until it is answered, refused for good, or patience ends. For calls that may be repeated.
    pub(crate) async fn call<T, E, F, A>(
        &self,
        operation: &'static str,
        subject: impl Display,
        send: F,
    ) -> Result<T, CloudError>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.repeat(operation, &subject.to_string(), |fault| fault, send)
            .await
    }

    /// As [`Cloud::call`], for a call on something that was made a moment ago: not everybody may know it yet.
    pub(crate) async fn call_on_new<T, E, F, A>(
        &self,
        operation: &'static str,
        subject: impl Display,
        send: F,
    ) -> Result<T, CloudError>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let seen_as = |fault| match fault {
            Fault::NotFound => Fault::NotReady,
            fault => fault,
        };
        self.repeat(operation, &subject.to_string(), seen_as, send)
            .await
    }

    /// As [`Cloud::call`], but an answer that may have been lost is not asked for again: it is [`Fault::Ambiguous`].
    async fn call_once<T, E, F, A>(
        &self,
        operation: &'static str,
        subject: impl Display,
        send: F,
    ) -> Result<T, CloudError>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let seen_as = |fault| match fault {
            Fault::Ambiguous => Fault::Other,
            fault => fault,
        };
        self.repeat(operation, &subject.to_string(), seen_as, send)
            .await
    }

    /// One try, whatever comes of it: for what can as well be done another time.
    pub(crate) async fn attempt<T, E, F, A>(
        &self,
        operation: &'static str,
        subject: impl Display,
        send: F,
    ) -> Result<T, CloudError>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.repeat(operation, &subject.to_string(), |_| Fault::Other, send)
            .await
    }

    /// `seen_as` says as what sort of fault one is waited for.
    async fn repeat<T, E, F, A>(
        &self,
        operation: &'static str,
        subject: &str,
        seen_as: impl Fn(Fault) -> Fault,
        send: F,
    ) -> Result<T, CloudError>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut patience = Patience::default();
        loop {
            // An SDK call's future is tens of kilobytes, and dozens are under way at once.
            let error = match Box::pin(send()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => CloudError::sort(operation, subject, &error),
            };
            let Some(pause) = patience.after(seen_as(error.fault)) else {
                return Err(error);
            };
            self.tell(|| format!("{operation}: {}", error.message));
            wait::pause(pause).await;
        }
    }

    /// Tells the watcher, if there is one, what is being waited for.
    pub(crate) fn tell(&self, on: impl FnOnce() -> String) {
        if let Some((id, sender)) = &self.watcher {
            // A reporter that has gone away wants no notes.
            sender
                .send(Note {
                    id: id.clone(),
                    on: on(),
                })
                .ok();
        }
    }
}

fn network(target: &Target) -> SharedHttpClient {
    if target
        .endpoint
        .as_deref()
        .is_some_and(|e| e.starts_with("http://"))
    {
        // Without TLS the root certificates are never read, which is most of a short command's time.
        aws_smithy_http_client::Builder::new().build_http()
    } else {
        aws_smithy_http_client::Builder::new()
            .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https()
    }
}

async fn config(target: &Target, http: SharedHttpClient) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_mins(1))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        // Retries are ours (`wait.rs`): by fault, with a budget in time, and seen by the reporter.
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    if let Some(profile) = &target.profile {
        loader = loader.profile_name(profile);
        if target.profile_first {
            // The chain would ask the environment first, and so deploy into another account than the one named.
            let region = target.region.clone().map(Region::new);
            let config = ProviderConfig::without_region()
                .with_http_client(http)
                .with_region(region);
            let provider = ProfileFileCredentialsProvider::builder()
                .profile_name(profile)
                .configure(&config);
            loader = loader.credentials_provider(provider.build());
        }
    }
    if let Some(region) = &target.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &target.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if target.local {
        loader = loader.test_credentials();
    }
    loader.load().await
}
