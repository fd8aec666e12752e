use super::super::echo::with_server;
use super::*;

/// As long as a busy machine may take; nothing in these tests waits for it in vain.
const LONG: Duration = Duration::from_secs(20);

/// For what is waited for in vain.
const SHORT: Duration = Duration::from_secs(1);

async fn played(
    text: &str,
    limit: Duration,
    quiet: Duration,
) -> (Result<Summary, PlayError>, Vec<String>) {
    let options = PlayOptions {
        limit,
        quiet,
        id: "r7".to_owned(),
        headers: Vec::new(),
        authority: None,
        secrets: BTreeMap::from(
            [("env:STATUS", "401"), ("token:dora", "hush")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        ),
    };
    let script = Script::parse(text).unwrap();
    with_server(async |url| {
        let mut lines = Vec::new();
        let result = play(&script, &url, &options, |line| lines.push(line.to_string())).await;
        (result, lines)
    })
    .await
}

async fn failure(text: &str) -> PlayError {
    played(text, LONG, LONG).await.0.unwrap_err()
}

async fn failure_in_vain(text: &str) -> PlayError {
    played(text, SHORT, LONG).await.0.unwrap_err()
}

#[tokio::test]
async fn a_conversation_is_played_and_written_down() {
    let (result, lines) = played(
        "alice connects ?userId=alice\n\
         bob connects ?userId=bob-${id}\n\
         eve is refused 400 ?refuse=400\n\
         alice sends {\"to\":\"bob-r7\",\"say\":[{\"messageId\":\"${id}-1\",\"content\":\"hi\"}]}\n\
         bob receives {\"messageId\":\"${id}-1\",\"content\":\"*\"}\n\
         alice receives nothing\n\
         alice sends text not json\n\
         alice receives text not json\n\
         bob vanishes\n\
         alice leaves",
        LONG,
        Duration::from_millis(30),
    )
    .await;
    let summary = result.unwrap();
    assert_eq!(
        (summary.connections, summary.sent, summary.received),
        (2, 2, 2)
    );
    assert_eq!(
        lines,
        [
            "alice · connected ?userId=alice",
            "bob   · connected ?userId=bob-r7",
            "eve   · refused with 400",
            r#"alice → {"to":"bob-r7","say":[{"messageId":"r7-1","content":"hi"}]}"#,
            r#"bob   ← {"messageId":"r7-1","content":"hi"}"#,
            "alice · nothing for 30 ms",
            "alice → not json",
            "alice ← not json",
            "bob   · vanished",
            "alice · closed 1000 (closed normally)",
        ]
    );
}

#[tokio::test]
async fn a_secret_is_sent_and_never_told() {
    let (result, lines) = played(
        "eve is refused 401 ?refuse=${env:STATUS}\n\
         dora connects ?token=${token:dora}\n\
         dora leaves",
        LONG,
        Duration::from_millis(30),
    )
    .await;
    assert_eq!(result.unwrap().connections, 1);
    assert_eq!(lines[1], "dora · connected ?token=${token:dora}");
    assert!(!lines.concat().contains("hush"), "{lines:?}");
}

#[tokio::test]
async fn frames_may_come_in_any_order() {
    let (result, _) = played(
        "a connects\n\
         a sends {\"say\":[{\"n\":1},{\"n\":2},{\"n\":2},{\"n\":3}]}\n\
         a receives {\"n\":3}\na receives {\"n\":2}\na receives {\"n\":1}\na receives {\"n\":2}",
        LONG,
        LONG,
    )
    .await;
    assert_eq!(result.unwrap().received, 4);
}

#[tokio::test]
async fn everyone_who_stays_leaves_at_the_end() {
    let (result, lines) = played("a connects ?userId=a\nb connects ?userId=b", LONG, LONG).await;
    result.unwrap();
    assert_eq!(
        lines[2..],
        [
            "a · closed 1000 (closed normally)",
            "b · closed 1000 (closed normally)"
        ]
    );
}

#[tokio::test]
async fn a_frame_is_used_once() {
    let error = failure_in_vain(
        "a connects\na sends {\"n\":1}\na receives {\"n\":1}\na receives {\"n\":1}",
    )
    .await;
    let expected = r#"a to receive {"n":1}"#.to_owned();
    assert_eq!(
        error,
        PlayError {
            line: 4,
            expected,
            instead: vec![]
        }
    );
    assert_eq!(
        error.to_string(),
        r#"line 4: expected a to receive {"n":1}, but nothing came"#
    );
}

#[tokio::test]
async fn what_came_instead_is_told() {
    let error = failure_in_vain(
        "a connects\na sends {\"say\":[{\"n\":1},\"x\\u001b\"]}\n\na receives {\"n\":2}",
    )
    .await;
    assert_eq!(error.line, 4);
    assert_eq!(error.instead, [r#"{"n":1}"#, "x\u{fffd}"]);
}

#[tokio::test]
async fn an_unexpected_frame_at_the_end_is_a_failure() {
    let error =
        failure("a connects\na sends {\"say\":[{\"n\":1},{\"n\":2}]}\na receives {\"n\":2}").await;
    let text = r#"line 3: expected no more frames at the end, but a ← {"n":1}"#;
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn nothing_means_nothing_came_before_either() {
    let error =
        failure("a connects\na sends {\"say\":[1,2]}\na receives 2\na receives nothing").await;
    assert_eq!(error.instead, ["1"]);
    let error = failure(
        "a connects ?userId=a\nb connects\nb sends {\"to\":\"a\",\"say\":[1]}\na receives nothing",
    )
    .await;
    assert_eq!((error.line, error.instead), (4, vec!["1".to_owned()]));
}

#[tokio::test]
async fn a_refusal_must_come_and_be_the_right_one() {
    let error = failure("a is refused 400").await;
    assert_eq!(
        error.to_string(),
        "line 1: expected a to be refused with 400, but a is connected"
    );
    let error = failure("a is refused 400 ?refuse=403").await;
    assert!(error.instead[0].contains("refused with 403"), "{error}");
    let error = failure("a connects ?refuse=502").await;
    assert!(
        error.instead[0].contains("the $connect function failed"),
        "{error}"
    );
}

#[tokio::test]
async fn a_connection_that_the_server_ends_is_a_failure() {
    let error = failure("a connects\na sends {\"close\":1001}\na receives {}").await;
    assert!(
        error.instead[0].starts_with("the connection was closed: 1001"),
        "{error}"
    );
    // Even with the code of a goodbye, and even when nobody waits for a frame any more.
    let error =
        failure("a connects\nb connects\na sends {\"close\":1000}\nb sends 1\nb receives 1").await;
    assert!(error.expected.starts_with("a to leave"), "{error}");
    let error = failure("a connects\na sends {\"cut\":true}\na receives nothing").await;
    assert!(error.instead[0].contains("1006"), "{error}");
}

#[tokio::test]
async fn the_urls_own_query_is_kept() {
    assert_eq!(joined("ws://h/p", ""), "ws://h/p");
    assert_eq!(joined("ws://h/p", "?a=1"), "ws://h/p?a=1");
    assert_eq!(joined("ws://h/p?t=0", "?a=1"), "ws://h/p?t=0&a=1");
}

#[test]
fn every_run_has_its_own_id() {
    let (one, two) = (PlayOptions::default(), PlayOptions::default());
    assert_ne!(one.id, two.id);
    assert!(one.id.len() == 12 && one.id.chars().all(|c| c.is_ascii_alphanumeric()));
}
