//! What AWS says no to: a server that answers as STS and the others do, and knows nothing else.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::scratch::{Ran, Scratch};

/// `GetCallerIdentity` gets this status and document; everything else is denied.
fn serve(status: &'static str, identity: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().take(200).flatten() {
            thread::spawn(move || answer(stream, status, identity));
        }
    });
    format!("http://{address}")
}

fn answer(stream: TcpStream, status: &str, identity: &str) {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8_lossy(&body);
    let (status, kind, text) = if body.contains("Action=GetCallerIdentity") {
        (status, "text/xml", identity)
    } else if body.contains("Action=") {
        let text = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: someone \
                    is not authorized to perform: iam:GetRole</Message></Error></ErrorResponse>";
        ("403 Forbidden", "text/xml", text)
    } else {
        let text = r#"{"__type":"AccessDeniedException","message":"User: someone is not authorized to perform: any:Call on resource: all"}"#;
        ("403 Forbidden", "application/x-amz-json-1.1", text)
    };
    let response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nx-amzn-requestid: req-1\r\nx-amzn-errortype: \
         AccessDeniedException\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    // Who has hung up needs no answer.
    reader.into_inner().write_all(response.as_bytes()).ok();
}

fn diff(name: &str, endpoint: &str) -> Ran {
    let scratch = Scratch::new(name, Some("shop"));
    let mut command = scratch.msgai(&["diff", "--region", "eu-west-1", "--endpoint-url", endpoint]);
    command
        .env("AWS_ACCESS_KEY_ID", "testing")
        .env("AWS_SECRET_ACCESS_KEY", "testing");
    Ran::of(command)
}

#[test]
fn expired_credentials_are_named_with_the_way_out() {
    let endpoint = serve(
        "403 Forbidden",
        "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token included \
         in the request is expired</Message></Error><RequestId>req-1</RequestId></ErrorResponse>",
    );
    let ran = diff("expired", &endpoint);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(
        ran.err,
        "error: GetCallerIdentity of the caller: The security token included in the request is expired \
         (ExpiredToken, request req-1)\nhint: sign in (`aws sso login`, or set AWS_PROFILE), or use `--local` for \
         the local cloud\n"
    );
    assert_eq!(ran.out, "");
}

#[test]
fn a_denied_call_names_the_permission_that_is_missing() {
    let endpoint = serve(
        "200 OK",
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::111122223333:user/someone</Arn><UserId>A</UserId><Account>111122223333</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>",
    );
    let ran = diff("denied", &endpoint);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.err.contains("someone may not call "),
        "AWS's sentence is translated: {ran:?}"
    );
    assert!(ran.err.contains("\nhint: add "), "{ran:?}");
    assert_eq!(ran.err.matches("error:").count(), 1, "one error: {ran:?}");
    assert_eq!(ran.out, "");
}
