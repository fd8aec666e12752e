use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;

use super::stub::{Step, Stub};
use super::*;

const BOUNDS: Bounds = Bounds {
    bytes: 1024,
    time: Duration::from_secs(20),
};

fn plain() -> Http {
    Http::new(None)
}

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let stub = Stub::start(&[
        Step::Answer("200 OK", "one"),
        Step::Answer("404 Not Found", "two"),
    ]);
    let http = plain();
    let first = http.get(&stub.url(), BOUNDS).await.unwrap();
    assert_eq!(
        (first.status().as_u16(), &first.body()[..]),
        (200, &b"one"[..])
    );
    let second = http.get(&stub.url(), BOUNDS).await.unwrap();
    assert_eq!(
        (second.status().as_u16(), &second.body()[..]),
        (404, &b"two"[..])
    );
    assert!(stub.seen().iter().all(|seen| seen.connection == 0));
}

#[tokio::test]
async fn what_fails_says_how() {
    let stub = Stub::start(&[
        Step::End,
        Step::Silence,
        Step::Answer("200 OK", "0123456789"),
    ]);
    let http = plain();
    let broken = http.get(&stub.url(), BOUNDS).await.unwrap_err();
    assert!(matches!(broken, HttpError::Broken(_)), "{broken}");
    let short = Bounds {
        bytes: 9,
        time: Duration::from_millis(30),
    };
    let late = http.get(&stub.url(), short).await.unwrap_err();
    assert_eq!(late, HttpError::TimedOut(short.time));
    let short = Bounds {
        time: BOUNDS.time,
        ..short
    };
    let large = http.get(&stub.url(), short).await.unwrap_err();
    assert_eq!(large, HttpError::TooLarge(9));

    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let nobody = http.get(&format!("http://{closed}"), BOUNDS).await;
    let nobody = nobody.unwrap_err();
    assert!(matches!(nobody, HttpError::Unreachable(_)), "{nobody}");
    assert!(nobody.to_string().contains("refused"), "{nobody}");
    for wrong in ["", "/path", "127.0.0.1", "http://a b/"] {
        let error = http.get(wrong, BOUNDS).await.unwrap_err();
        assert!(matches!(error, HttpError::Invalid(_)), "{error}");
    }
}

/// A server that calls itself 127.0.0.1, and the certificate by which it says so.
fn tls(steps: &[Step]) -> (Stub, String) {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    (Stub::with_tls(steps, config), signed.cert.pem())
}

#[tokio::test]
async fn tls_believes_the_file_that_is_named_and_nobody_else() {
    let (stub, pem) = tls(&[
        Step::Answer("200 OK", "hush"),
        Step::Answer("200 OK", "hush"),
    ]);
    let url = format!("https://{}", stub.address);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();

    let http = Http::new(Some(file.path().to_owned()));
    let answer = http.get(&url, BOUNDS).await.unwrap();
    assert_eq!(&answer.body()[..], b"hush");
    http.get(&url, BOUNDS).await.unwrap();
    assert_eq!(stub.seen()[1].connection, 0);

    let stranger = plain().get(&url, BOUNDS).await.unwrap_err();
    assert!(matches!(stranger, HttpError::Unreachable(_)), "{stranger}");
    assert!(stranger.to_string().contains("certificate"), "{stranger}");
    assert_eq!(stub.seen().len(), 2);
}

#[tokio::test]
async fn a_file_without_certificates_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let empty = Http::new(Some(file.path().to_owned()));
    let missing = Http::new(Some("/no/such/file".into()));
    for (http, name) in [
        (empty, file.path().to_str().unwrap()),
        (missing, "/no/such/file"),
    ] {
        let error = http.get("https://127.0.0.1:1", BOUNDS).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("SSL_CERT_FILE") && text.contains(name),
            "{text}"
        );
    }
}
