//! A file by its URL, such as the code of a function: no signature, no retry.

use std::time::Duration;

use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;

use super::{Cloud, CloudError, Fault};

/// The largest zip that Lambda unpacks is smaller.
const LIMIT: usize = 260 * 1024 * 1024;

const OPERATION: &str = "Download";

impl Cloud {
    /// What is at a URL. The URL is a key of its own, and so never part of an error.
    pub async fn download(&self, of: &str, url: &str) -> Result<Vec<u8>, CloudError> {
        let failed = |why: String| CloudError::of(OPERATION, of, Fault::Other, why);
        let request = HttpRequest::get(url).map_err(|_| failed("its URL is none".to_owned()))?;
        let answer = connector(url).call(request).await;
        let answer = answer.map_err(|error| {
            let why = if error.is_timeout() {
                "no answer in time"
            } else {
                "no connection"
            };
            failed(format!("{why} to {}", host(url)))
        })?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(failed(format!("{} answered {status}", host(url))));
        }
        let mut body = ByteStream::new(answer.into_body());
        let mut whole = Vec::new();
        while let Some(piece) = body.next().await {
            whole.extend(piece.map_err(|error| failed(format!("it broke off: {error}")))?);
            if whole.len() > LIMIT {
                return Err(failed(
                    "it is larger than any zip that Lambda takes".to_owned(),
                ));
            }
        }
        Ok(whole)
    }
}

fn connector(url: &str) -> Connector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_mins(1))
        .build();
    let builder: ConnectorBuilder = Connector::builder().connector_settings(settings);
    if url.starts_with("http://") {
        builder.build_http()
    } else {
        builder
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build()
    }
}

/// The part of a URL that may be shown.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn only_the_host_is_shown() {
        assert_eq!(
            host("https://s3.example.com/x?X-Amz-Signature=1"),
            "s3.example.com"
        );
        assert_eq!(host("http://127.0.0.1:1?x"), "127.0.0.1:1");
    }
}
