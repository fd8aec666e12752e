//! Who may not do what a plan needs is told before the first write, with everything that is missing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::cloud::{Dev, TINY, through};
use super::scratch::{Ran, Scratch};

/// A call of the query protocol, as anybody's client makes it.
fn post(dev: &Dev, service: &str, body: &str) -> String {
    let address = dev.endpoint.trim_start_matches("http://");
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=00\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

/// The key and the token of a session of a role that may do no more than this.
fn session(dev: &Dev, actions: &str) -> (String, String) {
    let trust = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
                 %22Principal%22%3A%7B%22AWS%22%3A%22*%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
    post(
        dev,
        "iam",
        &format!("Action=CreateRole&RoleName=deployer&Path=/ci/&AssumeRolePolicyDocument={trust}"),
    );
    let policy = format!(
        "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
         %22Action%22%3A%5B{actions}%5D%2C%22Resource%22%3A%22*%22%7D%5D%7D"
    );
    post(
        dev,
        "iam",
        &format!("Action=PutRolePolicy&RoleName=deployer&PolicyName=p&PolicyDocument={policy}"),
    );
    let arn = "arn:aws:iam::000000000000:role/ci/deployer";
    let answer = post(
        dev,
        "sts",
        &format!("Action=AssumeRole&RoleArn={arn}&RoleSessionName=ci"),
    );
    let inside = |tag: &str| {
        let (_, rest) = answer.split_once(tag).unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    (inside("<AccessKeyId>"), inside("<SessionToken>"))
}

#[test]
fn a_deploy_that_would_be_denied_is_refused_before_it_begins() {
    let scratch = Scratch::new("preflight", Some("shop"));
    let dev = Dev::start(&scratch, &[]);
    let services = "%22apigateway%3A*%22%2C%22logs%3A*%22%2C%22dynamodb%3A*%22";
    let some = "%22iam%3A*%22%2C%22lambda%3AGet*%22%2C%22lambda%3ATagResource%22%2C%22lambda%3APublishVersion%22";
    let (key, token) = session(&dev, &format!("{services}%2C{some}"));
    let run = |words: &[&str]| {
        let mut command = through(&scratch, &dev, words);
        command.env("AWS_ACCESS_KEY_ID", &key);
        command.env("AWS_SESSION_TOKEN", &token);
        Ran::of(command)
    };
    let function =
        |name: &str| format!("arn:aws:lambda:us-east-1:000000000000:function:shop-{name}-dev");
    let (connect, talk) = (function("connect"), function("talk"));
    let ran = run(&["deploy", "-e", "dev", "--yes", "--quiet"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert_eq!(
        ran.err,
        format!(
            "error: role/deployer may not call lambda:AddPermission on {connect}:live, {talk}:live: no identity-based policy allows it\n\
             error: role/deployer may not call lambda:CreateAlias on {connect}, {talk}: no identity-based policy allows it\n\
             error: role/deployer may not call lambda:CreateFunction on {connect}, {talk}: no identity-based policy allows it\n\
             hint: add what is missing to a policy of role/deployer, or use another `--profile`\n\
             hint: nothing is changed; where this is a mistake, `--no-preflight` goes on all the same\n"
        )
    );
    let ran = run(&["deploy", "-e", "dev", "--yes", "--json"]);
    let last: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    assert_eq!(last["kind"], "refused", "{ran:?}");
    assert_eq!(last["missing"].as_array().map(Vec::len), Some(6), "{ran:?}");
    assert_eq!(last["missing"][0]["action"], "lambda:AddPermission");
    let ran = run(&["status", "-e", "dev", "--json"]);
    let status: Value = serde_json::from_str(&ran.out).unwrap();
    let all = status["resources"].as_array().unwrap();
    assert!(all.iter().all(|r| r["standing"] == "missing"), "{ran:?}");

    let ran = run(&["validate", "-e", "dev", "--online"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let lines: Vec<&str> = ran.out.lines().skip(1).collect();
    let starts = [
        "ok         identity: arn:aws:sts::000000000000:assumed-role/deployer/ci in account 000000000000, us-east-1",
        "ok         names: nothing of others has a name that the stack wants",
        "problem    permissions: role/deployer may not call lambda:AddPermission on ",
        "           hint: add what is missing to a policy of role/deployer",
        "problem    permissions: role/deployer may not call lambda:CreateAlias on ",
        "           hint: ",
        "problem    permissions: role/deployer may not call lambda:CreateFunction on ",
        "           hint: ",
        "ok         permissions: role/deployer may make ",
        "ok         functions: ",
        "ok         roles: ",
    ];
    assert_eq!(lines.len(), starts.len(), "{ran:?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}\n{start}");
    }
    let ran = run(&["validate", "-e", "dev", "--online", "--json"]);
    let object: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(object["checks"][2]["standing"], "problem", "{object}");
    assert_eq!(object["checks"][2]["check"], "permissions", "{object}");

    // Who goes on all the same is denied at the first such call; the rest is there, for somebody who may.
    let deploy = ["deploy", "-e", "dev", "--yes", "--quiet"];
    let ran = run(&[&deploy[..], &["--no-preflight"]].concat());
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let said = "role/deployer may not call lambda:CreateFunction on arn:aws:lambda:";
    assert!(ran.err.contains(said), "{ran:?}");
    let ran = Ran::of(through(&scratch, &dev, &deploy));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(&["destroy", "-e", "dev", "--yes", "--quiet"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.err.contains("may not call lambda:DeleteFunction on "),
        "{ran:?}"
    );
    let destroy = ["destroy", "-e", "dev", "--yes", "--quiet"];
    let ran = run(&[&destroy[..], &["--no-preflight"]].concat());
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let said = "role/deployer may not call lambda:DeleteFunction on arn:aws:lambda:";
    assert!(ran.err.contains(said), "{ran:?}");
    let ran = Ran::of(through(&scratch, &dev, &destroy));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(dev.end(), Some(130));
}

#[test]
fn a_limit_that_a_deploy_would_hit_is_told_before_it_begins() {
    let scratch = Scratch::new("limit", Some("shop"));
    let dev = Dev::start(&scratch, &[]);
    let greedy = TINY.replace(
        "entry: index.handler",
        "entry: index.handler, concurrency: 901",
    );
    scratch.write("greedy.yaml", &greedy);
    let run = |words: &[&str]| Ran::of(through(&scratch, &dev, words));
    let ran = run(&["deploy", "-f", "greedy.yaml", "--yes", "--quiet"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.err.starts_with(
            "error: 901 more executions reserved leave 99 of the account's 1000 to all other"
        ),
        "{ran:?}"
    );
    let ran = run(&["validate", "-f", "greedy.yaml", "--online"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.out.contains("\nproblem    concurrency: 901 more"),
        "{ran:?}"
    );
    assert_eq!(dev.end(), Some(130));
}
