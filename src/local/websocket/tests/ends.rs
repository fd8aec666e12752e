//! How connections end, and what `$disconnect` is told.

use super::*;

#[tokio::test]
async fn the_clients_own_close_is_reported() {
    let (cloud, mut client, mut events) = leaving().await;
    let frame = CloseFrame {
        code: CloseCode::Library(4001),
        reason: "bye".into(),
    };
    client.close(Some(frame)).await.unwrap();
    assert_eq!(left(&mut events).await, (4001, "bye".to_owned()));
    assert!(cloud.world.sockets.callers().is_empty());
}

#[tokio::test]
async fn a_close_without_a_status_is_1005() {
    let (_cloud, mut client, mut events) = leaving().await;
    client.close(None).await.unwrap();
    let reason = "Client-side close frame status not set".to_owned();
    assert_eq!(left(&mut events).await, (1005, reason));
}

#[tokio::test]
async fn a_client_that_vanishes_is_1006() {
    let (_cloud, client, mut events) = leaving().await;
    drop(client);
    assert_eq!(left(&mut events).await, (1006, String::new()));
}

#[tokio::test]
async fn a_binary_frame_closes_with_1003() {
    let (_cloud, mut client, mut events) = leaving().await;
    client.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(closed(&mut client).await.0, 1003);
    assert_eq!(left(&mut events).await.0, 1003);
}

#[tokio::test]
async fn a_message_of_128_kb_is_taken_and_one_byte_more_is_not() {
    let (cloud, mut client, mut events) = leaving().await;
    let mut rest = cloud.recorder("rest", ok()).await;
    cloud.routes(&[("$default", "rest"), ("$disconnect", "disconnect")]);
    pieces(&mut client, 128 * 1024).await;
    assert_eq!(
        event(&mut rest).await["body"].as_str().unwrap().len(),
        128 * 1024
    );
    pieces(&mut client, 128 * 1024 + 1).await;
    assert_eq!(closed(&mut client).await.0, 1009);
    assert_eq!(left(&mut events).await.0, 1009);
}

#[tokio::test]
async fn a_frame_over_32_kb_is_not_taken() {
    let (_cloud, mut client, mut events) = leaving().await;
    client
        .send(Message::text("x".repeat(32 * 1024 + 1)))
        .await
        .unwrap();
    assert_eq!(closed(&mut client).await.0, 1009);
    assert_eq!(left(&mut events).await.0, 1009);
}

#[tokio::test]
async fn ten_idle_minutes_end_a_connection() {
    let (cloud, mut client, mut events) = leaving().await;
    let away = (1001, "Going away".to_owned());
    cloud.turn(599);
    let id = cloud.world.sockets.callers()[0].connection_id.clone();
    // Data in either direction counts, and so does a ping.
    assert_eq!(
        cloud.connection("POST", &id, b"still there?").await.status,
        200
    );
    assert_eq!(text(&mut client).await, "still there?");
    cloud.turn(599);
    client.send(Message::Ping(Vec::new().into())).await.unwrap();
    assert!(matches!(next(&mut client).await, Message::Pong(_)));
    cloud.turn(599);
    assert_eq!(cloud.connection("GET", &id, b"").await.status, 200);
    cloud.turn(1);
    assert_eq!(closed(&mut client).await, away);
    assert_eq!(left(&mut events).await, (1001, away.1));
}

#[tokio::test]
async fn two_hours_end_a_connection_however_busy() {
    let (cloud, mut client, mut events) = leaving().await;
    for _ in 0..12 {
        cloud.turn(599);
        client.send(Message::Ping(Vec::new().into())).await.unwrap();
        assert!(matches!(next(&mut client).await, Message::Pong(_)));
    }
    cloud.turn(7200 - 12 * 599);
    assert_eq!(closed(&mut client).await, (1001, "Going away".to_owned()));
    assert_eq!(left(&mut events).await.0, 1001);
}

#[tokio::test]
async fn a_deleted_stage_or_api_closes_its_sockets() {
    let (cloud, mut client, _events) = leaving().await;
    cloud.world.sockets.close_stage(API, "other");
    cloud.world.sockets.close_api("other");
    cloud.world.sockets.close_stage(API, STAGE);
    assert_eq!(closed(&mut client).await.0, 1001);
    let mut client = connect(&cloud).await;
    cloud.world.sockets.close_api(API);
    assert_eq!(closed(&mut client).await.0, 1001);
}

#[tokio::test]
async fn a_refused_client_is_no_disconnect() {
    let cloud = Cloud::still().await;
    let _events = cloud
        .recorder("connect", Ok(json!({ "statusCode": 401 })))
        .await;
    let mut gone = cloud.recorder("disconnect", ok()).await;
    cloud.routes(&[("$connect", "connect"), ("$disconnect", "disconnect")]);
    assert_eq!(knock(url(&cloud, ""), &[]).await.0, 401);
    // A later client's own disconnect comes first, and alone.
    cloud.routes(&[("$disconnect", "disconnect")]);
    let mut client = connect(&cloud).await;
    client.close(None).await.unwrap();
    assert_eq!(left(&mut gone).await.0, 1005);
    assert!(gone.try_recv().is_err());
}
