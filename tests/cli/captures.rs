//! What a person sees on 60, 80 and 120 columns: `docs/captures/` holds it, and this holds msgai to it.
//!
//! `CAPTURES=overwrite cargo test --test cli captures` writes what is shown now. Then look at it.

use std::fs;
use std::path::Path;

use msgai::local::{LocalCloud, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::logs::{client, command, write};
use super::scratch::{Ran, Scratch};
use super::terminal::Terminal;

const WIDTHS: [u16; 3] = [60, 80, 120];

/// Higher than anything that is shown.
const ROWS: u16 = 160;

const DELIVERED: &str = r#"{"level":"info","route":"sendMessage","connectionId":"L0SM9cOFvHcCIhw=","requestId":"r","userId":"alice","messageId":"01J","outcome":"delivered","recipients":2,"storeMs":3,"deliverMs":4,"duration_ms":7}"#;
const FAILED: &str = r#"{"level":"error","route":"$connect","connectionId":"L0SM9cOFvHcCIhx=","requestId":"r","outcome":"storage","error":"PutItem: no such table ward-connections"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_read_well_on_three_widths() {
    for columns in WIDTHS {
        let cloud = LocalCloud::start(Options::default()).await.unwrap();
        let scratch = Scratch::new(&format!("captures-{columns}"), Some("ward"));
        let show = |words: &[&'static str]| {
            let mut at_terminal = command(&scratch, &cloud.endpoint(), words);
            at_terminal.env("CI_JOB_URL", "https://ci.example/team/chat/-/jobs/4711");
            let (text, code) = Terminal::run(at_terminal, ROWS, columns).end();
            assert_eq!(code, Some(0), "{text}");
            text
        };
        let deployed = show(&["deploy", "--yes"]);
        let status = Ran::of(command(&scratch, &cloud.endpoint(), &["status", "--json"]));
        let ids = ids(&status.out);
        let keep = |name: &str, text: &str| {
            let text = redacted(text, &cloud.endpoint(), &ids);
            check(&format!("{name}-{columns}"), &text);
        };
        keep("deploy", &in_order(&deployed));
        keep("diff", &show(&["diff", "-f", "after.yaml"]));
        keep("status", &show(&["status", "-f", "after.yaml"]));
        keep("outputs", &show(&["outputs"]));

        show(&["deploy", "--yes", "-f", "after.yaml"]);
        let third = scratch.read("after.yaml").replace("512", "1024");
        scratch.write("third.yaml", &third);
        show(&["deploy", "--yes", "-f", "third.yaml"]);
        show(&["rollback", "--yes"]);
        keep("history", &show(&["history"]));

        let client = client(&cloud.endpoint());
        write(&client, "ward-connect", &[FAILED]).await;
        write(&client, "ward-sendMessage", &[DELIVERED]).await;
        let stack = "TypeError: no\n    at handler (index.mjs:1:1)\n";
        write(&client, "ward-typing", &[stack]).await;
        keep("logs", &show(&["logs", "-f", "after.yaml"]));
    }
}

/// A terminal that is lower than what goes on at once: nothing is left over, and each change is told once.
#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_leaves_nothing_of_its_spinners() {
    let cloud = LocalCloud::start(Options::default()).await.unwrap();
    for (columns, rows) in [(60, 10), (80, 24), (50, 60)] {
        let scratch = Scratch::new(&format!("spinners-{columns}"), Some("ward"));
        let name = format!("ward-{columns}");
        let text = scratch
            .read("stack.yaml")
            .replace("name: ward", &format!("name: {name}"));
        scratch.write("stack.yaml", &text);
        let deploy = command(&scratch, &cloud.endpoint(), &["deploy", "--yes"]);
        let (shown, code) = Terminal::run(deploy, rows, columns).end();
        assert_eq!(code, Some(0), "{shown}");
        let spinners = "⠁⠂⠄⡀⢀⠠⠐⠈⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏━╸─";
        assert!(!shown.contains(|c| spinners.contains(c)), "{shown}");
        assert!(shown.contains("Deployed 42 changes in"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_draws_over_itself_until_it_is_stopped() {
    let cloud = LocalCloud::start(Options::default()).await.unwrap();
    let scratch = Scratch::new("watch", Some("ward"));
    let run = |words: &[&'static str]| Ran::of(command(&scratch, &cloud.endpoint(), words));
    let watch = || command(&scratch, &cloud.endpoint(), &["status", "--watch"]);
    // All 42 are missing: more than there is room for.
    let mut terminal = Terminal::run(watch(), 24, 80);
    terminal.until("what functions may do");
    assert_eq!(run(&["deploy", "--yes", "--quiet"]).code, Some(0));
    // What is as it should be is only counted then; a look comes in pieces.
    terminal.until("42 live");
    terminal.until_without("missing");
    let text = terminal.text();
    assert!(
        !text.contains("missing"),
        "nothing is left of before: {text}"
    );
    assert!(
        text.contains("UTC, Ctrl-C ends\nward in us-east-1"),
        "{text}"
    );
    let pid = Pid::from_raw(i32::try_from(terminal.child.id()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(terminal.end().1, Some(130));
}

/// Words lead somewhere only where the terminal says that it has links.
#[tokio::test(flavor = "multi_thread")]
async fn links_are_for_terminals_that_have_them() {
    let scratch = Scratch::new("links", Some("shop"));
    let dev = super::cloud::Dev::start(&scratch, &[]);
    let page = format!("\x1b]8;;{}/_msgai\x1b\\ws://", dev.endpoint);
    let shown = |variable: &str, value: &str| {
        let mut command = scratch.msgai(&["outputs", "--local", "url"]);
        command.env(variable, value);
        let mut listed = scratch.msgai(&["status", "--local"]);
        listed.env("FORCE_HYPERLINK", "1").env(variable, value);
        (
            Terminal::bytes(command, 80),
            Terminal::bytes(listed, 80),
            Ran::of(scratch.msgai(&["status", "--local"])).out,
        )
    };
    let (value, listed, piped) = shown("FORCE_HYPERLINK", "1");
    assert!(listed.contains(&page), "{listed}");
    assert!(
        !value.contains("\x1b]8"),
        "a script's value is bare: {value}"
    );
    assert!(!piped.contains('\x1b'), "{piped}");
    let (_, listed, _) = shown("NO_COLOR", "1");
    assert!(!listed.contains('\x1b'), "{listed}");
}

/// What the cloud calls the API and the deployment.
fn ids(status: &str) -> Vec<String> {
    let status: Value = serde_json::from_str(status).unwrap();
    let rows = status["resources"].as_array().unwrap().iter();
    let mine = rows.filter(|row| {
        let id = row["id"].as_str().unwrap();
        id.starts_with("api/") || id.starts_with("deployment/")
    });
    let id = |row: &Value| row["physical_id"].as_str().unwrap().to_owned();
    mine.map(id).collect()
}

/// Changes end in any order.
fn in_order(text: &str) -> String {
    let (mut plan, mut done): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut rest = Vec::new();
    let mut is_planned = false;
    for line in text.lines() {
        is_planned |= line.starts_with("Plan: ");
        if !is_planned {
            plan.push(line);
        } else if line.starts_with("  + ") {
            done.push(line);
        } else {
            rest.push(line);
        }
    }
    done.sort_unstable();
    [plan, rest[..1].to_vec(), done, rest[1..].to_vec()]
        .concat()
        .join("\n")
        + "\n"
}

/// Without what differs from one run to the next, and as wide as before.
fn redacted(text: &str, cloud: &str, ids: &[String]) -> String {
    let port = cloud.rsplit(':').next().unwrap();
    let mut text = text.replace(port, "4747");
    for id in ids {
        text = text.replace(id, &"x".repeat(id.len()));
    }
    let lines = text.lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let next = words.iter().skip(1).chain(&[""]);
        let words = words.iter().zip(next).map(|(one, next)| word(one, next));
        let line = words.collect::<Vec<_>>().join(" ");
        match line.find("0.0 s").map(|at| line.split_at(at)) {
            Some((head, tail)) if head.ends_with("  ") => format!("{}  {tail}", head.trim_end()),
            _ => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// Times, how long something took, and digests.
fn word(word: &str, next: &str) -> String {
    let is = |fits: fn(char) -> bool| !word.is_empty() && word.chars().all(fits);
    let is_time = is(|c| c.is_ascii_digit() || ":-.".contains(c));
    if is_time && word.contains(['-', ':']) {
        let zero = |c: char| if c.is_ascii_digit() { '0' } else { c };
        return word.chars().map(zero).collect();
    }
    if is_time && word.contains('.') && matches!(next, "s" | "s:" | "s.") {
        return "0.0".to_owned();
    }
    let is_id = is(|c| c.is_ascii_digit() || c.is_ascii_lowercase());
    if is_id && word.len() == 16 && word.contains(|c: char| c.is_ascii_digit()) {
        return "x".repeat(word.len());
    }
    word.to_owned()
}

fn check(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/captures")
        .join(format!("{name}.txt"));
    if std::env::var_os("CAPTURES").is_some_and(|said| said == "overwrite") {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, kept, "\nnot as {}:\n{text}", file.display());
}
