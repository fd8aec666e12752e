use tokio::io::{AsyncWriteExt as _, BufReader, duplex};

use super::super::echo::with_server;
use super::*;

/// Nothing waits for it in vain.
const LONG: Duration = Duration::from_mins(1);

fn noon() -> String {
    "12:00:00".to_owned()
}

fn options(linger: Duration) -> Options<'static> {
    Options {
        user: Some("alice"),
        linger,
        now: &noon,
        // Whose sender is gone never turns.
        stop: watch::channel(false).1,
    }
}

/// Types everything at once, and reads the screen at the end.
async fn typed(input: &str, linger: Duration) -> (Closed, Vec<String>) {
    with_server(async |url| {
        let client = Client::connect(&url, &[], &[]).await.unwrap();
        let mut screen = Vec::new();
        let closed = talk(client, &options(linger), input.as_bytes(), &mut screen)
            .await
            .unwrap();
        let text = String::from_utf8(screen).unwrap();
        (closed, text.lines().map(str::to_owned).collect())
    })
    .await
}

fn sent(line: &str) -> Value {
    match command(line, Some("alice")) {
        Command::Send(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn commands_become_messages() {
    assert_eq!(
        sent("/to bob hi  there"),
        json!({"action": "sendMessage", "recipientId": "bob", "content": "hi  there"})
    );
    assert_eq!(
        sent("/to bob,eve hi"),
        json!({"action": "sendMessage", "recipientIds": ["bob", "eve"], "isGroupChat": true, "content": "hi"})
    );
    assert_eq!(
        sent(" /group ward-3 \"quoted\" "),
        json!({"action": "sendMessage", "groupId": "ward-3", "senderId": "alice", "senderName": "alice",
               "message": "\"quoted\""})
    );
    let send = |text: &str| Command::Send(text.to_owned());
    assert_eq!(command("/raw not json", None), send("not json"));
    assert_eq!(command(r#"{"a": 1}"#, None), send(r#"{"a": 1}"#));
    assert_eq!(command("/quit", None), Command::Quit);
    assert_eq!(command("/help", None), Command::Help);
    assert_eq!(command("  ", None), Command::Nothing);
}

#[test]
fn what_means_nothing_is_not_sent() {
    for line in [
        "hello",
        "/to",
        "/to bob",
        "/to , hi",
        "/group g",
        "/raw",
        "/shout hi",
        "{\"a\"",
    ] {
        assert!(matches!(command(line, None), Command::Unclear(_)), "{line}");
    }
}

#[test]
fn frames_are_read_by_people() {
    let shown = |frame: Value| one_line(&frame.to_string());
    let line = |mark, text: &str| (mark, text.to_owned());
    let direct =
        json!({"type": "message", "data": {"senderId": "bob", "content": "hi", "message": "hi"}});
    assert_eq!(shown(direct), line("←", "bob: hi"));
    let group = json!({"type": "message",
        "data": {"senderId": "bob", "senderName": "Bob", "groupId": "ward-3", "message": "hi"}});
    assert_eq!(shown(group), line("←", "Bob in ward-3: hi"));
    let status = |status, recipients| json!({"type": "messageStatus", "data": {"messageId": "m1", "status": status, "recipients": recipients}});
    assert_eq!(
        shown(status("delivered", 1)),
        line("·", "m1 delivered to 1 connection")
    );
    assert_eq!(
        shown(status("delivered", 3)),
        line("·", "m1 delivered to 3 connections")
    );
    assert_eq!(
        shown(status("sent", 0)),
        line("·", "m1 stored, nobody is online")
    );
    let error =
        json!({"type": "error", "data": {"code": "forbidden", "message": "not in the group"}});
    assert_eq!(shown(error), line("!", "forbidden: not in the group"));
    let gateway = json!({"message": "Forbidden", "connectionId": "c=", "requestId": "r="});
    assert_eq!(
        shown(gateway),
        line(
            "!",
            "API Gateway: Forbidden, there is no route for this message (request r=)"
        )
    );
    assert_eq!(shown(json!({"other": 1})), line("←", r#"{"other":1}"#));
    assert_eq!(
        shown(json!({"type": "message", "data": {}})),
        line("←", r#"{"type":"message","data":{}}"#)
    );
    assert_eq!(one_line("plain"), line("←", "plain"));
}

#[tokio::test]
async fn a_piped_message_hears_its_answer() {
    let (closed, screen) = typed("{\"n\":1}\n{\"close\":4000}\n", LONG).await;
    assert_eq!(closed.code, 4000);
    assert_eq!(screen[0], "12:00:00 ← {\"n\":1}");
    assert!(
        screen[1].starts_with("12:00:00 · closed 4000"),
        "{screen:?}"
    );
}

#[tokio::test]
async fn the_end_of_the_input_is_a_goodbye() {
    let (closed, screen) = typed("/help\nhello\n", Duration::ZERO).await;
    assert_eq!(closed.code, 1000);
    assert_eq!(screen[..HELP.lines().count()].join("\n"), HELP);
    let rest = &screen[HELP.lines().count()..];
    assert!(rest[0].starts_with("12:00:00 ! not JSON"), "{rest:?}");
    assert_eq!(rest[1..], ["12:00:00 · closed 1000 (closed normally)"]);
}

#[tokio::test]
async fn quitting_is_a_goodbye_and_sends_nothing_more() {
    let (closed, screen) = typed("/quit\n{\"n\":1}\n", LONG).await;
    assert_eq!(closed.code, 1000);
    assert_eq!(screen, ["12:00:00 · closed 1000 (closed normally)"]);
}

#[tokio::test]
async fn what_others_write_cannot_steer_the_terminal() {
    let (_, screen) = typed("/raw \u{1b}[2J\u{7}hi\n{\"close\":4000}\n", LONG).await;
    assert_eq!(screen[0], "12:00:00 ← \u{fffd}[2J\u{fffd}hi");
}

#[tokio::test]
async fn the_server_may_end_it_while_the_person_thinks() {
    with_server(async |url| {
        let client = Client::connect(&url, &[], &[]).await.unwrap();
        // The other end stays open: no input ends this.
        let (mut keyboard, input) = duplex(64);
        keyboard.write_all(b"{\"close\":1001}\n").await.unwrap();
        let mut screen = Vec::new();
        let closed = talk(
            client,
            &options(Duration::ZERO),
            BufReader::new(input),
            &mut screen,
        )
        .await
        .unwrap();
        assert_eq!(closed.code, 1001);
    })
    .await;
}
