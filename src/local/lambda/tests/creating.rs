//! What `CreateFunction` takes and refuses.

use super::*;

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
