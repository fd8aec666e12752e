//! Two stacks with the same stage in one local cloud: each is told a URL of its own.

use super::scratch::Scratch;

fn url(scratch: &Scratch, file: &str) -> String {
    let ran = scratch.run(&["outputs", "--local", "-f", file]);
    let mut lines = ran.out.lines();
    let line = lines.find_map(|line| line.strip_prefix("url "));
    line.unwrap_or_else(|| panic!("no URL: {ran:?}"))
        .trim()
        .to_owned()
}

#[test]
fn the_second_stack_with_a_stage_has_another_url_and_the_first_keeps_its() {
    let scratch = Scratch::new("twins", Some("shop"));
    let twin = scratch
        .read("stack.yaml")
        .replacen("name: shop", "name: twin", 1);
    scratch.write("twin.yaml", &twin);
    for file in ["stack.yaml", "twin.yaml"] {
        let ran = scratch.run(&["deploy", "--local", "--quiet", "-f", file]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.out.contains(&url(&scratch, file)), "{ran:?}");
    }
    let short = "ws://127.0.0.1:4747/production";
    assert_eq!(url(&scratch, "stack.yaml"), short);
    let long = url(&scratch, "twin.yaml");
    assert!(
        long.starts_with("ws://127.0.0.1:4747/_aws/execute-api/") && long.ends_with("/production"),
        "{long}"
    );
    let ran = scratch.run(&["destroy", "--local", "--yes", "--quiet", "-f", "stack.yaml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(url(&scratch, "twin.yaml"), short);
}
