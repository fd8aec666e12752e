//! Which stream what goes to, and the JSON of a run.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::scratch::Scratch;

fn objects(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .collect()
}

#[test]
fn data_goes_to_stdout_and_progress_to_stderr() {
    let scratch = Scratch::new("streams", Some("shop"));
    let ran = scratch.run(&["deploy", "--local"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out
            .starts_with("shop in us-east-1, account 000000000000\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.ends_with("ws://127.0.0.1:4747/production\n"),
        "{}",
        ran.out
    );
    let done: BTreeSet<&str> = ran
        .err
        .lines()
        .filter_map(|line| line.strip_prefix("  + ")?.split("  ").next())
        .collect();
    assert_eq!(done.len(), 20, "a line each: {}", ran.err);
    assert!(done.contains("deployment/production"));
    assert!(ran.err.contains("  20/20\n"), "{}", ran.err);
    assert!(ran.err.contains("\nDeployed 20 changes in "), "{}", ran.err);
    let ran = scratch.run(&["diff", "--local", "--quiet"]);
    assert_eq!(ran.err, "");
}

#[test]
fn a_run_is_one_json_object_a_line_with_type_and_time() {
    let scratch = Scratch::new("json-run", Some("shop"));
    let ran = scratch.run(&["deploy", "--local", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let all = objects(&ran.out);
    assert!(
        all.iter()
            .all(|o| o["type"].is_string() && o["at"].is_string()),
        "{}",
        ran.out
    );
    let of = |kind: &str| all.iter().filter(|o| o["type"] == kind).count();
    assert_eq!((of("plan"), of("begin"), of("deployed")), (1, 1, 1));
    assert_eq!((of("started"), of("finished")), (20, 20));
    assert_eq!(
        all.last().unwrap()["written"],
        serde_json::json!([".env.local"])
    );
}

#[test]
fn an_error_is_an_object_too_and_knows_every_problem() {
    let scratch = Scratch::new("json-error", Some("wrong"));
    let ran = scratch.run(&["deploy", "--local", "--json", "-f", "several.yaml"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    let all = objects(&ran.out);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["type"], "error");
    let problems = all[0]["problems"].as_array().unwrap();
    assert!(problems.len() > 2, "{problems:?}");
    assert!(
        problems
            .iter()
            .all(|p| p["line"].is_u64() && p["column"].is_u64())
    );
    assert!(!scratch.dir.join(".msgai").exists(), "nothing half-made");
}

#[test]
fn a_folder_that_cannot_be_written_is_said_and_the_rest_is_done() {
    let scratch = Scratch::new("read-only", Some("shop"));
    let text = scratch
        .read("stack.yaml")
        .replace(".env.local:", "locked/.env:");
    scratch.write("stack.yaml", &text);
    let locked = scratch.dir.join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    // Root writes where it likes.
    let is_refused = fs::write(locked.join("probe"), "").is_err();
    let ran = scratch.run(&["deploy", "--local"]);
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
    if is_refused {
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(
            ran.err.contains("error: cannot write ./locked/.env: "),
            "{ran:?}"
        );
    }
    let ran = scratch.run(&["deploy", "--local"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        scratch.read("locked/.env"),
        "WS_URL=ws://127.0.0.1:4747/production\n"
    );
}

#[test]
fn an_outputs_file_where_a_folder_is_stays_a_folder() {
    let scratch = Scratch::new("is-a-folder", Some("shop"));
    fs::create_dir(scratch.dir.join(".env.local")).unwrap();
    let ran = scratch.run(&["deploy", "--local"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("error: cannot read ./.env.local: "),
        "{ran:?}"
    );
    assert!(scratch.dir.join(".env.local").is_dir());
}
