//! A table that somebody else made: refused, taken over when it is named, protected from then on, and gone only when
//! its items may go.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::cloud::{Dev, TINY, through};
use super::scratch::{Ran, Scratch};

/// One call to `DynamoDB` by hand: there is no other client here.
fn dynamodb(dev: &Dev, operation: &str, body: &str) -> String {
    let address = dev.endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         x-amz-target: DynamoDB_20120810.{operation}\r\ncontent-type: application/x-amz-json-1.0\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/dynamodb/aws4_request, \
         SignedHeaders=host, Signature=00\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const CREATE: &str = r#"{"TableName":"shop-connections","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"connectionId","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"connectionId","AttributeType":"S"}]}"#;
const NAME: &str = r#"{"TableName":"shop-connections"}"#;

#[test]
fn a_table_of_somebody_else_is_taken_over_when_it_is_named() {
    let scratch = Scratch::new("adopt", Some("shop"));
    scratch.write("tiny.yaml", TINY);
    let dev = Dev::start(&scratch, &["-f", "tiny.yaml"]);
    let run = |words: &[&str]| Ran::of(through(&scratch, &dev, words));
    let made = dynamodb(&dev, "CreateTable", CREATE);
    assert!(made.starts_with("HTTP/1.1 200"), "{made}");

    let ran = run(&["deploy", "--yes", "--quiet"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert_eq!(
        ran.err,
        "error: table/shop-connections exists and was not made by this stack\n\
         hint: give this stack's table another name (or a `suffix`), or take it over with \
         `--adopt table/shop-connections`\n"
    );
    let adopt = ["--adopt", "table/shop-connections"];
    let ran = run(&[&["diff"], &adopt[..]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mark = "  ~ table/shop-connections\n      indexes.userId-index.partition: (none) → userId\n      \
                indexes.userId-index.projection: (none) → all\n      protection: false → true\n      \
                tags.msgai:stack: (none) → shop\n      ttl: (none) → ttl\n";
    assert!(ran.out.contains(mark), "{ran:?}");
    let ran = run(&[&["status"], &adopt[..]].concat());
    assert!(ran.out.contains("! table/shop-connections"), "{ran:?}");
    let ran = run(&[&["validate", "--online"], &adopt[..]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");

    // In the file it does the same as on the command line, and stays there without harm.
    let text = format!(
        "adopt: [table/shop-connections]\n{}",
        scratch.read("stack.yaml")
    );
    scratch.write("stack.yaml", &text);
    let ran = run(&["deploy", "--yes", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(&["diff", "--detailed-exitcode"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");

    let refused = dynamodb(&dev, "DeleteTable", NAME);
    assert!(refused.contains("protected against deletion"), "{refused}");
    let ran = run(&["destroy", "--yes", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let kept = dynamodb(&dev, "DescribeTable", NAME);
    assert!(
        kept.contains("\"DeletionProtectionEnabled\":true"),
        "{kept}"
    );
    let ran = run(&["destroy", "--yes", "--quiet", "--delete-data"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let gone = dynamodb(&dev, "DescribeTable", NAME);
    assert!(gone.starts_with("HTTP/1.1 400"), "{gone}");
    assert_eq!(dev.end(), Some(130));
}
