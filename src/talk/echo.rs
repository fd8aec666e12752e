//! A server for tests: it does to its clients what they ask for in JSON.
//!
//! `{"say":[…]}` sends each back, `{"to":NAME,"say":[…]}` to the connection whose query has `userId=NAME`,
//! `{"close":CODE}` closes, `{"cut":true}` drops the connection, anything else comes back as it is.
//! `?refuse=STATUS` refuses the handshake, `?protocol=NAME` answers with that sub-protocol.

#![expect(
    clippy::result_large_err,
    reason = "the signature that tungstenite asks for"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

type Inboxes = RefCell<BTreeMap<String, UnboundedSender<String>>>;

/// Runs the talk against a server on a free port; both end with the talk.
pub(super) async fn with_server<T>(talk: impl AsyncFnOnce(String) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/production", listener.local_addr().unwrap());
    tokio::select! {
        () = serve(&listener) => unreachable!("a server serves"),
        result = talk(url) => result,
    }
}

async fn serve(listener: &TcpListener) {
    let inboxes = Inboxes::default();
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => connections.push(connection(accepted.unwrap().0, &inboxes)),
            Some(()) = connections.next() => {}
        }
    }
}

async fn connection(stream: TcpStream, inboxes: &Inboxes) {
    let mut query = BTreeMap::new();
    let accepted = accept_hdr_async(stream, |request: &Request, response| {
        answer(request, response, &mut query)
    })
    .await;
    let Ok(mut socket) = accepted else { return };
    let (sender, mut inbox) = unbounded_channel();
    if let Some(name) = query.get("userId") {
        inboxes.borrow_mut().insert(name.clone(), sender.clone());
    }
    loop {
        tokio::select! {
            // What is to be said is said before the next wish, which may be a goodbye.
            biased;
            Some(text) = inbox.recv() => {
                if socket.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => match obey(text.as_str(), &sender, inboxes) {
                    Wish::Go => {}
                    Wish::Close(code) => {
                        let frame = CloseFrame { code: code.into(), reason: "as asked".into() };
                        socket.close(Some(frame)).await.unwrap();
                    }
                    Wish::Cut => return,
                },
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }
}

enum Wish {
    Go,
    Close(u16),
    Cut,
}

fn obey(text: &str, own: &UnboundedSender<String>, inboxes: &Inboxes) -> Wish {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(code) = value["close"].as_u64() {
        return Wish::Close(u16::try_from(code).unwrap());
    }
    if value["cut"] == true {
        return Wish::Cut;
    }
    let inboxes = inboxes.borrow();
    let inbox = value["to"]
        .as_str()
        .map_or(Some(own), |name| inboxes.get(name));
    let says = value["say"].as_array().map_or_else(
        || vec![text.to_owned()],
        |says| {
            says.iter()
                .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
                .collect()
        },
    );
    for one in says {
        // Who is gone hears nothing.
        inbox.map(|inbox| inbox.send(one).ok());
    }
    Wish::Go
}

#[expect(
    clippy::result_large_err,
    reason = "the signature that tungstenite asks for"
)]
fn answer(
    request: &Request,
    mut response: Response,
    query: &mut BTreeMap<String, String>,
) -> Result<Response, ErrorResponse> {
    let pairs = request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    query.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if let Some(status) = query.get("refuse") {
        let mut refusal = ErrorResponse::new(Some(r#"{"message":"as asked"}"#.to_owned()));
        *refusal.status_mut() = status.parse().unwrap();
        return Err(refusal);
    }
    if let Some(protocol) = query.get("protocol") {
        response
            .headers_mut()
            .insert("sec-websocket-protocol", protocol.parse().unwrap());
    }
    Ok(response)
}
