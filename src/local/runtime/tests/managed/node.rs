//! Node.js.

use super::*;

#[tokio::test]
async fn a_node_function_has_lambdas_context_and_lines_and_stays_warm() {
    if !has("node") {
        return;
    }
    let code = r"
        let calls = 0;
        exports.handler = async (event, context) => {
          console.log('seen %j', event, 'and\nmore');
          console.warn('careful');
          console.error(new RangeError('odd'));
          const left = context.getRemainingTimeInMillis();
          const { functionName, functionVersion, invokedFunctionArn, memoryLimitInMB, logGroupName } = context;
          return {
            calls: ++calls, pid: process.pid, isInTime: left > 0 && left <= 60000,
            isOwn: context.logStreamName === process.env.AWS_LAMBDA_LOG_STREAM_NAME,
            execution: process.env.AWS_EXECUTION_ENV, id: context.awsRequestId,
            functionName, functionVersion, invokedFunctionArn, memoryLimitInMB, logGroupName,
          };
        };";
    let cloud = cloud().await;
    deploy(
        &cloud,
        "nodejs22.x",
        "index.handler",
        &[("index.js", code)],
        json!({}),
    )
    .await;
    let first = invoke(&cloud, json!({ "n": 1 })).await;
    let seen = first.json();
    for (name, value) in [
        ("calls", json!(1)),
        ("isInTime", json!(true)),
        ("isOwn", json!(true)),
        ("execution", json!("AWS_Lambda_nodejs22.x")),
        ("functionName", json!("f")),
        ("functionVersion", json!("$LATEST")),
        ("memoryLimitInMB", json!("128")),
        ("logGroupName", json!("/aws/lambda/f")),
    ] {
        assert_eq!(seen[name], value, "{name}: {seen}");
    }
    let id = seen["id"].as_str().unwrap();
    let log = tail(&first);
    let kept = logged(&cloud.world, "/aws/lambda/f");
    let line = |ends: &str| kept.iter().any(|line| line.ends_with(ends));
    assert!(
        line(&format!("Z\t{id}\tINFO\tseen {{\"n\":1}} and\nmore")),
        "{kept:?}"
    );
    assert!(line(&format!("Z\t{id}\tWARN\tcareful")), "{kept:?}");
    assert!(
        log.contains(&format!("Z\t{id}\tERROR\tRangeError: odd\n    at ")),
        "{log}"
    );
    assert!(
        log.contains("Max Memory Used: ") && log.contains("Init Duration: "),
        "{log}"
    );
    let second = invoke(&cloud, json!({})).await.json();
    assert_eq!(
        (&second["calls"], &second["pid"]),
        (&json!(2), &seen["pid"])
    );
}

#[tokio::test]
async fn a_node_handler_may_be_written_in_every_way_that_aws_takes() {
    if !has("node") {
        return;
    }
    let module = r#"{ "type": "module" }"#;
    let cases: &[(&str, Files<'_>, Value)] = &[
        (
            "index.handler",
            &[("index.js", "exports.handler = async () => 'cjs'")],
            json!("cjs"),
        ),
        (
            "index.handler",
            &[("index.mjs", "export const handler = async () => 'esm'")],
            json!("esm"),
        ),
        (
            "index.handler",
            &[("index.cjs", "exports.handler = async () => 'dot cjs'")],
            json!("dot cjs"),
        ),
        (
            "src/app.handler",
            &[
                ("package.json", module),
                (
                    "src/app.js",
                    "import { word } from './word.js'; export const handler = async () => word",
                ),
                ("src/word.js", "export const word = 'module'"),
            ],
            json!("module"),
        ),
        (
            "index.deep.handler",
            &[
                (
                    "index.js",
                    "exports.deep = { handler: async () => require('own').word }",
                ),
                ("node_modules/own/index.js", "exports.word = 'own'"),
            ],
            json!("own"),
        ),
        (
            "index.handler",
            &[(
                "index.js",
                "exports.handler = (event, context, done) => { setTimeout(() => done(null, 'called'), 5) }",
            )],
            json!("called"),
        ),
        (
            "index.handler",
            &[(
                "index.js",
                "exports.handler = (event, context) => context.succeed('done')",
            )],
            json!("done"),
        ),
        // Neither a promise nor a callback: null, when nothing is left to do.
        (
            "index.handler",
            &[(
                "index.js",
                "exports.handler = () => { setTimeout(() => {}, 5); return 'lost' }",
            )],
            Value::Null,
        ),
        (
            "index.handler",
            &[("index.mjs", "export const handler = async () => undefined")],
            Value::Null,
        ),
    ];
    for (handler, files, answer) in cases {
        let got = node(handler, files, json!({})).await;
        assert!(
            !got.headers.contains_key("x-amz-function-error"),
            "{files:?}: {}",
            got.text()
        );
        assert_eq!(&got.json(), answer, "{files:?}");
    }
}

#[tokio::test]
async fn a_node_error_is_worded_as_lambda_words_it() {
    if !has("node") {
        return;
    }
    let cases: &[(&str, &str, &str, &str)] = &[
        (
            "index.handler",
            "exports.handler = async () => { throw new TypeError('bad') }",
            "TypeError",
            "bad",
        ),
        (
            "index.handler",
            "exports.handler = async () => { throw 'word' }",
            "string",
            "word",
        ),
        (
            "index.handler",
            "exports.handler = (e, c, done) => done(new RangeError('far'))",
            "RangeError",
            "far",
        ),
        (
            "index.handler",
            "exports.handler = async () => 1n",
            "Error",
            "Unable to stringify response body",
        ),
        (
            "index.handler",
            "exports.handler = async () => { Promise.reject(new Error('alone')); await new Promise(() => {}) }",
            "Runtime.UnhandledPromiseRejection",
            "Error: alone",
        ),
        (
            "index.handler",
            "exports.handler = async () => { setTimeout(() => { throw new EvalError('later') }); await new Promise(() => {}) }",
            "EvalError",
            "later",
        ),
        (
            "index.handler",
            "exports.handler = async () => process.exit(3)",
            "Runtime.ExitError",
            "exit status 3",
        ),
        (
            "index.handler",
            "exports.handler = async () => process.exit()",
            "Runtime.ExitError",
            "without providing a reason",
        ),
        (
            "index.none",
            "exports.handler = async () => 1",
            "Runtime.HandlerNotFound",
            "index.none is undefined or not exported",
        ),
        (
            "index.handler",
            "exports.handler = 1",
            "Runtime.HandlerNotFound",
            "index.handler is not a function",
        ),
        (
            "index.handler",
            "exports.handler = async () => {",
            "Runtime.UserCodeSyntaxError",
            "SyntaxError: Unexpected end of input",
        ),
        (
            "index.handler",
            "require('absent')",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'absent'\nRequire stack:\n- ",
        ),
        (
            "other.handler",
            "",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'other'\nRequire stack:\n- /var/runtime/index.mjs",
        ),
        (
            "../index.handler",
            "",
            "Runtime.MalformedHandlerName",
            "is not a valid handler name",
        ),
        ("index", "", "Runtime.MalformedHandlerName", "Bad handler"),
    ];
    for (handler, code, kind, text) in cases {
        let failed = node(handler, &[("index.js", code)], json!({})).await;
        fails_with(&failed, kind, text);
        let log = tail(&failed);
        assert!(
            log.contains(&format!("Status: error\tError Type: {kind}")),
            "{code}: {log}"
        );
    }
}

#[tokio::test]
async fn a_process_that_goes_with_its_answer_serves_no_other_call() {
    if !has("node") {
        return;
    }
    let code = "exports.handler = async (event) => {
        if (event.fail) { Promise.reject(new Error('alone')); await new Promise(() => {}) }
        return process.pid };";
    let cloud = cloud().await;
    deploy(
        &cloud,
        "nodejs22.x",
        "index.handler",
        &[("index.js", code)],
        json!({}),
    )
    .await;
    let before = invoke(&cloud, json!({})).await.json();
    for _ in 0..3 {
        let failed = invoke(&cloud, json!({ "fail": true })).await;
        fails_with(&failed, "Runtime.UnhandledPromiseRejection", "Error: alone");
        let next = invoke(&cloud, json!({})).await;
        assert!(next.json().is_u64(), "{}", next.text());
        assert_ne!(next.json(), before);
    }
}

#[tokio::test]
async fn from_node_24_on_a_handler_has_no_callback() {
    if !has("node") {
        return;
    }
    for (code, kind) in [
        (
            "exports.handler = (event, context, done) => done(null, 1)",
            Some("Runtime.CallbackHandlerDeprecated"),
        ),
        ("exports.handler = () => 7", None),
    ] {
        let cloud = cloud().await;
        deploy(
            &cloud,
            "nodejs24.x",
            "index.handler",
            &[("index.js", code)],
            json!({}),
        )
        .await;
        let answer = invoke(&cloud, json!({})).await;
        match kind {
            Some(kind) => fails_with(&answer, kind, "removed support for callback-based"),
            None => assert_eq!(answer.json(), 7, "{}", answer.text()),
        }
    }
}

/// A cloud whose state lies in a project's folder, as `dev` has it.
async fn in_project(project: &Path) -> Cloud {
    let state = project.join(".msgai/local");
    std::fs::create_dir_all(&state).unwrap();
    Cloud::serve(world(Clock::real(), Realism::INSTANT, Some(&state))).await
}

#[tokio::test]
async fn a_projects_packages_are_not_a_functions_but_for_the_sdk() {
    if !has("node") {
        return;
    }
    let project = tempfile::tempdir().unwrap();
    for package in ["left-over", "@aws-sdk/client-x"] {
        let folder = project.path().join("node_modules").join(package);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("index.js"), "exports.word = 'here'").unwrap();
    }
    let missing = "Cannot find module 'left-over'\nRequire stack:";
    let unfound = "Cannot find package 'left-over' imported from";
    let hint = "run `npm install @aws-sdk/client-y` beside the stack file";
    for (name, code, kind, text) in [
        (
            "index.js",
            "exports.handler = async () => require('@aws-sdk/client-x').word",
            None,
            "",
        ),
        (
            "index.mjs",
            "import { word } from '@aws-sdk/client-x'; export const handler = async () => word",
            None,
            "",
        ),
        (
            "index.js",
            "require('left-over')",
            Some("Runtime.ImportModuleError"),
            missing,
        ),
        ("index.mjs", "import 'left-over'", Some("Error"), unfound),
        (
            "index.js",
            "require('@aws-sdk/client-y')",
            Some("Runtime.ImportModuleError"),
            hint,
        ),
        (
            "index.mjs",
            "import '@aws-sdk/client-y'",
            Some("Error"),
            hint,
        ),
    ] {
        let cloud = in_project(project.path()).await;
        deploy(
            &cloud,
            "nodejs22.x",
            "index.handler",
            &[(name, code)],
            json!({}),
        )
        .await;
        let answer = invoke(&cloud, json!({})).await;
        match kind {
            Some(kind) => fails_with(&answer, kind, text),
            None => assert_eq!(answer.json(), "here", "{code}: {}", answer.text()),
        }
        assert_eq!(
            cloud
                .call("DELETE", "/2015-03-31/functions/f", Value::Null)
                .await
                .status,
            204
        );
    }
}

#[tokio::test]
async fn json_lines_are_aws_s() {
    if !has("node") {
        return;
    }
    let code = "exports.handler = async () => { console.debug('no'); console.log({ a: 1 }); console.error('why', new Error('x')) }";
    let cloud = cloud().await;
    let logging =
        json!({ "LoggingConfig": { "LogFormat": "JSON", "ApplicationLogLevel": "INFO" } });
    deploy(
        &cloud,
        "nodejs22.x",
        "index.handler",
        &[("index.js", code)],
        logging,
    )
    .await;
    assert_eq!(invoke(&cloud, json!({})).await.json(), Value::Null);
    let lines = logged(&cloud.world, "/aws/lambda/f");
    let lines: Vec<Value> = lines
        .iter()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let [init, start, said, failed, report] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    assert_eq!(
        (&init["type"], &init["record"]["functionName"]),
        (&json!("platform.initStart"), &json!("f"))
    );
    assert_eq!(start["type"], "platform.start");
    let id = &start["record"]["requestId"];
    assert_eq!(
        (&said["level"], &said["message"], &said["requestId"]),
        (&json!("INFO"), &json!({ "a": 1 }), id)
    );
    assert_eq!(
        (&failed["errorType"], &failed["errorMessage"]),
        (&json!("Error"), &json!("x"))
    );
    assert!(
        failed["stackTrace"].is_array() && failed["timestamp"].is_string(),
        "{failed}"
    );
    let metrics = &report["record"]["metrics"];
    assert_eq!(
        (&report["record"]["status"], &metrics["memorySizeMB"]),
        (&json!("success"), &json!(128))
    );
    let [took, init, billed] = ["durationMs", "initDurationMs", "billedDurationMs"]
        .map(|name| metrics[name].as_f64().unwrap());
    assert!(
        billed >= took + init && billed < took + init + 1.02,
        "{metrics}"
    );
}
