//! Lambda's rules for what it is given, and the words in which it says no.

use std::collections::BTreeMap;

use super::state::{LATEST, Logging};
use crate::local::World;
use crate::local::refusal::Refusal;

/// Names that Lambda sets itself and nobody else may.
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

const RUNTIMES: [&str; 18] = [
    "provided.al2023",
    "provided.al2",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "java11",
    "java17",
    "java21",
    "java25",
    "dotnet8",
    "dotnet10",
    "ruby3.3",
    "ruby3.4",
];

const ENVIRONMENT_LIMIT: usize = 4096;
const TAG_LIMIT: usize = 50;

fn user(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(status, code, message).with("Type", "User")
}

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    user(400, "InvalidParameterValueException", message)
}

pub(super) fn conflict(message: impl Into<String>) -> Refusal {
    user(409, "ResourceConflictException", message)
}

/// Lambda spells this error's message member with a capital.
pub(super) fn missing(message: impl Into<String>) -> Refusal {
    let refusal = user(404, "ResourceNotFoundException", message);
    let message = refusal.message.clone();
    refusal.with("Message", message)
}

pub(super) fn missing_function(world: &World, name: &str, qualifier: Option<&str>) -> Refusal {
    missing(format!(
        "Function not found: {}",
        arn(world, name, qualifier)
    ))
}

pub(super) fn precondition(what: &str) -> Refusal {
    user(
        412,
        "PreconditionFailedException",
        format!(
            "The Revision Id provided does not match the latest Revision Id. Call the {what} API to retrieve the latest Revision Id"
        ),
    )
}

pub(super) fn throttled(reason: &str) -> Refusal {
    user(429, "TooManyRequestsException", "Rate Exceeded.").with("Reason", reason)
}

pub(super) fn too_large(message: impl Into<String>) -> Refusal {
    user(413, "RequestTooLargeException", message)
}

pub(super) fn policy_too_long(size: usize) -> Refusal {
    user(
        400,
        "PolicyLengthExceededException",
        format!("The final policy size ({size}) is bigger than the limit (20480)."),
    )
}

pub(super) fn failure(error: impl std::fmt::Display) -> Refusal {
    let message = format!("the local cloud failed: {error}");
    Refusal::new(500, "ServiceException", message.clone())
        .with("Type", "Service")
        .with("Message", message)
}

/// The refusal of a value that the service model itself rules out.
pub(super) fn constraint(value: impl std::fmt::Display, member: &str, rule: &str) -> Refusal {
    Refusal::new(
        400,
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {rule}"
        ),
    )
}

pub(super) fn arn(world: &World, function: &str, qualifier: Option<&str>) -> String {
    let base = format!("arn:aws:lambda:{}:function:{function}", world.place());
    match qualifier {
        Some(qualifier) => format!("{base}:{qualifier}"),
        None => base,
    }
}

/// A function as callers name it: a name or an ARN, each with a qualifier or without.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) qualifier: Option<String>,
}

impl Target {
    pub(super) fn parse(
        world: &World,
        text: &str,
        qualifier: Option<&str>,
    ) -> Result<Self, Refusal> {
        let parts: Vec<&str> = text.split(':').collect();
        let (place, rest) = match parts.as_slice() {
            ["arn", _, "lambda", region, account, "function", rest @ ..] => {
                (Some((Some(*region), *account)), rest)
            }
            [account, "function", rest @ ..] => (Some((None, *account)), rest),
            rest => (None, rest),
        };
        let (name, own) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some(*qualifier)),
            _ => return Err(bad_name(text)),
        };
        if !is_word(name) || name.len() > 64 {
            return Err(bad_name(text));
        }
        if let (Some(own), Some(asked)) = (own, qualifier)
            && own != asked
        {
            return Err(invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        let qualifier = own.or(qualifier).filter(|q| !q.is_empty());
        if let Some((region, account)) = place
            && (account != world.account || region.is_some_and(|r| r != world.region))
        {
            return Err(missing_function(world, name, qualifier));
        }
        Ok(Self {
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
        })
    }

    pub(super) fn qualifier(&self) -> Option<&str> {
        self.qualifier.as_deref()
    }
}

fn bad_name(text: &str) -> Refusal {
    constraint(
        text,
        "functionName",
        r"satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
    )
}

/// Letters, digits, `-` and `_`, at least one.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

pub(super) fn alias_name(name: &str) -> Result<(), Refusal> {
    let digits = name.bytes().all(|b| b.is_ascii_digit());
    if !is_word(name) || digits || name.len() > 128 {
        let rule = "satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)";
        return Err(constraint(name, "name", rule));
    }
    Ok(())
}

pub(super) fn statement_id(id: &str) -> Result<(), Refusal> {
    if !is_word(id) || id.len() > 100 {
        let rule = "satisfy regular expression pattern: ([a-zA-Z0-9-_]+)";
        return Err(constraint(id, "statementId", rule));
    }
    Ok(())
}

pub(super) fn in_range(value: i64, member: &str, least: u64, most: u64) -> Result<u64, Refusal> {
    match u64::try_from(value) {
        Ok(value) if value > most => {
            let rule = format!("have value less than or equal to {most}");
            Err(constraint(value, member, &rule))
        }
        Ok(value) if value >= least => Ok(value),
        _ => {
            let rule = format!("have value greater than or equal to {least}");
            Err(constraint(value, member, &rule))
        }
    }
}

pub(super) fn no_longer(text: &str, member: &str, most: usize) -> Result<(), Refusal> {
    if text.len() > most {
        let rule = format!("have length less than or equal to {most}");
        return Err(constraint(text, member, &rule));
    }
    Ok(())
}

pub(super) fn one_of(value: &str, member: &str, set: &[&str]) -> Result<(), Refusal> {
    if !set.contains(&value) {
        let rule = format!("satisfy enum value set: [{}]", set.join(", "));
        return Err(constraint(value, member, &rule));
    }
    Ok(())
}

pub(super) fn runtime(name: &str) -> Result<(), Refusal> {
    if RUNTIMES.contains(&name) {
        return Ok(());
    }
    let family = |prefix: &str| name.starts_with(prefix);
    if [
        "nodejs", "python", "ruby", "dotnet", "java", "go1", "provided",
    ]
    .into_iter()
    .any(family)
    {
        return Err(invalid(format!(
            "The runtime parameter of {name} is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."
        )));
    }
    Err(invalid(format!(
        "Value {name} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN",
        RUNTIMES.join(", ")
    )))
}

pub(super) fn role(world: &World, arn: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let formed = matches!(parts.as_slice(), ["arn", p, "iam", "", account, role]
        if p.starts_with("aws") && account.len() == 12 && role.starts_with("role/"));
    if !formed {
        let rule = r"satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";
        return Err(constraint(arn, "role", rule));
    }
    let (now, propagation) = (world.clock.now(), world.realism.role_propagation);
    if !world.iam.assumable_by_lambda(arn, now, propagation) {
        return Err(invalid(
            "The role defined for the function cannot be assumed by Lambda.",
        ));
    }
    Ok(())
}

pub(super) fn variables(variables: &BTreeMap<String, String>) -> Result<(), Refusal> {
    for name in variables.keys() {
        let mut bytes = name.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
        let rest = name.len() > 1 && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
        // `_HANDLER` and its like are refused as reserved below, not as malformed.
        let reserved = RESERVED.contains(&name.as_str());
        let formed = first && rest;
        if !reserved && !formed {
            let rule = "satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]";
            return Err(constraint(name, "environment.variables", rule));
        }
    }
    let reserved: Vec<&str> = RESERVED
        .into_iter()
        .filter(|name| variables.contains_key(*name))
        .collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let size: usize = variables.iter().map(|(k, v)| k.len() + v.len()).sum();
    if size > ENVIRONMENT_LIMIT {
        return Err(invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.",
        ));
    }
    Ok(())
}

pub(super) fn tags(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if tags.len() > TAG_LIMIT {
        return Err(invalid(format!(
            "Too many tags. A resource can have up to {TAG_LIMIT} tags."
        )));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!(
                "Tag key or value is too long or empty: {key}"
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid(
                "aws: prefixed tag key names are not allowed for external use.",
            ));
        }
    }
    Ok(())
}

pub(super) fn logging(logging: &Logging) -> Result<(), Refusal> {
    if let Some(format) = &logging.log_format {
        one_of(format, "loggingConfig.logFormat", &["JSON", "Text"])?;
    }
    let json = logging.log_format.as_deref() == Some("JSON");
    if !json && (logging.application_log_level.is_some() || logging.system_log_level.is_some()) {
        return Err(invalid(
            "The log level can only be set when the log format is JSON.",
        ));
    }
    let named = |b: u8| b.is_ascii_alphanumeric() || b"-_./#".contains(&b);
    match &logging.log_group {
        Some(group) if group.is_empty() || group.len() > 512 || !group.bytes().all(named) => {
            let rule = r"satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+";
            Err(constraint(group, "loggingConfig.logGroup", rule))
        }
        _ => Ok(()),
    }
}

/// A qualifier under which something may be kept that `$LATEST` cannot have.
pub(super) fn not_latest(target: &Target) -> Result<(), Refusal> {
    if target.qualifier() == Some(LATEST) {
        return Err(invalid(
            "We currently do not support adding policies for $LATEST.",
        ));
    }
    Ok(())
}
