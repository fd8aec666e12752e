use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::echo::with_server;
use super::*;

async fn connect(url: &str) -> Result<Client, ConnectError> {
    Client::connect(url, &[], &[]).await
}

/// Answers one connection with these bytes and hangs up.
async fn answering(bytes: &[u8], talk: impl AsyncFnOnce(String)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
    };
    tokio::join!(serve, talk(address));
}

#[tokio::test]
async fn what_is_said_comes_back_and_a_goodbye_is_answered() {
    with_server(async |url| {
        let mut client = connect(&url).await.unwrap();
        client.send("hello").await.unwrap();
        client.send("again").await.unwrap();
        client.leave().await.unwrap();
        assert_eq!(client.next().await, Frame::Text("hello".to_owned()));
        assert_eq!(client.next().await, Frame::Text("again".to_owned()));
        let closed = Closed::new(1000, "");
        assert_eq!(client.next().await, Frame::Closed(closed.clone()));
        assert_eq!(client.next().await, Frame::Closed(closed.clone()));
        assert_eq!(client.send("more").await, Err(TalkError::Closed(closed)));
    })
    .await;
}

#[tokio::test]
async fn the_servers_code_and_reason_are_kept() {
    with_server(async |url| {
        let mut client = connect(&url).await.unwrap();
        client.send(r#"{"close":1001}"#).await.unwrap();
        let Frame::Closed(closed) = client.next().await else { panic!("not closed") };
        assert_eq!(closed, Closed::new(1001, "as asked"));
        let text = "1001 (going away: idle for 10 minutes, open for 2 hours, or the stage is gone): as asked";
        assert_eq!(closed.to_string(), text);
        assert!(!closed.is_answer());
    })
    .await;
}

#[tokio::test]
async fn a_cut_is_told_from_a_close() {
    with_server(async |url| {
        let mut client = connect(&url).await.unwrap();
        client.send(r#"{"cut":true}"#).await.unwrap();
        assert_eq!(client.next().await, Frame::Closed(Closed::new(1006, "")));
    })
    .await;
}

#[tokio::test]
async fn a_refusal_has_its_status_body_and_meaning() {
    with_server(async |url| {
        let error = connect(&format!("{url}?refuse=403")).await.unwrap_err();
        let body = r#"{"message":"as asked"}"#.to_owned();
        assert_eq!(error, ConnectError::Refused { status: 403, body });
        let text = error.to_string();
        assert!(
            text.starts_with("the handshake was refused with 403: the authorizer or the $connect"),
            "{text}"
        );
        assert!(
            text.ends_with(r#"the answer says {"message":"as asked"}"#),
            "{text}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_subprotocol_must_be_answered_with_an_offered_one() {
    with_server(async |url| {
        let offered = ["bearer".to_owned(), "secret-token".to_owned()];
        let client = Client::connect(&format!("{url}?protocol=bearer"), &offered, &[])
            .await
            .unwrap();
        assert_eq!(client.subprotocol(), Some("bearer"));

        let unanswered = Client::connect(&url, &offered, &[]).await.unwrap_err();
        let other = Client::connect(&format!("{url}?protocol=other"), &offered, &[])
            .await
            .unwrap_err();
        for error in [unanswered, other] {
            assert!(matches!(error, ConnectError::Subprotocol(_)), "{error:?}");
            assert!(!error.to_string().contains("secret-token"), "{error}");
        }
    })
    .await;
}

#[tokio::test]
async fn headers_reach_the_server() {
    let refusal = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "ws://{}/production?userId=alice",
        listener.local_addr().unwrap()
    );
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(refusal).await.unwrap();
        stream.shutdown().await.unwrap();
        String::from_utf8(request[..length].to_vec()).unwrap()
    };
    let headers = [("Authorization".to_owned(), "Bearer abc".to_owned())];
    let (request, error) = tokio::join!(serve, Client::connect(&url, &[], &headers));
    assert!(
        request.starts_with("GET /production?userId=alice HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request
            .to_lowercase()
            .contains("authorization: bearer abc\r\n"),
        "{request}"
    );
    assert_eq!(
        error.unwrap_err(),
        ConnectError::Refused {
            status: 401,
            body: String::new()
        }
    );
}

#[tokio::test]
async fn nobody_there_is_unreachable_and_no_token_is_repeated() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = connect(&format!("ws://{address}/production?token=secret"))
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn what_is_no_websocket_url_is_told_so() {
    for url in ["http://127.0.0.1:1/", "no url at all", "/production"] {
        let error = connect(url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Url(_)), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn tls_is_spoken_where_it_is_asked_for() {
    answering(b"this is no TLS", async |address| {
        let error = connect(&format!("wss://{address}/production"))
            .await
            .unwrap_err();
        assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
    })
    .await;
}
