use super::*;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
pub(super) const POLICY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"logs:PutLogEvents","Resource":"*"}}"#;

pub(super) fn call(
    state: &mut State,
    operation: &str,
    parameters: &[(&str, &str)],
) -> Result<Value, Refusal> {
    call_at(state, operation, parameters, Duration::from_secs(100))
}

fn call_at(
    state: &mut State,
    operation: &str,
    parameters: &[(&str, &str)],
    now: Duration,
) -> Result<Value, Refusal> {
    let parameters: Parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let reply = match read(state, operation, &parameters)? {
        Some(reply) => reply,
        None => roles::write(state, operation, &parameters, now)?,
    };
    Ok(reply.body.unwrap_or_default())
}

pub(super) fn with_role() -> State {
    let mut state = State::default();
    call(
        &mut state,
        "CreateRole",
        &[
            ("RoleName", "chat"),
            ("Path", "/msgai/chat/"),
            ("AssumeRolePolicyDocument", TRUST),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "chat"),
        ],
    )
    .unwrap();
    state
}

pub(super) fn refused(
    state: &mut State,
    operation: &str,
    parameters: &[(&str, &str)],
) -> (u16, String, String) {
    let refusal = call(state, operation, parameters).unwrap_err();
    (refusal.status, refusal.code.into_owned(), refusal.message)
}

#[test]
fn a_role_is_described_with_its_document_encoded() {
    let mut state = with_role();
    let role = &call(&mut state, "GetRole", &[("RoleName", "chat")]).unwrap()["Role"];
    assert_eq!(
        role["Arn"],
        "arn:aws:iam::000000000000:role/msgai/chat/chat"
    );
    assert_eq!(role["CreateDate"], "1970-01-01T00:01:40Z");
    assert_eq!(role["MaxSessionDuration"], 3600);
    assert_eq!(role["Tags"], json!([{"Key": "team", "Value": "chat"}]));
    let document = role["AssumeRolePolicyDocument"].as_str().unwrap();
    assert!(
        document.starts_with("%7B%22Version%22%3A%222012-10-17%22"),
        "{document}"
    );
}

#[test]
fn names_are_unique_whatever_their_case() {
    let mut state = with_role();
    let create = [("RoleName", "CHAT"), ("AssumeRolePolicyDocument", TRUST)];
    let (status, code, message) = refused(&mut state, "CreateRole", &create);
    assert_eq!((status, code.as_str()), (409, "EntityAlreadyExists"));
    assert_eq!(message, "Role with name CHAT already exists.");
    let (status, code, _) = refused(&mut state, "GetRole", &[("RoleName", "CHAT")]);
    assert_eq!((status, code.as_str()), (404, "NoSuchEntity"));
}

#[test]
fn a_role_with_policies_is_not_deleted() {
    let mut state = with_role();
    let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    let put = [
        ("RoleName", "chat"),
        ("PolicyName", "p"),
        ("PolicyDocument", POLICY),
    ];
    call(&mut state, "PutRolePolicy", &put).unwrap();
    call(&mut state, "PutRolePolicy", &put).unwrap();
    let attach = [("RoleName", "chat"), ("PolicyArn", arn)];
    call(&mut state, "AttachRolePolicy", &attach).unwrap();
    call(&mut state, "AttachRolePolicy", &attach).unwrap();
    let delete = [("RoleName", "chat")];
    assert_eq!(
        refused(&mut state, "DeleteRole", &delete).1,
        "DeleteConflict"
    );
    call(&mut state, "DeleteRolePolicy", &put[..2]).unwrap();
    assert_eq!(refused(&mut state, "DeleteRole", &delete).0, 409);
    call(&mut state, "DetachRolePolicy", &attach).unwrap();
    assert_eq!(
        refused(&mut state, "DetachRolePolicy", &attach).1,
        "NoSuchEntity"
    );
    call(&mut state, "DeleteRole", &delete).unwrap();
    assert_eq!(refused(&mut state, "DeleteRole", &delete).1, "NoSuchEntity");
}

#[test]
fn documents_that_aws_refuses_are_refused() {
    let mut state = with_role();
    let statement = |s: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{s}]}}"#);
    let permissions = [
        ("{", "This policy contains invalid Json".to_owned()),
        (
            r#"{"Version":"2012-10-17"}"#,
            "Syntax errors in policy.".to_owned(),
        ),
        (
            &statement(r#"{"Effect":"Allow","Action":"s:*","Resource":"*","Principal":"*"}"#),
            "Policy document should not specify a principal.".to_owned(),
        ),
        (
            &statement(r#"{"Effect":"Allow","Action":"s:*","Resource":"table"}"#),
            "Resource table must be in ARN format or \"*\".".to_owned(),
        ),
        (
            &statement(r#"{"Effect":"Allow","Action":"PutItem","Resource":"*"}"#),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".to_owned(),
        ),
        (
            &statement(
                r#"{"Effect":"Allow","Action":"s:*","Resource":"*","Condition":{"StringSame":{"a:b":"c"}}}"#,
            ),
            "Invalid Condition type : StringSame".to_owned(),
        ),
    ];
    for (document, text) in permissions {
        let put = [
            ("RoleName", "chat"),
            ("PolicyName", "p"),
            ("PolicyDocument", document),
        ];
        let (status, code, message) = refused(&mut state, "PutRolePolicy", &put);
        assert_eq!(
            (status, code.as_str(), &message),
            (400, "MalformedPolicyDocument", &text)
        );
    }
    let unknown = TRUST.replace(
        r#"{"Service":"lambda.amazonaws.com"}"#,
        r#"{"AWS":"arn:aws:iam::000000000000:role/none"}"#,
    );
    for (trust, text) in [
        (
            unknown.as_str(),
            "Invalid principal in policy: \"AWS\":\"arn:aws:iam::000000000000:role/none\"",
        ),
        (POLICY, "Has prohibited field Resource"),
    ] {
        let update = [("RoleName", "chat"), ("PolicyDocument", trust)];
        assert_eq!(
            refused(&mut state, "UpdateAssumeRolePolicy", &update).2,
            text
        );
    }
}

#[test]
fn quotas_are_kept() {
    let mut state = with_role();
    let long = POLICY.replace("logs:PutLogEvents", &format!("logs:{}", "x".repeat(6000)));
    let put = |name| {
        [
            ("RoleName", "chat"),
            ("PolicyName", name),
            ("PolicyDocument", long.as_str()),
        ]
    };
    call(&mut state, "PutRolePolicy", &put("a")).unwrap();
    let (status, code, message) = refused(&mut state, "PutRolePolicy", &put("b"));
    assert_eq!((status, code.as_str()), (409, "LimitExceeded"));
    assert_eq!(
        message,
        "Maximum policy size of 10240 bytes exceeded for role chat"
    );
    for i in 0..10 {
        let arn = format!("arn:aws:iam::aws:policy/P{i}");
        call(
            &mut state,
            "AttachRolePolicy",
            &[("RoleName", "chat"), ("PolicyArn", &arn)],
        )
        .unwrap();
    }
    let eleventh = [
        ("RoleName", "chat"),
        ("PolicyArn", "arn:aws:iam::aws:policy/P10"),
    ];
    assert_eq!(
        refused(&mut state, "AttachRolePolicy", &eleventh).1,
        "LimitExceeded"
    );
    let trust = TRUST.replace("lambda.", &format!("{}.", "l".repeat(2048)));
    let create = [
        ("RoleName", "r"),
        ("AssumeRolePolicyDocument", trust.as_str()),
    ];
    assert_eq!(
        refused(&mut state, "CreateRole", &create).1,
        "LimitExceeded"
    );
}

#[test]
fn lists_come_in_pages() {
    let mut state = with_role();
    for i in 0..5 {
        let name = format!("r{i}");
        let create = [
            ("RoleName", name.as_str()),
            ("AssumeRolePolicyDocument", TRUST),
        ];
        call(&mut state, "CreateRole", &create).unwrap();
    }
    let mut names = Vec::new();
    let mut marker: Option<String> = None;
    for _ in 0..10 {
        let mut parameters = vec![("MaxItems", "2")];
        if let Some(marker) = &marker {
            parameters.push(("Marker", marker));
        }
        let page = call(&mut state, "ListRoles", &parameters).unwrap();
        let roles = page["Roles"].as_array().unwrap();
        names.extend(
            roles
                .iter()
                .map(|role| role["RoleName"].as_str().unwrap().to_owned()),
        );
        if page["IsTruncated"] == false {
            break;
        }
        marker = Some(page["Marker"].as_str().unwrap().to_owned());
    }
    assert_eq!(names, ["chat", "r0", "r1", "r2", "r3", "r4"]);
    let ours = call(&mut state, "ListRoles", &[("PathPrefix", "/msgai/")]).unwrap();
    assert_eq!(ours["Roles"].as_array().unwrap().len(), 1);
}

#[test]
fn lambda_sees_a_role_once_its_trust_has_spread() {
    let arn = "arn:aws:iam::000000000000:role/msgai/chat/chat";
    let seconds = Duration::from_secs;
    let iam = Iam(Mutex::new(with_role()));
    assert!(!iam.assumable_by_lambda(arn, seconds(107), seconds(8)));
    assert!(iam.assumable_by_lambda(arn, seconds(108), seconds(8)));
    assert!(!iam.assumable_by_lambda(
        "arn:aws:iam::000000000000:role/chat",
        seconds(108),
        seconds(8)
    ));
    let other = TRUST.replace("lambda.", "apigateway.");
    let update = [("RoleName", "chat"), ("PolicyDocument", other.as_str())];
    call_at(
        &mut locked(&iam.0),
        "UpdateAssumeRolePolicy",
        &update,
        seconds(110),
    )
    .unwrap();
    assert!(!iam.assumable_by_lambda(arn, seconds(1000), seconds(8)));
}

#[test]
fn update_role_merges_and_clears() {
    let mut state = with_role();
    let update = |d| [("RoleName", "chat"), ("Description", d)];
    call(&mut state, "UpdateRole", &update("words")).unwrap();
    let session = [("RoleName", "chat"), ("MaxSessionDuration", "7200")];
    call(&mut state, "UpdateRole", &session).unwrap();
    let role = &call(&mut state, "GetRole", &[("RoleName", "chat")]).unwrap()["Role"];
    assert_eq!(
        (&role["Description"], &role["MaxSessionDuration"]),
        (&json!("words"), &json!(7200))
    );
    call(&mut state, "UpdateRole", &update("")).unwrap();
    let role = &call(&mut state, "GetRole", &[("RoleName", "chat")]).unwrap()["Role"];
    assert_eq!(role.get("Description"), None);
    let short = [("RoleName", "chat"), ("MaxSessionDuration", "60")];
    assert_eq!(
        refused(&mut state, "UpdateRole", &short).1,
        "ValidationError"
    );
}
