//! `CONNECT`: functions reach AWS's hosts through this cloud, which answers for those that it serves itself.
//!
//! Everything else is passed on as it is: what a function says to the rest of the world is not ours to read.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::local::spawn;

/// The services of one Region that answer here, as their hosts begin.
pub(super) const SERVICES: [&str; 7] = [
    "apigateway",
    "dynamodb",
    "lambda",
    "logs",
    "streams.dynamodb",
    "sts",
    "tagging",
];

/// How long a host may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether this cloud answers for a host of AWS. Every Region's, so that a wrong one is refused here and not sent there.
pub(crate) fn serves(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let Some(name) = host.strip_suffix(".amazonaws.com") else {
        return false;
    };
    if matches!(name, "iam" | "sts") {
        return true;
    }
    match name.rsplit_once('.') {
        Some((service, _region)) => {
            SERVICES.contains(&service) || service.ends_with(".execute-api")
        }
        None => false,
    }
}

/// Answers a `CONNECT`, and carries what is said from then on.
pub(crate) async fn open(here: SocketAddr, mut request: Request) -> Response {
    let refuse = |text: String| (StatusCode::BAD_GATEWAY, text).into_response();
    let Some(authority) = request.uri().authority().cloned() else {
        return refuse("CONNECT names no host\n".to_owned());
    };
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return refuse("this connection cannot be a tunnel\n".to_owned());
    };
    let reached = tokio::time::timeout(
        PATIENCE,
        reach(here, authority.host(), authority.port_u16()),
    );
    let stream = match reached.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return refuse(format!("{authority} is not reached: {error}\n")),
        Err(_) => return refuse(format!("{authority} does not answer\n")),
    };
    let _detached: JoinHandle<()> = spawn(async move {
        // Either end may hang up at any time; then there is nobody to tell.
        drop(carry(upgrade, stream).await);
    });
    StatusCode::OK.into_response()
}

async fn reach(here: SocketAddr, host: &str, port: Option<u16>) -> io::Result<TcpStream> {
    if serves(host) {
        return TcpStream::connect(here).await;
    }
    let host = host.trim_matches(['[', ']']);
    TcpStream::connect((host, port.unwrap_or(443))).await
}

async fn carry(upgrade: OnUpgrade, mut stream: TcpStream) -> io::Result<()> {
    let upgraded = upgrade.await.map_err(io::Error::other)?;
    copy_bidirectional(&mut TokioIo::new(upgraded), &mut stream).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_served_hosts_of_aws_are_answered_for() {
        for (host, answers) in [
            ("a1b2c3.execute-api.us-east-1.amazonaws.com", true),
            ("A1B2C3.Execute-API.eu-west-1.amazonaws.com", true),
            ("dynamodb.us-east-1.amazonaws.com", true),
            ("streams.dynamodb.us-east-1.amazonaws.com", true),
            ("iam.amazonaws.com", true),
            ("s3.us-east-1.amazonaws.com", false),
            ("cognito-idp.us-east-1.amazonaws.com", false),
            ("execute-api.us-east-1.amazonaws.com", false),
            ("amazonaws.com", false),
            ("dynamodb.us-east-1.amazonaws.com.evil.example", false),
            ("example.com", false),
        ] {
            assert_eq!(serves(host), answers, "{host}");
        }
    }
}
