//! Ordinary SDK clients of a local cloud: the hand that makes foreign objects, changes ours, and looks.

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Sdk {
    pub(crate) apigateway: aws_sdk_apigatewayv2::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    endpoint: String,
}

/// No TLS, no retries, any key.
macro_rules! client {
    ($service:ident, $endpoint:expr, $http:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version($service::config::BehaviorVersion::v2026_01_12())
                .region($service::config::Region::new("us-east-1"))
                .endpoint_url($endpoint)
                .credentials_provider($service::config::Credentials::new(
                    "key", "secret", None, None, "test",
                ))
                .retry_config($service::config::retry::RetryConfig::disabled())
                .http_client($http.clone())
                .build(),
        )
    };
}

pub(crate) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

impl Sdk {
    pub(crate) fn at(endpoint: &str) -> Self {
        let http = aws_smithy_http_client::Builder::new().build_http();
        Self::over(endpoint, http)
    }

    #[expect(clippy::needless_pass_by_value, reason = "as the clients take it")]
    pub(crate) fn over(endpoint: &str, http: SharedHttpClient) -> Self {
        Self {
            apigateway: client!(aws_sdk_apigatewayv2, endpoint, http),
            lambda: client!(aws_sdk_lambda, endpoint, http),
            dynamodb: client!(aws_sdk_dynamodb, endpoint, http),
            iam: client!(aws_sdk_iam, endpoint, http),
            logs: client!(aws_sdk_cloudwatchlogs, endpoint, http),
            endpoint: endpoint.to_owned(),
        }
    }

    pub(crate) async fn make_role(&self, name: &str, trust: &str) -> String {
        let role = self.iam.create_role().role_name(name);
        let made = role.assume_role_policy_document(trust).send().await;
        made.unwrap().role.unwrap().arn
    }

    /// Gives API Gateway a role for access logs, once for the account, as a person has to.
    pub(crate) async fn allow_access_logs(&self) {
        let trust = TRUST.replace("lambda.amazonaws.com", "apigateway.amazonaws.com");
        let role = self.make_role("api-gateway-logs", &trust).await;
        let policy = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";
        let attach = self.iam.attach_role_policy().role_name("api-gateway-logs");
        attach.policy_arn(policy).send().await.unwrap();
        self.set_account_role(&role).await;
    }

    /// The account belongs to the older API Gateway, for which there is no client here.
    async fn set_account_role(&self, role: &str) {
        let address = self.endpoint.trim_start_matches("http://");
        let body = format!(
            r#"{{"patchOperations":[{{"op":"replace","path":"/cloudwatchRoleArn","value":"{role}"}}]}}"#
        );
        let request = format!(
            "PATCH /account HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/apigateway/aws4_request, \
             SignedHeaders=host, Signature=00\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
