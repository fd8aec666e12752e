use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls_pki_types::pem::PemObject as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{self as rustls_pki_types, CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;
use crate::local::tls::functions::lend;
use crate::local::{LocalCloud, Options};

/// Nothing here may take so long, whatever the machine.
const PATIENCE: Duration = Duration::from_secs(30);
const HOST: &str = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";

async fn cloud() -> LocalCloud {
    let options = Options {
        tls: true,
        ..Options::default()
    };
    LocalCloud::start(options).await.unwrap()
}

async fn dial(cloud: &LocalCloud) -> TcpStream {
    TcpStream::connect(cloud.address).await.unwrap()
}

/// Speaks TLS to whoever answers for `name`, trusting the cloud's authority alone.
async fn seal<S>(cloud: &LocalCloud, stream: S, name: &str) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(cloud.authority().unwrap()).unwrap();
    roots.add(authority).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// The status of a GET, and what else was said, until the other end hangs up.
async fn get<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, host: &str) -> String {
    let head = format!("GET /prod HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
    // The other end may hang up without TLS's own good-bye.
    drop(read.await.expect("an answer comes"));
    String::from_utf8(answer).unwrap()
}

/// Asks for a tunnel; the status line of the answer.
async fn connect(stream: &mut TcpStream, to: &str) -> String {
    let head = format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap();
    answer.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn one_port_speaks_both_and_a_silent_client_holds_up_nobody() {
    let cloud = cloud().await;
    let silent = dial(&cloud).await;
    let plain = get(dial(&cloud).await, "localhost").await;
    assert!(plain.starts_with("HTTP/1.1 426 "), "{plain}");
    for name in ["127.0.0.1", "localhost", "x.execute-api.localhost", HOST] {
        let sealed = seal(&cloud, dial(&cloud).await, name).await.unwrap();
        let answer = get(sealed, name).await;
        assert!(answer.starts_with("HTTP/1.1 426 "), "{name}: {answer}");
    }
    drop(silent);
}

#[tokio::test]
async fn no_other_name_is_certified() {
    let cloud = cloud().await;
    for name in ["example.com", "s3.us-east-1.amazonaws.com"] {
        let refused = seal(&cloud, dial(&cloud).await, name).await.unwrap_err();
        assert!(
            refused.to_string().contains("not valid for name"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_tunnel_to_a_served_host_ends_here() {
    let cloud = cloud().await;
    let mut stream = dial(&cloud).await;
    let answer = connect(&mut stream, &format!("{HOST}:443")).await;
    assert_eq!(answer, "HTTP/1.1 200 OK");
    let sealed = seal(&cloud, stream, HOST).await.unwrap();
    let answer = get(sealed, HOST).await;
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
}

#[tokio::test]
async fn a_tunnel_to_anywhere_else_goes_there() {
    let cloud = cloud().await;
    let elsewhere = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = elsewhere.local_addr().unwrap();
    let mut stream = dial(&cloud).await;
    let answer = connect(&mut stream, &address.to_string()).await;
    assert_eq!(answer, "HTTP/1.1 200 OK");
    let (mut other, _) = elsewhere.accept().await.unwrap();
    stream.write_all(b"ping").await.unwrap();
    let mut heard = [0; 4];
    other.read_exact(&mut heard).await.unwrap();
    other.write_all(b"pong").await.unwrap();
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"pong");
    drop(elsewhere);
    let answer = connect(&mut dial(&cloud).await, &address.to_string()).await;
    assert_eq!(answer, "HTTP/1.1 502 Bad Gateway");
}

#[tokio::test]
async fn without_tls_there_are_no_tunnels_and_no_hosts_of_aws() {
    let cloud = LocalCloud::start(Options::default()).await.unwrap();
    let answer = connect(&mut dial(&cloud).await, &format!("{HOST}:443")).await;
    assert_eq!(answer, "HTTP/1.1 403 Forbidden");
    let answer = get(dial(&cloud).await, HOST).await;
    assert!(answer.contains("is not this machine"), "{answer}");
}

#[tokio::test]
async fn a_socket_can_be_sealed() {
    let cloud = cloud().await;
    let stage = crate::local::testing::stage(&[]);
    cloud.world.sockets.serve(stage);
    let stream = seal(&cloud, dial(&cloud).await, "localhost").await.unwrap();
    let url = format!("wss://localhost/{}", crate::local::testing::STAGE);
    let (mut client, _): (WebSocketStream<_>, _) = client_async(url, stream).await.unwrap();
    client.send(Message::text("anybody?")).await.unwrap();
    let answer = client.next().await.unwrap().unwrap();
    assert!(answer.to_text().unwrap().contains("Forbidden"), "{answer}");
}

#[tokio::test]
async fn functions_are_lent_what_they_do_not_set() {
    let cloud = cloud().await;
    let tls = cloud.world.tls.get().unwrap();
    let own = [
        ("HTTPS_PROXY", "http://own:1"),
        ("NODE_OPTIONS", "--trace-exit"),
    ];
    let mut variables = own.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
    lend(tls, 4747, &mut variables);
    let value = |name: &str| {
        let mut all = variables.iter().filter(|(n, _)| n == name);
        let (_, value) = all.next().unwrap();
        assert!(all.next().is_none(), "{name} is said once");
        value.clone()
    };
    assert_eq!(value("HTTPS_PROXY"), "http://own:1");
    assert_eq!(value("https_proxy"), "http://127.0.0.1:4747");
    let options = value("NODE_OPTIONS");
    assert!(options.starts_with("--require \"/") && options.ends_with("\" --trace-exit"));
    let bundle = std::fs::read_to_string(value("SSL_CERT_FILE")).unwrap();
    let authority = std::fs::read_to_string(value("NODE_EXTRA_CA_CERTS")).unwrap();
    assert!(bundle.ends_with(&authority));
    assert_eq!(value("AWS_CA_BUNDLE"), value("REQUESTS_CA_BUNDLE"));
}
