//! What cannot be beaten: the same posts, unsigned, over as many connections as the handlers use, and nothing else.
//!
//! It is a function like the others, so that the same rules measure it: it reads an event, posts, answers.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const AT_ONCE: usize = 64;
const FRAME: &[u8] =
    br#"{"type":"message","data":{"groupId":"ward-3","message":"The round begins at nine."}}"#;

/// So begins such a message, in the text that an event carries.
const GROUP: &[u8] = br#"{\"action\":\"sendMessage\",\"groupId\""#;

type Sender = SendRequest<Full<Bytes>>;

/// Serves events for ever: `most` posts for each message to a group.
pub(crate) fn run(api: &str, most: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime.expect("a runtime"), async {
        let mut lambda = open(api).await;
        let mut pool = Vec::new();
        loop {
            let next = "/2018-06-01/runtime/invocation/next";
            let event = ask(&mut lambda, Method::GET, api, next, Bytes::new()).await;
            let to_group = event.windows(GROUP.len()).any(|part| part == GROUP);
            let posts = if to_group { most } else { 0 };
            while pool.len() < AT_ONCE.min(posts) {
                pool.push(open(api).await);
            }
            let each = posts.div_ceil(pool.len().max(1));
            let working: Vec<_> = pool
                .drain(..)
                .enumerate()
                .map(|(worker, mut sender)| {
                    let api = api.to_owned();
                    tokio::task::spawn_local(async move {
                        for post in (worker * each)..((worker + 1) * each).min(posts) {
                            let path = format!("/production/@connections/TXzPWdno{post:06}%3D");
                            ask(
                                &mut sender,
                                Method::POST,
                                &api,
                                &path,
                                Bytes::from_static(FRAME),
                            )
                            .await;
                        }
                        sender
                    })
                })
                .collect();
            for worker in working {
                pool.push(worker.await.expect("a worker"));
            }
            let done = Bytes::from_static(br#"{"statusCode":200}"#);
            ask(
                &mut lambda,
                Method::POST,
                api,
                "/2018-06-01/runtime/invocation/i/response",
                done,
            )
            .await;
        }
    });
}

async fn open(address: &str) -> Sender {
    let stream = TcpStream::connect(address).await.expect("a server");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::task::spawn_local(connection);
    sender
}

async fn ask(sender: &mut Sender, method: Method, host: &str, path: &str, body: Bytes) -> Bytes {
    sender.ready().await.expect("a connection");
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", host)
        .body(Full::new(body));
    let answer = sender
        .send_request(request.expect("a request"))
        .await
        .expect("an answer");
    assert!(matches!(
        answer.status(),
        StatusCode::OK | StatusCode::ACCEPTED
    ));
    answer
        .into_body()
        .collect()
        .await
        .expect("an answer")
        .to_bytes()
}
