//! Limits at their edges: the last value that is taken, and the first that is not.

use std::fmt::Write as _;

use super::super::validate::problems;
use super::super::{Severity, Stack};
use super::{load, spoilt};

fn stack(from: &str, to: &str) -> Stack {
    load(&spoilt(from, to)).unwrap().stack
}

fn messages(stack: &Stack) -> Vec<String> {
    problems(stack)
        .into_iter()
        .map(|problem| problem.message)
        .collect()
}

fn good() -> Stack {
    load(super::GOOD).unwrap().stack
}

/// Some edit of the good stack is taken at `most` and refused one further.
fn edge(most: usize, edit: impl Fn(&mut Stack, usize), expected: &str) {
    let mut stack = good();
    edit(&mut stack, most);
    assert_eq!(
        messages(&stack),
        Vec::<String>::new(),
        "{most} is within the limit"
    );
    let mut stack = good();
    edit(&mut stack, most + 1);
    assert_eq!(messages(&stack), [expected]);
}

#[test]
fn names_have_lengths() {
    edge(
        40,
        |stack, n| stack.name = "a".repeat(n),
        &format!("stack name `{}` is not a name", "a".repeat(41)),
    );
    edge(
        64,
        |stack, n| stack.functions["connect"].name = Some("f".repeat(n)),
        &format!(
            "function name `{}` has 65 characters: at most 64",
            "f".repeat(65)
        ),
    );
    edge(
        255,
        |stack, n| stack.tables["messages"].name = Some("t".repeat(n)),
        &format!(
            "table name `{}` has 256 characters: at most 255",
            "t".repeat(256)
        ),
    );
    edge(
        128,
        |stack, n| stack.api.name = Some("é".repeat(n)),
        &format!(
            "API name `{}` has 129 characters: at most 128",
            "é".repeat(129)
        ),
    );
    edge(
        128,
        |stack, n| stack.api.stage = "s".repeat(n),
        &format!(
            "stage name `{}` has 129 characters: at most 128",
            "s".repeat(129)
        ),
    );
    edge(
        256,
        |stack, n| stack.functions["connect"].description = Some("é".repeat(n)),
        "a function's description has at most 256 characters",
    );
}

#[test]
fn the_suffix_counts() {
    let mut stack = stack("name: chat\n", "name: chat\nsuffix: -dev\n");
    stack.functions["connect"].name = Some("f".repeat(61));
    let problem = problems(&stack).remove(0);
    assert!(
        problem.message.ends_with("has 65 characters: at most 64"),
        "{}",
        problem.message
    );
    assert_eq!(
        problem.hint.as_deref(),
        Some("the name and the `suffix` count together")
    );
}

#[test]
fn a_role_for_each_function_has_a_longer_name() {
    let mut stack = stack("outputs:\n", "role: per-function\noutputs:\n");
    stack.functions["connect"].name = Some("f".repeat(54));
    assert_eq!(messages(&stack), Vec::<String>::new());
    stack.functions["connect"].name = Some("f".repeat(55));
    assert_eq!(
        messages(&stack),
        [format!(
            "role name `{}-us-east-1` has 65 characters: at most 64",
            "f".repeat(55)
        )]
    );
}

#[test]
fn counts_have_an_end() {
    edge(
        45,
        |stack, n| stack.tags = (0..n).map(|n| (format!("t{n}"), String::new())).collect(),
        "46 tags are more than 45",
    );
    edge(
        100,
        |stack, n| {
            stack.api.variables = (0..n).map(|n| (format!("v{n}"), "x".to_owned())).collect();
        },
        "101 stage variables are more than 100",
    );
    let routes = |stack: &mut Stack, n: usize| {
        let connect = stack.api.routes["$connect"].clone();
        let send = stack.api.routes["sendMessage"].clone();
        stack.api.routes = (1..n).map(|n| (format!("r{n}"), send.clone())).collect();
        stack.api.routes.insert("$connect".to_owned(), connect);
    };
    edge(300, routes, "301 routes are more than 300");
    edge(
        128,
        |stack, n| {
            let send = stack.api.routes["sendMessage"].clone();
            stack.api.routes.insert("r".repeat(n), send);
        },
        "a route's key has at most 128 characters",
    );
}

#[test]
fn indexes_and_projections_have_an_end() {
    let indexes = |stack: &mut Stack, n: usize| {
        let index = stack.tables["connections"].indexes["userId-index"].clone();
        stack.tables["messages"].indexes =
            (0..n).map(|n| (format!("by-{n}"), index.clone())).collect();
    };
    edge(20, indexes, "21 indexes are more than 20");
    let projected = |each: &[usize]| {
        let mut yaml = String::new();
        for (index, count) in each.iter().enumerate() {
            let names: Vec<String> = (0..*count).map(|n| format!("a{n}")).collect();
            writeln!(
                yaml,
                "      by-{index}: {{ key: userId, projection: [{}] }}",
                names.join(", ")
            )
            .unwrap();
        }
        let text = spoilt(
            "    key: messageId\n",
            &format!("    key: messageId\n    indexes:\n{yaml}"),
        );
        super::complaints(&text, None, &|_| None)
    };
    assert_eq!(projected(&[20, 20, 20, 20, 20]), Vec::<String>::new());
    assert_eq!(
        projected(&[21]),
        ["11:28 error: an index projects 21 attributes: at most 20 / `all` projects everything"]
    );
    assert_eq!(
        projected(&[20, 20, 20, 20, 20, 1]),
        ["10:5 error: the indexes of `messages` project 101 attributes: at most 100"]
    );
}

#[test]
fn an_environment_has_four_kilobytes() {
    edge(
        4096 - "LEVELinfo".len() - "BIG".len(),
        |stack, n| {
            let environment = &mut stack.functions["authorize"].environment;
            environment.insert("BIG".to_owned(), "x".repeat(n));
        },
        "the environment of `authorize` has 4097 bytes: at most 4096, names and values together",
    );
}

#[test]
fn memory_and_retention_have_ranges() {
    let memory = |megabytes: u32| {
        let mut stack = good();
        stack.functions["connect"].memory = Some(megabytes);
        messages(&stack)
    };
    for taken in [128, 10_240] {
        assert_eq!(memory(taken), Vec::<String>::new());
    }
    assert_eq!(memory(127), ["memory of 127 MB is outside 128 to 10240"]);
    assert_eq!(
        memory(10_241),
        ["memory of 10241 MB is outside 128 to 10240"]
    );
    for taken in ["1d", "3653d", "forever"] {
        stack(
            "outputs:\n",
            &format!("logs: {{ retention: {taken} }}\noutputs:\n"),
        );
    }
}

#[test]
fn timeouts_have_ranges() {
    let function = |timeout: &str| {
        super::complaints(
            &spoilt("timeout: 10s", &format!("timeout: {timeout}")),
            None,
            &|_| None,
        )
        .len()
    };
    for (timeout, complaints) in [
        ("1s", 0),
        ("1000ms", 0),
        ("29s", 0),
        ("0s", 1),
        ("16m", 1),
        ("99999999999999999999s", 1),
    ] {
        assert_eq!(function(timeout), complaints, "{timeout}");
    }
    let route = |timeout: &str| {
        let text = spoilt(
            "    $connect: connect\n",
            &format!("    $connect: {{ function: connect, timeout: {timeout} }}\n"),
        );
        super::complaints(&text, None, &|_| None).len()
    };
    for (timeout, complaints) in [
        ("50ms", 0),
        ("29s", 0),
        ("49ms", 1),
        ("30s", 1),
        ("soon", 1),
    ] {
        assert_eq!(route(timeout), complaints, "{timeout}");
    }
}

#[test]
fn reserved_concurrency_leaves_some() {
    let mut stack = good();
    stack.functions["connect"].concurrency = Some(800);
    stack.functions["sendMessage"].concurrency = Some(100);
    assert_eq!(messages(&stack), Vec::<String>::new());
    stack.functions["sendMessage"].concurrency = Some(101);
    let found = problems(&stack);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].severity, found[0].at.to_string().as_str()),
        (Severity::Warning, "functions.sendMessage.concurrency")
    );
}

#[test]
fn arns_have_shapes() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";
    stack(
        "    key: messageId\n",
        &format!("    key: messageId\n    encryption: {key}\n"),
    );
    let boundary = "arn:aws-us-gov:iam::111122223333:policy/teams/boundary";
    stack(
        "outputs:\n",
        &format!("role: {{ boundary: \"{boundary}\" }}\noutputs:\n"),
    );
    let mut wrong = good();
    wrong.tables["messages"].encryption = Some(super::super::Encryption(key.replace("kms", "iam")));
    assert_eq!(messages(&wrong).len(), 1);
}

#[test]
fn throttles_let_somebody_in() {
    let throttle = |rate: f64, burst: u32| {
        let mut stack = good();
        stack.api.throttle = Some(super::super::ThrottleDef { rate, burst });
        messages(&stack).len()
    };
    assert_eq!(throttle(0.5, 1), 0);
    assert_eq!(throttle(10_000.0, 5_000), 0);
    assert_eq!(throttle(-1.0, 1), 1);
    assert_eq!(throttle(f64::NAN, 0), 2);
    assert_eq!(throttle(10_001.0, 5_001), 2);
}
