//! AWS's own managed policies, as far as a chat's roles use them. Any other can be attached, and says nothing.

const PREFIX: &str = "arn:aws:iam::aws:policy";

/// Path and name, and the document.
const KNOWN: &[(&str, &str)] = &[
    (
        "/AdministratorAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "/AWSXRayDaemonWriteAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["xray:PutTraceSegments","xray:PutTelemetryRecords","xray:GetSamplingRules","xray:GetSamplingTargets","xray:GetSamplingStatisticSummaries"],"Resource":["*"]}]}"#,
    ),
    (
        "/AmazonAPIGatewayInvokeFullAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["execute-api:Invoke","execute-api:ManageConnections"],"Resource":"arn:aws:execute-api:*:*:*"}]}"#,
    ),
    (
        "/service-role/AWSLambdaBasicExecutionRole",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#,
    ),
    (
        "/service-role/AWSLambdaDynamoDBExecutionRole",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["dynamodb:DescribeStream","dynamodb:GetRecords","dynamodb:GetShardIterator","dynamodb:ListStreams","logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#,
    ),
    (
        "/service-role/AWSLambdaRole",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["lambda:InvokeFunction"],"Resource":["*"]}]}"#,
    ),
    (
        "/service-role/AmazonAPIGatewayPushToCloudWatchLogs",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:DescribeLogGroups","logs:DescribeLogStreams","logs:PutLogEvents","logs:GetLogEvents","logs:FilterLogEvents"],"Resource":"*"}]}"#,
    ),
];

/// Whether AWS owns the policy of this ARN.
pub(super) fn is(arn: &str) -> bool {
    arn.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.starts_with('/'))
}

pub(super) fn document(arn: &str) -> Option<&'static str> {
    let wanted = arn.strip_prefix(PREFIX)?;
    let found = KNOWN.iter().find(|(known, _)| *known == wanted);
    found.map(|(_, document)| *document)
}

/// ARNs and documents.
pub(super) fn all() -> impl Iterator<Item = (String, &'static str)> {
    let known = KNOWN.iter();
    known.map(|(name, document)| (format!("{PREFIX}{name}"), *document))
}

/// `/service-role/` and the rest.
pub(super) fn path_and_name(arn: &str) -> (&str, &str) {
    let whole = arn.strip_prefix(PREFIX).unwrap_or(arn);
    whole.split_at(whole.rfind('/').map_or(0, |slash| slash + 1))
}

/// An id in AWS's form, the same each time.
pub(super) fn id(name: &str) -> String {
    let letters = name.to_ascii_uppercase();
    let letters = letters.chars().filter(char::is_ascii_uppercase);
    let padding = std::iter::repeat('A');
    "ANPA"
        .chars()
        .chain(letters.chain(padding).take(17))
        .collect()
}
