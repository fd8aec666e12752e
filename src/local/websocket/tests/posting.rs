//! `@connections`.

use super::*;

#[tokio::test]
async fn connections_can_be_written_to_looked_at_and_closed() {
    let (cloud, mut client, mut events) = leaving().await;
    let id = cloud.world.sockets.callers()[0].connection_id.clone();
    cloud.turn(5);
    assert_eq!(
        cloud.connection("POST", &id, "grüß".as_bytes()).await.body,
        b""
    );
    assert_eq!(text(&mut client).await, "grüß");
    let shown = cloud.connection("GET", &id, b"").await;
    assert_eq!(
        (shown.status, shown.json()),
        (
            200,
            json!({
                "connectedAt": "2023-11-14T22:13:20.000Z",
                "identity": { "sourceIp": "127.0.0.1" },
                "lastActiveAt": "2023-11-14T22:13:25.000Z",
            })
        )
    );
    assert_eq!(cloud.connection("DELETE", &id, b"").await.status, 204);
    for method in ["POST", "GET", "DELETE"] {
        assert_eq!(
            cloud.connection(method, &id, b"x").await.error(),
            (410, "GoneException")
        );
    }
    assert_eq!(
        closed(&mut client).await,
        (1000, "Connection Closed Normally".to_owned())
    );
    let reason = "Connection Closed Normally".to_owned();
    assert_eq!(left(&mut events).await, (1000, reason));
}

#[tokio::test]
async fn a_large_post_is_one_message_in_small_frames_and_one_byte_more_is_refused() {
    let (cloud, mut client, _events) = leaving().await;
    let id = cloud.world.sockets.callers()[0].connection_id.clone();
    let large = vec![b'x'; 128 * 1024];
    assert_eq!(cloud.connection("POST", &id, &large).await.status, 200);
    assert_eq!(text(&mut client).await.len(), 128 * 1024);
    let larger = vec![b'x'; 128 * 1024 + 1];
    let got = cloud.connection("POST", &id, &larger).await;
    assert_eq!(got.error(), (413, "PayloadTooLargeException"));
}

#[tokio::test]
async fn every_way_to_write_the_url_works_and_every_wrong_one_is_refused() {
    let (cloud, mut client, _events) = leaving().await;
    let id = cloud.world.sockets.callers()[0].connection_id.clone();
    let id = id.replace('=', "%3D");
    let signed = |service: &str, region: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=A/20231114/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    };
    let right = signed("execute-api", "us-east-1");
    let host = format!("{API}.execute-api.localhost:1");
    for (path, host) in [
        (
            format!("/_aws/execute-api/{API}/{STAGE}/@connections/{id}"),
            "localhost",
        ),
        (
            format!("/_aws/execute-api/{API}/{STAGE}/%40connections/{id}"),
            "localhost",
        ),
        (format!("/{STAGE}/@connections/{id}"), "localhost"),
        (format!("/{STAGE}/%40connections/{id}"), &host),
        (format!("/@connections/{id}"), &host),
    ] {
        let headers = [("authorization", right.as_str()), ("host", host)];
        let got = cloud.http("POST", &path, &headers, path.as_bytes()).await;
        assert_eq!(got.status, 200, "{path}");
        assert_eq!(text(&mut client).await, path);
    }
    let base = format!("/_aws/execute-api/{API}");
    let good = format!("{base}/{STAGE}/@connections/{id}");
    let other = cloud.routes(&[]);
    let mut other = crate::local::apigateway::Served {
        stage: "other".to_owned(),
        ..other
    };
    other.routes.clear();
    cloud.world.sockets.serve(other);
    for (path, sign, error) in [
        (
            good.clone(),
            String::new(),
            (403, "MissingAuthenticationTokenException"),
        ),
        (
            good.clone(),
            signed("lambda", "us-east-1"),
            (403, "InvalidSignatureException"),
        ),
        (
            good,
            signed("execute-api", "eu-west-1"),
            (403, "InvalidSignatureException"),
        ),
        (
            format!("{base}/nothing/@connections/{id}"),
            right.clone(),
            (403, "ForbiddenException"),
        ),
        (
            format!("{base}/other/@connections/{id}"),
            right.clone(),
            (410, "GoneException"),
        ),
        (
            format!("{base}/{STAGE}/@connections/AAAAAAAAAAAAAAA%3D"),
            right.clone(),
            (410, "GoneException"),
        ),
        (
            format!("{base}/{STAGE}/@connections/%21"),
            right.clone(),
            (400, "BadRequestException"),
        ),
        (
            format!("{base}/{STAGE}/connections/{id}"),
            right.clone(),
            (403, "ForbiddenException"),
        ),
    ] {
        let headers = [("authorization", sign.as_str())];
        let headers = if sign.is_empty() {
            &headers[..0]
        } else {
            &headers[..]
        };
        let got = cloud.http("POST", &path, headers, b"x").await;
        assert_eq!(got.error(), error, "{path}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_throttled_alone() {
    let (cloud, client, _events) = leaving().await;
    let slow = cloud.world.sockets.callers()[0].connection_id.clone();
    let mut quick = connect(&cloud).await;
    let callers = cloud.world.sockets.callers();
    let other = callers.iter().find(|c| c.connection_id != slow).unwrap();
    let large = vec![b'x'; 128 * 1024];
    let mut refused = None;
    for _ in 0..1000 {
        let got = cloud.connection("POST", &slow, &large).await;
        if got.status != 200 {
            refused = Some(got);
            break;
        }
    }
    let refused = refused.expect("its buffer is not endless");
    assert_eq!(refused.error(), (429, "LimitExceededException"));
    assert_eq!(
        cloud
            .connection("POST", &other.connection_id, b"hi")
            .await
            .status,
        200
    );
    assert_eq!(text(&mut quick).await, "hi");
    drop(client);
}
