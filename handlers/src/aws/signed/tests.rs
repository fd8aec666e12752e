use crate::aws::Aws;
use crate::broadcast::{Posted, Sockets as _};
use crate::call::Call;
use crate::env::Account;
use crate::http::stub::{Step, Stub};

use super::*;

fn aws(stub: &Stub) -> Aws {
    let account = Account::read(|name| {
        let value = match name {
            "AWS_REGION" => "eu-west-1".to_owned(),
            "AWS_ENDPOINT_URL" => stub.url(),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "AKIDEXAMPLE".to_owned(),
            _ => return None,
        };
        Some(value)
    });
    Aws::new(account.unwrap(), || std::time::SystemTime::UNIX_EPOCH)
}

/// Posts a frame to `c=`, and what it cost.
async fn post(steps: &[Step]) -> (Result<Posted, Fault>, Stub, usize) {
    let stub = Stub::start(steps);
    let aws = aws(&stub);
    let posted = aws.sockets(&stub.url()).post("c=", b"{}").await;
    let retried = aws.take_retried();
    assert_eq!(aws.take_retried(), 0);
    (posted, stub, retried)
}

/// The next invocation's requests are not the last one's, also where Lambda gives no trace.
#[tokio::test]
async fn a_request_is_part_of_its_invocations_trace() {
    let stub = Stub::start(&[Step::Answer("200 OK", ""), Step::Answer("200 OK", "")]);
    let aws = aws(&stub);
    let call = || Call::new(0, "id", Duration::from_secs(9));
    aws.begin(&call().traced(Some("Root=1-2-3;Sampled=0".to_owned())));
    let sockets = aws.sockets(&stub.url());
    assert_eq!(sockets.post("c=", b"{}").await, Ok(Posted::Taken));
    aws.begin(&call());
    assert_eq!(sockets.post("c=", b"{}").await, Ok(Posted::Taken));
    let seen = stub.seen();
    assert_eq!(seen[0].header(TRACE), Some("Root=1-2-3;Sampled=0"));
    assert_eq!(seen[1].header(TRACE), None);
}

#[tokio::test]
async fn a_frame_is_taken_or_the_connection_is_gone() {
    let (posted, stub, retried) = post(&[Step::Answer("200 OK", "")]).await;
    assert_eq!((posted, retried), (Ok(Posted::Taken), 0));
    let seen = &stub.seen()[0];
    assert!(
        seen.head.starts_with("POST /@connections/c%3D HTTP/1.1"),
        "{}",
        seen.head
    );
    assert_eq!(seen.body, "{}");
    let authorization = seen.header("authorization").unwrap();
    assert!(
        authorization.contains("/eu-west-1/execute-api/aws4_request"),
        "{authorization}"
    );

    let (posted, _, retried) = post(&[Step::Answer("410 Gone", "")]).await;
    assert_eq!((posted, retried), (Ok(Posted::Gone), 0));
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_counted() {
    let (posted, stub, retried) = post(&[
        Step::Answer("429 Too Many Requests", ""),
        Step::Answer("503 Service Unavailable", ""),
        Step::End,
        Step::Answer("200 OK", ""),
    ])
    .await;
    assert_eq!((posted, retried), (Ok(Posted::Taken), 3));
    assert!(stub.seen().iter().all(|seen| seen.body == "{}"));
}

/// As after an environment was frozen: the server has long ended what the pool still holds.
#[tokio::test]
async fn a_kept_connection_that_has_ended_costs_no_frame() {
    let stub = Stub::start(&[Step::AnswerAndEnd("200 OK", ""), Step::Answer("200 OK", "")]);
    let sockets = aws(&stub).sockets(&stub.url());
    assert_eq!(sockets.post("a", b"{}").await, Ok(Posted::Taken));
    assert_eq!(sockets.post("b", b"{}").await, Ok(Posted::Taken));
    let connections: Vec<_> = stub.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn tries_end() {
    let refused = Step::Answer(
        "429 Too Many Requests",
        "x-amzn-ErrorType: LimitExceededException\n\n",
    );
    let (posted, stub, retried) = post(&vec![refused; 6]).await;
    assert_eq!((stub.seen().len(), retried), (6, 5));
    let fault = posted.unwrap_err();
    assert!(
        matches!(&fault, Fault::Unavailable(text) if text.contains("429 LimitExceededException")),
        "{fault}"
    );
}

#[tokio::test]
async fn what_will_not_pass_is_told_with_code_and_request() {
    let (posted, _, retried) = post(&[Step::Answer(
        "403 Forbidden",
        "x-amzn-RequestId: r-1\nx-amzn-ErrorType: ForbiddenException:http://internal/\n\n{\"message\":\"no\"}",
    )])
    .await;
    assert_eq!(retried, 0);
    assert_eq!(
        posted,
        Err(Fault::Unavailable(
            "PostToConnection of c=: 403 ForbiddenException: no (request r-1)".into()
        ))
    );
    let (posted, ..) = post(&[Step::Answer(
        "413 Payload Too Large",
        "x-amz-apigw-id: g-1\n\n{\"__type\":\"com.amazonaws#PayloadTooLargeException\",\"Message\":\"big\"}",
    )])
    .await;
    assert_eq!(
        posted,
        Err(Fault::Invalid(
            "PostToConnection of c=: 413 PayloadTooLargeException: big (request g-1)".into()
        ))
    );
    let (posted, ..) = post(&[Step::Answer("400 Bad Request", "<html>")]).await;
    let text = posted.unwrap_err().to_string();
    assert!(
        text.contains("400 unknown error: no message (request none)"),
        "{text}"
    );
}

#[tokio::test]
async fn a_function_is_called_and_not_waited_for() {
    let stub = Stub::start(&[
        Step::Answer("500 Internal Server Error", ""),
        Step::Answer("202 Accepted", ""),
        Step::Answer(
            "404 Not Found",
            "x-amzn-ErrorType: ResourceNotFoundException\n\n{\"Message\":\"no such function\"}",
        ),
    ]);
    let aws = aws(&stub);
    aws.invoke("chat-deliver:live", b"{}".to_vec())
        .await
        .unwrap();
    assert_eq!(aws.take_retried(), 1);
    let seen = &stub.seen()[1];
    assert!(
        seen.head
            .starts_with("POST /2015-03-31/functions/chat-deliver%3Alive/invocations "),
        "{}",
        seen.head
    );
    assert_eq!(seen.header("x-amz-invocation-type"), Some("Event"));
    assert!(
        seen.header("authorization")
            .unwrap()
            .contains("/lambda/aws4_request")
    );

    let fault = aws.invoke("nobody", b"{}".to_vec()).await.unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("Invoke of nobody: 404 ResourceNotFoundException: no such function"),
        "{fault}"
    );
    let large = aws
        .invoke("f", vec![b' '; crate::aws::EVENT_BYTES + 1])
        .await;
    assert!(matches!(large, Err(Fault::Invalid(_))));
    assert_eq!(stub.seen().len(), 3);
}

#[test]
fn pauses_grow_to_a_bound_and_are_spread() {
    assert_eq!(pause(0, 0.5), FIRST_PAUSE / 2);
    assert_eq!(pause(1, 1.0), FIRST_PAUSE * 2);
    assert_eq!(pause(u32::MAX, 1.0), LONGEST_PAUSE);
    assert_eq!(pause(3, 0.0), Duration::ZERO);
}
