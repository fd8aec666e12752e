//! Python.

use super::*;

#[tokio::test]
async fn a_python_function_has_lambdas_context_and_lines_and_stays_warm() {
    if !has("python3") {
        return;
    }
    let code = r"
import logging, os
calls = 0
def handler(event, context):
    global calls
    calls += 1
    print('seen', event)
    logging.getLogger().warning('careful\nand more')
    left = context.get_remaining_time_in_millis()
    return dict(calls=calls, pid=os.getpid(), is_in_time=0 < left <= 60000, id=context.aws_request_id,
                name=context.function_name, memory=context.memory_limit_in_mb, version=context.function_version,
                group=context.log_group_name, execution=os.environ['AWS_EXECUTION_ENV'],
                is_own=context.log_stream_name == os.environ['AWS_LAMBDA_LOG_STREAM_NAME'])
";
    let cloud = cloud().await;
    deploy(
        &cloud,
        "python3.12",
        "lambda_function.handler",
        &[("lambda_function.py", code)],
        json!({}),
    )
    .await;
    let first = invoke(&cloud, json!({ "n": 1 })).await;
    let seen = first.json();
    for (name, value) in [
        ("calls", json!(1)),
        ("is_in_time", json!(true)),
        ("is_own", json!(true)),
        ("name", json!("f")),
        ("memory", json!("128")),
        ("version", json!("$LATEST")),
        ("group", json!("/aws/lambda/f")),
        ("execution", json!("AWS_Lambda_python3.12")),
    ] {
        assert_eq!(seen[name], value, "{name}: {}", first.text());
    }
    let id = seen["id"].as_str().unwrap();
    let kept = logged(&cloud.world, "/aws/lambda/f");
    assert!(kept.iter().any(|line| line == "seen {'n': 1}"), "{kept:?}");
    let warned = |line: &&String| {
        line.starts_with("[WARNING]\t") && line.ends_with(&format!("Z\t{id}\tcareful\nand more"))
    };
    assert!(kept.iter().any(|line| warned(&line)), "{kept:?}");
    let second = invoke(&cloud, json!({})).await.json();
    assert_eq!(
        (&second["calls"], &second["pid"]),
        (&json!(2), &seen["pid"])
    );
}

#[tokio::test]
async fn a_python_error_is_worded_as_lambda_words_it() {
    if !has("python3") {
        return;
    }
    let cases: &[(&str, &str, &str, &str)] = &[
        (
            "app.handler",
            "def handler(event, context): raise ValueError('bad')",
            "ValueError",
            "bad",
        ),
        (
            "app.handler",
            "def handler(event, context): return {1, 2}",
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type set is not JSON serializable",
        ),
        (
            "app.handler",
            "import sys\ndef handler(event, context): sys.exit(3)",
            "Runtime.ExitError",
            "exit status 3",
        ),
        (
            "app.none",
            "",
            "Runtime.HandlerNotFound",
            "Handler 'none' missing on module 'app'",
        ),
        (
            "other.handler",
            "",
            "Runtime.ImportModuleError",
            "Unable to import module 'other': No module named 'other'",
        ),
        (
            "app.handler",
            "import absent",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'absent'",
        ),
        // This machine may have it, AWS has not.
        (
            "app.handler",
            "import pip",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'pip'",
        ),
        (
            "app.handler",
            "def handler(",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app': ",
        ),
        (
            "app",
            "",
            "Runtime.MalformedHandlerName",
            "Bad handler 'app': not enough values to unpack (expected 2, got 1)",
        ),
        (
            "sys.handler",
            "",
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module sys as a handler module",
        ),
        (
            "app.handler",
            "raise KeyError('table')",
            "KeyError",
            "'table'",
        ),
    ];
    for (handler, code, kind, text) in cases {
        let failed = python(handler, &[("app.py", code)], json!({})).await;
        fails_with(&failed, kind, text);
        let log = tail(&failed);
        assert!(
            log.contains(&format!("Status: error\tError Type: {kind}")),
            "{code}: {log}"
        );
    }
    let failed = python("app.handler", &[("app.py", cases[0].1)], json!({})).await;
    let trace = failed.json()["stackTrace"][0].as_str().unwrap().to_owned();
    assert!(trace.contains("app.py\", line 1, in handler"), "{trace}");
    assert!(tail(&failed).contains(
        "[ERROR] ValueError: bad\nTraceback (most recent call last):\n\u{a0}\u{a0}File "
    ));
}

#[tokio::test]
async fn a_python_handler_may_be_in_a_package() {
    if !has("python3") {
        return;
    }
    let files = [
        ("src/__init__.py", ""),
        (
            "src/app.py",
            "from decimal import Decimal\nfrom .word import WORD\ndef handler(event, context): return [WORD, Decimal('2')]",
        ),
        ("src/word.py", "WORD = 'grüß'"),
    ];
    for handler in ["src/app.handler", "src.app.handler"] {
        let answer = python(handler, &files, json!({})).await;
        assert_eq!(answer.json(), json!(["grüß", 2]), "{}", answer.text());
    }
}
