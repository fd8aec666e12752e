use std::cell::{Cell, RefCell};

use tokio::io::{AsyncWriteExt as _, BufReader, DuplexStream, duplex};

use super::super::echo::with_server;
use super::super::shown::Lines;
use super::super::typed;
use super::*;

/// Nothing waits for it in vain.
const LONG: Duration = Duration::from_mins(1);

fn noon() -> String {
    "12:00:00".to_owned()
}

fn options(dialect: &Dialect) -> Options<'_> {
    Options {
        user: Some("alice"),
        group: None,
        dialect,
        form: Form {
            colour: false,
            json: false,
            spread: false,
            now: &noon,
        },
        linger: LONG,
        tries: 0,
        keeps: false,
        is_heard: false,
        // Whose sender is gone never turns.
        stop: watch::channel(false).1,
    }
}

async fn nobody() -> Result<Client, ConnectError> {
    panic!("nobody dials here")
}

fn lines(screen: Lines<Vec<u8>>) -> Vec<String> {
    let text = String::from_utf8(screen.0).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Types everything at once, and reads the screen at the end.
async fn typed(input: &'static str, linger: Duration) -> (Ended, Vec<String>) {
    with_server(async |url| {
        let client = Client::connect(&url, &[], &[]).await.unwrap();
        let mut screen = Lines(Vec::new());
        let mut keyboard = Keyboard::stream(input.as_bytes());
        let dialect = Dialect::default();
        let options = Options {
            linger,
            ..options(&dialect)
        };
        let ended = talk(client, nobody, &options, &mut keyboard, &mut screen);
        (ended.await.unwrap(), lines(screen))
    })
    .await
}

#[tokio::test]
async fn a_piped_message_hears_its_answer() {
    let (ended, screen) = typed("{\"n\":1}\n{\"close\":4000}\n", LONG).await;
    assert_eq!((ended.closed.code, ended.is_wanted), (4000, true));
    assert_eq!(screen[0], "12:00:00 ← {\"n\":1}");
    assert!(
        screen[1].starts_with("12:00:00 · closed 4000"),
        "{screen:?}"
    );
}

#[tokio::test]
async fn what_is_typed_becomes_messages_of_the_chat() {
    let typing = "/to bob hi  there\nagain\n/to bob,eve hi\n/group ward-3 \"quoted\"\n/typing\n{\"close\":4000}\n";
    let (_, screen) = typed(typing, LONG).await;
    let said = [
        r#"{"action":"sendMessage","recipientId":"bob","content":"hi  there"}"#,
        r#"{"action":"sendMessage","recipientId":"bob","content":"again"}"#,
        r#"{"action":"sendMessage","recipientIds":["bob","eve"],"isGroupChat":true,"content":"hi"}"#,
        r#"{"action":"sendMessage","groupId":"ward-3","senderId":"alice","senderName":"alice","message":"\"quoted\""}"#,
        r#"{"action":"typing","groupId":"ward-3","isTyping":true}"#,
    ];
    let said = said.map(|text| format!("12:00:00 ← {text}"));
    assert_eq!(screen[..5], said);
}

#[tokio::test]
async fn the_end_of_the_input_is_a_goodbye() {
    let (ended, screen) = typed("/help\nhello\n", Duration::ZERO).await;
    assert_eq!((ended.closed.code, ended.is_wanted), (1000, true));
    let help = typed::help();
    let count = help.lines().count();
    assert_eq!(screen[..count].join("\n"), help);
    let rest = &screen[count..];
    assert!(rest[0].starts_with("12:00:00 ! to whom?"), "{rest:?}");
    assert_eq!(rest[1..], ["12:00:00 · closed 1000 (closed normally)"]);
}

#[tokio::test]
async fn quitting_is_a_goodbye_and_sends_nothing_more() {
    let (ended, screen) = typed("/quit\n{\"n\":1}\n", LONG).await;
    assert_eq!(ended.closed.code, 1000);
    assert_eq!(screen, ["12:00:00 · closed 1000 (closed normally)"]);
}

#[tokio::test]
async fn what_others_write_cannot_steer_the_terminal() {
    let (_, screen) = typed("/raw \u{1b}[2J\u{7}hi\n{\"close\":4000}\n", LONG).await;
    assert_eq!(screen[0], "12:00:00 ← \u{fffd}[2J\u{fffd}hi");
}

#[tokio::test]
async fn a_ping_is_timed() {
    let (_, screen) = typed("/ping\n", Duration::from_millis(300)).await;
    let timed = |line: &String| line.starts_with("12:00:00 · there and back in ");
    assert!(screen.iter().any(timed), "{screen:?}");
}

#[tokio::test]
async fn json_switches_between_frames_and_what_they_say() {
    let message = r#"{"say":[{"type":"message","data":{"senderId":"bob","content":"hi"}}]}"#;
    let typing: &'static str = Box::leak(format!("/json\n{message}\n{{\"close\":4000}}\n").into());
    let (_, screen) = typed(typing, LONG).await;
    assert_eq!(screen[0], "12:00:00 · frames are shown whole");
    assert!(
        screen.contains(&r#"    "senderId": "bob","#.to_owned()),
        "{screen:?}"
    );
}

/// A person who types when a line of the screen says that it is time.
struct Person {
    keyboard: RefCell<DuplexStream>,
    cues: RefCell<Vec<(&'static str, &'static str)>>,
}

/// A screen that somebody looks at.
struct Watched<'a> {
    lines: Vec<String>,
    person: &'a Person,
}

impl Screen for Watched<'_> {
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.lines.push(text.to_owned());
        let mut cues = self.person.cues.borrow_mut();
        if cues.first().is_some_and(|(cue, _)| text.contains(cue)) {
            let (_, types) = cues.remove(0);
            let mut keyboard = self.person.keyboard.borrow_mut();
            let typing = keyboard.write_all(types.as_bytes());
            // The pipe has room, so this is done at once.
            futures_util::FutureExt::now_or_never(typing).unwrap()?;
        }
        Ok(())
    }
}

/// Types `first`, and what the cues say when they come up; each cut is followed by another connection.
async fn watched(
    first: &'static str,
    cues: &[(&'static str, &'static str)],
    refuse_from: usize,
) -> (Ended, Vec<String>, usize) {
    let dials = Cell::new(0);
    let (ended, lines) = Box::pin(with_server(async |url| {
        let dial = async || {
            dials.set(dials.get() + 1);
            let query = if dials.get() >= refuse_from {
                "?refuse=403"
            } else {
                ""
            };
            Client::connect(&format!("{url}{query}"), &[], &[]).await
        };
        let client = Client::connect(&url, &[], &[]).await.unwrap();
        let (mut keys, input) = duplex(4096);
        keys.write_all(first.as_bytes()).await.unwrap();
        let person = Person {
            keyboard: RefCell::new(keys),
            cues: RefCell::new(cues.to_vec()),
        };
        let mut screen = Watched {
            lines: Vec::new(),
            person: &person,
        };
        let mut keyboard = Keyboard::stream(BufReader::new(input));
        let dialect = Dialect::default();
        let options = Options {
            tries: 5,
            ..options(&dialect)
        };
        let ended = talk(client, dial, &options, &mut keyboard, &mut screen);
        (ended.await.unwrap(), screen.lines)
    }))
    .await;
    (ended, lines, dials.get())
}

const POSITION_5: &str = "{\"say\":[{\"type\":\"message\",\"data\":{\"messageId\":\"m5\",\"senderId\":\"bob\",\"content\":\"five\",\"position\":5}}]}\n";

#[tokio::test]
async fn after_a_cut_there_is_another_connection_and_what_was_missed_is_asked_for() {
    let replay = "{\"say\":[{\"type\":\"replay\",\"data\":{\"cursor\":7,\"messages\":[\
        {\"messageId\":\"m5\",\"senderId\":\"bob\",\"content\":\"five\",\"position\":5},\
        {\"messageId\":\"m6\",\"senderId\":\"bob\",\"content\":\"six\",\"position\":6}]}}]}\n";
    let cues = [
        ("bob: five", "{\"cut\":true}\n"),
        ("catchUp", replay),
        ("bob: six", "/quit\n"),
    ];
    let (ended, lines, dials) = Box::pin(watched(POSITION_5, &cues, usize::MAX)).await;
    assert!(ended.is_wanted && dials == 1, "{lines:#?}");
    let marks = |text: &str| lines.iter().position(|line| line.contains(text));
    let order = [
        "bob: five",
        "closed 1006",
        "connecting again in ",
        "connected again",
        // The server of this test says what it hears.
        r#"{"action":"catchUp","since":5}"#,
        "1 message was missed, up to position 7",
        "bob: six",
    ];
    let found = order.map(|text| marks(text).unwrap_or_else(|| panic!("{text}: {lines:#?}")));
    assert!(found.is_sorted(), "{lines:#?}");
    assert_eq!(
        lines.iter().filter(|line| line.contains("five")).count(),
        1,
        "{lines:#?}"
    );
}

#[tokio::test]
async fn a_gap_is_asked_for_at_once() {
    let seven = "{\"say\":[{\"type\":\"message\",\"data\":{\"messageId\":\"m8\",\"senderId\":\"bob\",\"content\":\"eight\",\"position\":8}}]}\n";
    let cues = [("bob: five", seven), (r#""since":5"#, "/quit\n")];
    let (_, lines, _) = Box::pin(watched(POSITION_5, &cues, usize::MAX)).await;
    let told = "12:00:00 · 2 missing before this one; asking for what comes behind 5";
    assert!(lines.iter().any(|line| line == told), "{lines:#?}");
}

#[tokio::test]
async fn what_the_server_decided_ends_it() {
    let (ended, lines, dials) = Box::pin(watched("{\"close\":1008}\n", &[], usize::MAX)).await;
    assert!(
        !ended.is_wanted && ended.why.is_none() && dials == 0,
        "{lines:#?}"
    );
    assert!(
        lines[1].contains("the server refused what was sent"),
        "{lines:#?}"
    );
    // A handshake that is refused for good ends it, too.
    let (ended, lines, dials) = Box::pin(watched("{\"close\":1001}\n", &[], 1)).await;
    assert_eq!(dials, 1, "{lines:#?}");
    assert!(
        matches!(ended.why, Some(ConnectError::Refused { status: 403, .. })),
        "{ended:?}"
    );
}

#[tokio::test]
async fn what_is_typed_while_there_is_no_connection_is_not_lost_silently() {
    let cues = [("connecting again", "/to bob hi\n/quit\n")];
    let (ended, lines, dials) = Box::pin(watched("{\"close\":1001}\n", &cues, usize::MAX)).await;
    assert!(ended.is_wanted && dials == 0, "{lines:#?}");
    assert!(
        lines.last().unwrap().contains("this is not sent"),
        "{lines:#?}"
    );
}

/// The clock jumps to whatever is waited for next.
#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_ping_is_taken_for_gone() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/s", listener.local_addr().unwrap());
    let (held, accepted) = tokio::join!(Client::connect(&url, &[], &[]), async {
        let (stream, _) = listener.accept().await.unwrap();
        tokio_tungstenite::accept_async(stream).await.unwrap()
    });
    let (_keys, input) = duplex(64);
    let mut keyboard = Keyboard::stream(BufReader::new(input));
    let mut screen = Lines(Vec::new());
    let dialect = Dialect::default();
    let options = Options {
        keeps: true,
        is_heard: true,
        ..options(&dialect)
    };
    let ended = talk(held.unwrap(), nobody, &options, &mut keyboard, &mut screen).await;
    // It is open, and nobody reads it.
    drop(accepted);
    let closed = ended.unwrap().closed;
    assert_eq!(
        (closed.code, closed.reason.as_str()),
        (1006, "no answer to a ping for 60 s")
    );
}
