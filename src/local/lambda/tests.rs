use std::time::Duration;

use serde_json::{Value, json};

use crate::local::Realism;
use crate::local::clock::Clock;
use crate::local::lambda::Lambda;
use crate::local::testing::{Cloud, ROLE, START, function, world, zip};

const F: &str = "/2015-03-31/functions";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

async fn cloud() -> Cloud {
    let cloud = Cloud::still().await;
    assert_eq!(cloud.create("f", Value::Null).await.status, 201);
    cloud
}

/// A cloud in which things take their time.
async fn slow() -> Cloud {
    let realism = Realism {
        function_pending: Duration::from_secs(2),
        function_update: Duration::from_secs(1),
        ..Realism::INSTANT
    };
    Cloud::start(Clock::turned(START), realism).await
}

fn code(text: &str) -> Value {
    function("f", &zip(&[("bootstrap", text)]))["Code"].clone()
}

#[tokio::test]
async fn create_answers_with_aws_defaults() {
    let cloud = Cloud::still().await;
    let made = cloud.create("f", json!({ "Tags": { "a": "b" } })).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    for (member, value) in [
        ("FunctionArn", json!(ARN)),
        ("Version", json!("$LATEST")),
        ("Timeout", json!(3)),
        ("MemorySize", json!(128)),
        ("Architectures", json!(["x86_64"])),
        ("PackageType", json!("Zip")),
        ("State", json!("Active")),
        ("TracingConfig", json!({ "Mode": "PassThrough" })),
        ("EphemeralStorage", json!({ "Size": 512 })),
        (
            "LoggingConfig",
            json!({ "LogFormat": "Text", "LogGroup": "/aws/lambda/f" }),
        ),
        ("LastModified", json!("2023-11-14T22:13:20.000+0000")),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    assert!(made.get("Environment").is_none());
    let got = cloud
        .call("GET", &format!("{F}/f"), Value::Null)
        .await
        .json();
    assert_eq!(got["Tags"], json!({ "a": "b" }));
    assert_eq!(got["Configuration"]["RevisionId"], made["RevisionId"]);
    assert_eq!(got["Code"]["RepositoryType"], "S3");
}

#[tokio::test]
async fn the_code_digest_is_of_the_zip() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let cloud = cloud().await;
    let digest = sha2::Sha256::digest(zip(&[("bootstrap", "#!/bin/sh\n")]));
    let wanted = base64::engine::general_purpose::STANDARD.encode(digest);
    let got = cloud
        .call("GET", &format!("{F}/f/configuration"), Value::Null)
        .await;
    assert_eq!(got.json()["CodeSha256"], wanted);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of refusals")]
async fn create_refuses_what_aws_refuses() {
    let cloud = cloud().await;
    let many: Value = (0..51)
        .map(|i| (format!("k{i}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let big = json!({ "Variables": { "BIG": "x".repeat(4100) } });
    let broken = json!({ "ZipFile": "bm90IGEgemlw" });
    let empty = function("g", &zip(&[]))["Code"].clone();
    let invalid = "InvalidParameterValueException";
    let cases = [
        (
            "f",
            json!({}),
            409,
            "ResourceConflictException",
            "Function already exist: f",
        ),
        (
            "g",
            json!({ "Role": "arn:aws:iam::000000000000:role/new" }),
            400,
            invalid,
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (
            "g",
            json!({ "Role": "nonsense" }),
            400,
            "ValidationException",
            "at 'role' failed to satisfy constraint",
        ),
        (
            "g",
            json!({ "Code": broken }),
            400,
            invalid,
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            "g",
            json!({ "Code": empty }),
            400,
            invalid,
            "Uploaded file must be a non-empty zip",
        ),
        (
            "g",
            json!({ "Code": {} }),
            400,
            invalid,
            "Please provide a source for function code.",
        ),
        (
            "g",
            json!({ "Handler": null }),
            400,
            invalid,
            "Runtime and Handler are mandatory",
        ),
        (
            "g",
            json!({ "Runtime": "nodejs14.x" }),
            400,
            invalid,
            "no longer supported",
        ),
        (
            "g",
            json!({ "Runtime": "cobol" }),
            400,
            invalid,
            "Member must satisfy enum value set",
        ),
        (
            "g",
            json!({ "MemorySize": 64 }),
            400,
            "ValidationException",
            "greater than or equal to 128",
        ),
        (
            "g",
            json!({ "MemorySize": 10_241 }),
            400,
            "ValidationException",
            "less than or equal to 10240",
        ),
        (
            "g",
            json!({ "Timeout": 0 }),
            400,
            "ValidationException",
            "greater than or equal to 1",
        ),
        (
            "g",
            json!({ "Timeout": 901 }),
            400,
            "ValidationException",
            "less than or equal to 900",
        ),
        (
            "g",
            json!({ "Timeout": "3" }),
            400,
            "SerializationException",
            "",
        ),
        (
            "g",
            json!({ "Description": "d".repeat(257) }),
            400,
            "ValidationException",
            "'description'",
        ),
        (
            "g",
            json!({ "Environment": { "Variables": { "AWS_REGION": "x", "_HANDLER": "y" } } }),
            400,
            invalid,
            "Reserved keys used in this request: _HANDLER, AWS_REGION",
        ),
        (
            "g",
            json!({ "Environment": big }),
            400,
            invalid,
            "exceeded the 4KB limit",
        ),
        (
            "g",
            json!({ "Environment": { "Variables": { "A": "one letter" } } }),
            400,
            "ValidationException",
            "[a-zA-Z]([a-zA-Z0-9_])+",
        ),
        (
            "g",
            json!({ "Architectures": ["riscv"] }),
            400,
            "ValidationException",
            "[x86_64, arm64]",
        ),
        ("g", json!({ "Tags": many }), 400, invalid, "Too many tags"),
        (
            "g",
            json!({ "Layers": ["arn:x"] }),
            400,
            invalid,
            "no layers",
        ),
        (
            "a b",
            json!({}),
            400,
            "ValidationException",
            "'functionName'",
        ),
        (
            &"n".repeat(65),
            json!({}),
            400,
            "ValidationException",
            "'functionName'",
        ),
    ];
    for (name, change, status, kind, text) in cases {
        let got = cloud.create(name, change.clone()).await;
        assert_eq!(got.error(), (status, kind), "{change}: {}", got.text());
        assert!(got.text().contains(text), "{change}: {}", got.text());
    }
    let left = cloud.call("GET", F, Value::Null).await.json();
    assert_eq!(left["Functions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn errors_name_who_is_to_blame() {
    let cloud = Cloud::still().await;
    let got = cloud.call("GET", &format!("{F}/nobody"), Value::Null).await;
    assert_eq!(got.error(), (404, "ResourceNotFoundException"));
    let body = got.json();
    assert_eq!(body["Type"], "User");
    let text = "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody";
    assert_eq!(body["Message"], text);
}

#[tokio::test]
async fn a_pending_function_takes_permissions_and_little_else() {
    let cloud = slow().await;
    let made = cloud.create("f", Value::Null).await.json();
    assert_eq!(
        (&made["State"], &made["StateReasonCode"]),
        (&json!("Pending"), &json!("Creating"))
    );
    let text = "The function is currently in the following state: Pending";
    for (method, path, body) in [
        ("POST", "/invocations", json!({})),
        ("PUT", "/code", code("new")),
        ("PUT", "/configuration", json!({ "Timeout": 9 })),
        ("POST", "/versions", json!({})),
        ("DELETE", "", Value::Null),
    ] {
        let got = cloud.call(method, &format!("{F}/f{path}"), body).await;
        assert_eq!(got.error(), (409, "ResourceConflictException"), "{path}");
        assert!(got.text().contains(text), "{}", got.text());
    }
    let concurrency = json!({ "ReservedConcurrentExecutions": 1 });
    let put = cloud
        .call("PUT", "/2017-10-31/functions/f/concurrency", concurrency)
        .await;
    assert_eq!(put.status, 200);
    assert_eq!(permit(&cloud, "f", "s1").await.status, 201);
    cloud.turn(2);
    let got = cloud
        .call("GET", &format!("{F}/f/configuration"), Value::Null)
        .await
        .json();
    assert_eq!(
        (&got["State"], &got["LastUpdateStatus"]),
        (&json!("Active"), &json!("Successful"))
    );
}

#[tokio::test]
async fn an_update_in_progress_refuses_the_next_and_lets_the_old_code_run() {
    let cloud = slow().await;
    assert_eq!(cloud.create("f", Value::Null).await.status, 201);
    cloud.turn(2);
    let old = cloud
        .call("GET", &format!("{F}/f/configuration"), Value::Null)
        .await
        .json();
    let put = cloud
        .call("PUT", &format!("{F}/f/code"), code("#!/bin/sh\nexit 1\n"))
        .await;
    assert_eq!(put.json()["LastUpdateStatus"], "InProgress");
    assert_ne!(put.json()["CodeSha256"], old["CodeSha256"]);
    for (method, path, body) in [
        ("PUT", "/code", code("x")),
        ("PUT", "/configuration", json!({})),
        ("POST", "/versions", json!({})),
    ] {
        let got = cloud.call(method, &format!("{F}/f{path}"), body).await;
        assert_eq!(got.error(), (409, "ResourceConflictException"), "{path}");
        let text = format!("An update is in progress for resource: {ARN}");
        assert!(got.text().contains(&text), "{}", got.text());
    }
    let target = super::check::Target::parse(&cloud.world, "f", None).unwrap();
    let runs = || {
        let state = cloud.world.lambda.lock();
        let function = state.look(&cloud.world, &target).unwrap();
        function
            .runs(&cloud.world, None)
            .unwrap()
            .code
            .sha256
            .clone()
    };
    assert_eq!(json!(runs()), old["CodeSha256"]);
    cloud.turn(1);
    assert_eq!(json!(runs()), put.json()["CodeSha256"]);
}

#[tokio::test]
async fn environment_is_replaced_as_a_whole_and_cleared_by_an_empty_map() {
    let cloud = cloud().await;
    let path = format!("{F}/f/configuration");
    let update = |body: Value| cloud.call("PUT", &path, body);
    let set = |v: Value| json!({ "Environment": { "Variables": v } });
    let got = update(set(json!({ "AA": "1", "BB": "2" }))).await.json();
    assert_eq!(
        got["Environment"]["Variables"],
        json!({ "AA": "1", "BB": "2" })
    );
    let got = update(set(json!({ "CC": "3" }))).await.json();
    assert_eq!(got["Environment"]["Variables"], json!({ "CC": "3" }));
    let got = update(json!({ "Environment": {} })).await.json();
    assert_eq!(got["Environment"]["Variables"], json!({ "CC": "3" }));
    let got = update(set(json!({}))).await.json();
    assert!(got.get("Environment").is_none());
}

#[tokio::test]
async fn a_stale_revision_is_refused() {
    let cloud = cloud().await;
    for (path, mut body) in [("configuration", json!({})), ("code", code("x"))] {
        body["RevisionId"] = json!("stale");
        let got = cloud.call("PUT", &format!("{F}/f/{path}"), body).await;
        assert_eq!(got.error(), (412, "PreconditionFailedException"), "{path}");
    }
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let cloud = cloud().await;
    let before = cloud
        .call("GET", &format!("{F}/f/configuration"), Value::Null)
        .await
        .json();
    let mut body = code("new");
    body["DryRun"] = json!(true);
    let got = cloud.call("PUT", &format!("{F}/f/code"), body).await.json();
    assert_ne!(got["CodeSha256"], before["CodeSha256"]);
    let after = cloud
        .call("GET", &format!("{F}/f/configuration"), Value::Null)
        .await
        .json();
    assert_eq!(after, before);
}

#[tokio::test]
async fn publishing_without_a_change_gives_the_same_version() {
    let cloud = cloud().await;
    let versions = format!("{F}/f/versions");
    let publish = || cloud.call("POST", &versions, json!({ "Description": "d" }));
    let first = publish().await;
    assert_eq!((first.status, &first.json()["Version"]), (201, &json!("1")));
    assert_eq!(first.json()["FunctionArn"], format!("{ARN}:1"));
    assert_eq!(publish().await.json()["Version"], "1");
    let mut body = code("two");
    body["Publish"] = json!(true);
    let put = cloud.call("PUT", &format!("{F}/f/code"), body).await.json();
    assert_eq!(put["Version"], "2");
    assert_eq!(publish().await.json()["Version"], "2");
    let wrong = json!({ "CodeSha256": "AAAA" });
    let got = cloud.call("POST", &format!("{F}/f/versions"), wrong).await;
    assert_eq!(got.error(), (400, "InvalidParameterValueException"));
    let listed = cloud
        .call("GET", &format!("{F}/f/versions"), Value::Null)
        .await
        .json();
    let listed: Vec<&Value> = listed["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["Version"])
        .collect();
    assert_eq!(listed, ["$LATEST", "1", "2"]);
}

#[tokio::test]
async fn version_numbers_are_never_used_again() {
    let cloud = cloud().await;
    let versions = format!("{F}/f/versions");
    let publish = || cloud.call("POST", &versions, Value::Null);
    assert_eq!(publish().await.json()["Version"], "1");
    assert_eq!(
        cloud
            .call("DELETE", &format!("{F}/f"), Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(cloud.create("f", Value::Null).await.status, 201);
    assert_eq!(publish().await.json()["Version"], "2");
}

#[tokio::test]
async fn aliases_point_and_protect_their_version() {
    let cloud = cloud().await;
    let aliases = format!("{F}/f/aliases");
    let live = format!("{F}/f/aliases/live");
    assert_eq!(
        cloud
            .call("POST", &format!("{F}/f/versions"), Value::Null)
            .await
            .status,
        201
    );
    let input = json!({ "Name": "live", "FunctionVersion": "1" });
    let made = cloud.call("POST", &aliases, input.clone()).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["AliasArn"], format!("{ARN}:live"));
    let got = cloud.call("POST", &aliases, input).await;
    assert_eq!(got.error(), (409, "ResourceConflictException"));
    assert!(
        got.text()
            .contains(&format!("Alias already exists: {ARN}:live"))
    );
    let missing = json!({ "Name": "b", "FunctionVersion": "9" });
    let got = cloud.call("POST", &aliases, missing).await;
    assert_eq!(got.error(), (404, "ResourceNotFoundException"));
    let digits = json!({ "Name": "12", "FunctionVersion": "1" });
    assert_eq!(cloud.call("POST", &aliases, digits).await.error().0, 400);
    let got = cloud
        .call("DELETE", &format!("{F}/f?Qualifier=1"), Value::Null)
        .await;
    assert_eq!(got.error(), (409, "ResourceConflictException"));
    let shown = cloud
        .call("GET", &format!("{F}/f?Qualifier=live"), Value::Null)
        .await
        .json();
    assert_eq!(shown["Configuration"]["Version"], "1");
    assert_eq!(shown["Configuration"]["FunctionArn"], format!("{ARN}:live"));
    let moved = cloud
        .call("PUT", &live, json!({ "FunctionVersion": "$LATEST" }))
        .await
        .json();
    assert_eq!(moved["FunctionVersion"], "$LATEST");
    assert_ne!(moved["RevisionId"], made.json()["RevisionId"]);
    let gone = cloud
        .call("DELETE", &format!("{F}/f?Qualifier=1"), Value::Null)
        .await;
    assert_eq!(gone.status, 204);
    for _ in 0..2 {
        assert_eq!(cloud.call("DELETE", &live, Value::Null).await.status, 204);
    }
    let got = cloud.call("GET", &live, Value::Null).await;
    assert!(
        got.text().contains("Cannot find alias arn"),
        "{}",
        got.text()
    );
}

async fn permit(cloud: &Cloud, function: &str, sid: &str) -> crate::local::testing::Http {
    let (name, qualifier) = function.split_once('?').unwrap_or((function, ""));
    let input = json!({
        "StatementId": sid,
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": "arn:aws:execute-api:us-east-1:000000000000:api1/*/$connect",
        "SourceAccount": "000000000000",
    });
    let path = format!("{F}/{name}/policy?{qualifier}");
    cloud.call("POST", &path, input).await
}

#[tokio::test]
async fn a_policy_is_rendered_as_aws_renders_it() {
    let cloud = cloud().await;
    let path = format!("{F}/f/policy");
    let none = cloud.call("GET", &path, Value::Null).await;
    assert_eq!(none.error(), (404, "ResourceNotFoundException"));
    let added = permit(&cloud, "f", "s1").await;
    let statement = format!(
        r#"{{"Sid":"s1","Effect":"Allow","Principal":{{"Service":"apigateway.amazonaws.com"}},"Action":"lambda:InvokeFunction","Resource":"{ARN}","Condition":{{"StringEquals":{{"AWS:SourceAccount":"000000000000"}},"ArnLike":{{"AWS:SourceArn":"arn:aws:execute-api:us-east-1:000000000000:api1/*/$connect"}}}}}}"#
    );
    assert_eq!(
        (added.status, &added.json()["Statement"]),
        (201, &json!(statement))
    );
    let got = cloud.call("GET", &path, Value::Null).await.json();
    let policy = format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}"#);
    assert_eq!(got["Policy"], policy);
    assert!(got["RevisionId"].is_string());
    let twice = permit(&cloud, "f", "s1").await;
    assert_eq!(twice.error(), (409, "ResourceConflictException"));
    assert!(
        twice
            .text()
            .contains("The statement id (s1) provided already exists.")
    );
    let removed = cloud
        .call("DELETE", &format!("{path}/s1"), Value::Null)
        .await;
    assert_eq!(removed.status, 204);
    let again = cloud
        .call("DELETE", &format!("{path}/s1"), Value::Null)
        .await;
    assert_eq!(again.error(), (404, "ResourceNotFoundException"));
    assert_eq!(cloud.call("GET", &path, Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_permission_holds_for_its_qualifier_and_its_source_only() {
    let cloud = cloud().await;
    assert_eq!(
        cloud
            .call("POST", &format!("{F}/f/versions"), Value::Null)
            .await
            .status,
        201
    );
    let input = json!({ "Name": "live", "FunctionVersion": "1" });
    assert_eq!(
        cloud
            .call("POST", &format!("{F}/f/aliases"), input)
            .await
            .status,
        201
    );
    assert_eq!(permit(&cloud, "f?Qualifier=live", "s1").await.status, 201);
    assert_eq!(
        permit(&cloud, "f?Qualifier=$LATEST", "s1").await.error().0,
        400
    );
    assert_eq!(
        permit(&cloud, "f?Qualifier=nope", "s1").await.error().0,
        404
    );
    let source = "arn:aws:execute-api:us-east-1:000000000000:api1/prod/$connect";
    let live = format!("{ARN}:live");
    let allows = |arn: &str, source: &str, account| cloud.world.lambda.allows(arn, source, account);
    assert!(allows(&live, source, "000000000000"));
    assert!(!allows(ARN, source, "000000000000"));
    assert!(!allows(
        &live,
        &source.replace("$connect", "send"),
        "000000000000"
    ));
    assert!(!allows(&live, source, "111122223333"));
    let removed = format!("{F}/f/policy/s1?Qualifier=live");
    assert_eq!(
        cloud.call("DELETE", &removed, Value::Null).await.status,
        204
    );
    assert!(!allows(&live, source, "000000000000"));
}

#[tokio::test]
async fn permissions_written_at_the_same_time_conflict() {
    let realism = Realism {
        write_conflicts: true,
        api_write: Duration::from_millis(80),
        ..Realism::INSTANT
    };
    let cloud = Cloud::start(Clock::turned(START), realism).await;
    assert_eq!(cloud.create("f", Value::Null).await.status, 201);
    let (first, second) = tokio::join!(biased; permit(&cloud, "f", "s1"), async {
        let writing = async {
            while crate::local::locked(&cloud.world.lambda.writing).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), writing).await.unwrap();
        let refused = permit(&cloud, "f", "s2").await;
        cloud.turn(1);
        refused
    });
    assert_eq!(first.status, 201);
    assert_eq!(second.error(), (409, "ResourceConflictException"));
}

#[tokio::test]
async fn tags_are_a_map_that_merges() {
    let cloud = cloud().await;
    let path = format!("/2017-03-31/tags/{}", ARN.replace(':', "%3A"));
    let tag = |tags: Value| cloud.call("POST", &path, json!({ "Tags": tags }));
    assert_eq!(tag(json!({ "a": "1", "b": "2" })).await.status, 204);
    assert_eq!(tag(json!({ "b": "3" })).await.status, 204);
    assert_eq!(tag(json!({ "aws:x": "3" })).await.status, 400);
    let untag = format!("{path}?tagKeys=a&tagKeys=zzz");
    assert_eq!(cloud.call("DELETE", &untag, Value::Null).await.status, 204);
    let got = cloud.call("GET", &path, Value::Null).await.json();
    assert_eq!(got["Tags"], json!({ "b": "3" }));
    let tagged = cloud.world.lambda.tagged(&cloud.world);
    assert_eq!(
        tagged,
        [(ARN.to_owned(), [("b".to_owned(), "3".to_owned())].into())]
    );
}

#[tokio::test]
async fn reserved_concurrency_throttles() {
    let cloud = cloud().await;
    let path = "/2017-10-31/functions/f/concurrency";
    let put = |n: u64| cloud.call("PUT", path, json!({ "ReservedConcurrentExecutions": n }));
    assert_eq!(
        put(901).await.error(),
        (400, "InvalidParameterValueException")
    );
    assert_eq!(put(0).await.status, 200);
    let got = cloud
        .call("GET", "/2019-09-30/functions/f/concurrency", Value::Null)
        .await;
    assert_eq!(got.json(), json!({ "ReservedConcurrentExecutions": 0 }));
    let got = cloud
        .call("POST", &format!("{F}/f/invocations"), json!({}))
        .await;
    assert_eq!(got.error(), (429, "TooManyRequestsException"));
    assert_eq!(
        got.json()["Reason"],
        "ReservedFunctionConcurrentInvocationLimitExceeded"
    );
    assert_eq!(cloud.call("DELETE", path, Value::Null).await.status, 204);
    let got = cloud
        .call("GET", "/2019-09-30/functions/f/concurrency", Value::Null)
        .await;
    assert_eq!(got.json(), json!({}));
}

#[tokio::test]
async fn functions_are_found_by_every_form_of_their_name() {
    let cloud = cloud().await;
    for name in [
        ARN,
        "000000000000:function:f",
        "f:$LATEST",
        &format!("{ARN}:$LATEST"),
    ] {
        let path = format!("{F}/{}", name.replace(':', "%3A"));
        assert_eq!(
            cloud.call("GET", &path, Value::Null).await.status,
            200,
            "{name}"
        );
    }
    let other = ARN.replace("us-east-1", "eu-west-1");
    assert_eq!(
        cloud
            .call("GET", &format!("{F}/{other}"), Value::Null)
            .await
            .status,
        404
    );
    let both = format!("{F}/f:1?Qualifier=2");
    assert_eq!(cloud.call("GET", &both, Value::Null).await.status, 400);
}

#[tokio::test]
async fn lists_are_paged() {
    let cloud = Cloud::still().await;
    for name in ["a", "a-b", "b", "c"] {
        assert_eq!(cloud.create(name, Value::Null).await.status, 201);
    }
    let mut seen = Vec::new();
    let mut marker = String::new();
    for _ in 0..10 {
        let path = format!("{F}/?MaxItems=3&Marker={marker}");
        let page = cloud.call("GET", &path, Value::Null).await.json();
        let names = page["Functions"].as_array().unwrap();
        seen.extend(
            names
                .iter()
                .map(|f| f["FunctionName"].as_str().unwrap().to_owned()),
        );
        assert!(names[0].get("State").is_none());
        let Some(next) = page["NextMarker"].as_str() else {
            break;
        };
        marker = next.to_owned();
    }
    seen.sort();
    assert_eq!(seen, ["a", "a-b", "b", "c"]);
}

#[tokio::test]
async fn state_and_code_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let clock = Clock::turned(START);
        world(clock, Realism::INSTANT, Some(dir.path()))
    };
    let cloud = Cloud::serve(open()).await;
    assert_eq!(cloud.create("f", Value::Null).await.status, 201);
    assert_eq!(
        cloud
            .create("g", json!({ "Code": code("other") }))
            .await
            .status,
        201
    );
    let before = cloud
        .call("GET", &format!("{F}/f"), Value::Null)
        .await
        .json();
    assert_eq!(
        cloud
            .call("DELETE", &format!("{F}/g"), Value::Null)
            .await
            .status,
        204
    );
    drop(cloud);
    let cloud = Cloud::serve(open()).await;
    let after = cloud
        .call("GET", &format!("{F}/f"), Value::Null)
        .await
        .json();
    assert_eq!(after, before);
    let zips = std::fs::read_dir(dir.path().join("code")).unwrap().count();
    assert_eq!(zips, 1, "only f's package is left");
}

#[tokio::test]
async fn invoke_answers_with_version_and_error_headers() {
    let cloud = Cloud::still().await;
    cloud
        .handler("f", |event| async move {
            if event["fail"] == true {
                return Err(json!({ "errorType": "Oops", "errorMessage": "no" }));
            }
            Ok(json!({ "echo": event }))
        })
        .await;
    let path = format!("{F}/f/invocations");
    let got = cloud.call("POST", &path, json!({ "x": 1 })).await;
    assert_eq!(
        (got.status, got.json()),
        (200, json!({ "echo": { "x": 1 } }))
    );
    assert_eq!(got.headers["x-amz-executed-version"], "$LATEST");
    assert!(!got.headers.contains_key("x-amz-function-error"));
    let got = cloud.call("POST", &path, json!({ "fail": true })).await;
    assert_eq!(
        (got.status, &got.json()["errorMessage"]),
        (200, &json!("no"))
    );
    assert_eq!(got.headers["x-amz-function-error"], "Unhandled");
    let got = cloud.http("POST", &path, &[], b"not json").await;
    assert_eq!(got.error(), (400, "InvalidRequestContentException"));
    let dry = [("x-amz-invocation-type", "DryRun")];
    assert_eq!(cloud.http("POST", &path, &dry, b"{}").await.status, 204);
    let event = [("x-amz-invocation-type", "Event")];
    let large = vec![b' '; 1_048_577];
    let got = cloud.http("POST", &path, &event, &large).await;
    assert_eq!(got.error(), (413, "RequestTooLargeException"));
    let got = cloud
        .call("POST", &format!("{F}/nobody/invocations"), json!({}))
        .await;
    assert_eq!(got.error(), (404, "ResourceNotFoundException"));
}

#[tokio::test]
async fn an_asynchronous_call_is_retried_twice() {
    let cloud = Cloud::still().await;
    let failed = Err(json!({ "errorType": "Oops", "errorMessage": "no" }));
    let mut calls = cloud.recorder("f", failed).await;
    let event = [("x-amz-invocation-type", "Event")];
    let path = format!("{F}/f/invocations");
    let got = cloud.http("POST", &path, &event, br#"{"n":1}"#).await;
    assert_eq!(got.status, 202);
    for wait in [60, 120] {
        assert_eq!(calls.recv().await.unwrap(), json!({ "n": 1 }));
        turn_until(&cloud, wait, || !calls.is_empty()).await;
    }
    assert_eq!(calls.recv().await.unwrap(), json!({ "n": 1 }));
    cloud.turn(7 * 3600);
    assert!(calls.try_recv().is_err(), "three attempts are all");
}

/// Turns the clock once the queue waits for it, which cannot be seen from outside: step by step until it has acted.
async fn turn_until(cloud: &Cloud, most: u64, done: impl Fn() -> bool) {
    for _ in 0..most * 100 {
        if done() {
            return;
        }
        cloud.turn(1);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    panic!("nothing happened in {most} hundred seconds");
}

#[tokio::test]
async fn the_callers_patience_ends_before_the_function_does() {
    let cloud = Cloud::still().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let clock = cloud.world.clock.clone();
    cloud
        .handler("f", move |_| {
            let (tell, clock) = (tell.clone(), clock.clone());
            async move {
                tell.send("begun").unwrap();
                clock.wait(Duration::from_secs(2)).await;
                tell.send("done").unwrap();
                Ok(Value::Null)
            }
        })
        .await;
    let limit = Duration::from_secs(1);
    let (answer, ()) = tokio::join!(
        super::Lambda::invoke(&cloud.world, "f", "id", b"{}".to_vec(), limit),
        async {
            assert_eq!(told.recv().await, Some("begun"));
            cloud.turn(1);
        }
    );
    assert_eq!(answer.unwrap_err().code, super::TIMED_OUT);
    cloud.turn(1);
    assert_eq!(told.recv().await, Some("done"));
}

#[tokio::test]
async fn the_sdk_understands_answers_and_refusals() {
    use aws_sdk_lambda::config::{BehaviorVersion, Builder, Credentials, Region};
    use aws_sdk_lambda::primitives::Blob;
    let cloud = cloud().await;
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::for_tests())
        .endpoint_url(format!("http://{}", cloud.address))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled())
        .build();
    let client = aws_sdk_lambda::Client::from_conf(config);
    let error = client
        .get_function()
        .function_name("nobody")
        .send()
        .await
        .unwrap_err();
    let error = error.into_service_error();
    assert!(error.is_resource_not_found_exception());
    assert!(
        error
            .meta()
            .message()
            .unwrap()
            .starts_with("Function not found")
    );
    let made = client
        .create_function()
        .function_name("f")
        .role(ROLE)
        .handler("bootstrap")
        .runtime("provided.al2023".into())
        .code(
            aws_sdk_lambda::types::FunctionCode::builder()
                .zip_file(Blob::new(zip(&[("bootstrap", "x")])))
                .build(),
        )
        .send()
        .await
        .unwrap_err();
    let error = made.into_service_error();
    assert!(error.is_resource_conflict_exception());
    assert_eq!(error.meta().message(), Some("Function already exist: f"));
    let tags = client.list_tags().resource(ARN).send().await.unwrap();
    assert_eq!(tags.tags().into_iter().flatten().count(), 0);
    client
        .delete_function()
        .function_name("f")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_cloud_that_is_far_away_takes_its_time() {
    let latency = Duration::from_secs(1);
    let realism = Realism {
        latency,
        ..Realism::INSTANT
    };
    let cloud = Cloud::start(Clock::turned(START), realism).await;
    cloud.handler("far", |_| async { Ok(json!("here")) }).await;
    let patience = Duration::from_secs(29);
    let mut call = std::pin::pin!(Lambda::invoke(
        &cloud.world,
        "far",
        "id",
        b"{}".to_vec(),
        patience
    ));
    assert!(futures_util::poll!(&mut call).is_pending());
    cloud.turn(1);
    assert_eq!(call.await.unwrap().payload, b"\"here\"");
}
