//! The functions that the API calls, as it calls them.

use std::collections::BTreeMap;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{FunctionConfiguration, PackageType, Runtime, TracingMode};
use futures_util::future::try_join_all;
use serde_json::Value;

use super::super::system::{Function, Note, strings};
use super::{Missing, or_note, unfit};
use crate::cloud::{Cloud, CloudError};
use crate::names::{LIVE, Place};
use crate::resource::{found, pages};

/// What Lambda gives a function for files unless it is told otherwise, in megabytes.
const STORAGE: i32 = 512;

type All = (BTreeMap<String, Function>, Vec<Note>);

pub(super) async fn read(
    cloud: &Cloud,
    place: &Place,
    api: &str,
    called: &BTreeMap<String, Option<String>>,
) -> Result<All, Missing> {
    let seen = try_join_all(called.iter().map(|(name, qualifier)| async move {
        let mut notes = Vec::new();
        let function = one(cloud, name, qualifier.as_deref(), &mut notes).await?;
        beside(cloud, place, api, name, &mut notes).await?;
        Ok::<_, Missing>((function, notes))
    }));
    let mut all = BTreeMap::new();
    let mut notes = Vec::new();
    for (function, of_function) in seen.await? {
        all.insert(function.name.clone(), function);
        notes.extend(of_function);
    }
    Ok((all, notes))
}

async fn get(
    cloud: &Cloud,
    name: &str,
    qualifier: Option<&str>,
) -> Result<Option<GetFunctionOutput>, CloudError> {
    let answer = cloud.call("GetFunction", name, || {
        let get = cloud.lambda().get_function().function_name(name);
        get.set_qualifier(qualifier.map(str::to_owned)).send()
    });
    found(answer.await)
}

async fn one(
    cloud: &Cloud,
    name: &str,
    qualifier: Option<&str>,
    notes: &mut Vec<Note>,
) -> Result<Function, Missing> {
    let Some(answer) = get(cloud, name, qualifier).await? else {
        return unfit(
            format!("the API calls function {name}, which is not there"),
            "make it, or take its route out of the API, and try again",
        );
    };
    let Some(it) = answer.configuration() else {
        return unfit(
            format!("nothing is told of function {name}"),
            "try again, or look at it: `aws lambda get-function`",
        );
    };
    let of = format!("function/{name}");
    if it.package_type() == Some(&PackageType::Image) {
        return unfit(
            format!("function {name} is a container image, and msgai deploys zips"),
            "take its route out of the API, or make it a zip, and try again",
        );
    }
    if let Some(qualifier) = qualifier.filter(|q| *q != LIVE && *q != "$LATEST") {
        let version = it.version().unwrap_or("unknown");
        let text = format!(
            "the API calls it as `{qualifier}` (version {version}), and that is what is written; from the first deploy \
             on it is called as `{LIVE}`"
        );
        notes.push(Note::changes(&of, text));
    }
    extras(it, &of, notes);
    if let Some(error) = it.environment().and_then(|e| e.error()) {
        let text = format!(
            "its variables could not be read, and a deploy removes those that the file does not have: {}",
            error.message().unwrap_or_default()
        );
        notes.push(Note::changes(&of, text));
    }
    let role = it.role().unwrap_or_default();
    Ok(Function {
        name: name.to_owned(),
        description: it.description().unwrap_or_default().to_owned(),
        runtime: it.runtime().map_or("", Runtime::as_str).to_owned(),
        entry: it.handler().unwrap_or_default().to_owned(),
        memory: it.memory_size().unwrap_or_default(),
        timeout: it.timeout().unwrap_or_default(),
        architecture: it
            .architectures()
            .first()
            .map_or("x86_64", |a| a.as_str())
            .to_owned(),
        environment: strings(
            it.environment()
                .and_then(|e| e.variables())
                .into_iter()
                .flatten(),
        ),
        role: role.rsplit('/').next().unwrap_or(role).to_owned(),
        concurrency: answer
            .concurrency()
            .and_then(aws_sdk_lambda::types::Concurrency::reserved_concurrent_executions),
        tags: strings(answer.tags().into_iter().flatten()),
        location: answer
            .code()
            .and_then(|code| code.location())
            .map(str::to_owned),
        sha256: it.code_sha256().unwrap_or_default().to_owned(),
    })
}

/// Settings that no stack file has. A deploy says nothing of them, and Lambda keeps them.
fn extras(it: &FunctionConfiguration, of: &str, notes: &mut Vec<Note>) {
    let mut stays = |text: String| notes.push(Note::stays(of, text));
    for layer in it.layers() {
        stays(format!("layer {}", layer.arn().unwrap_or_default()));
    }
    if let Some(vpc) = it
        .vpc_config()
        .and_then(|v| v.vpc_id())
        .filter(|v| !v.is_empty())
    {
        stays(format!("it runs in {vpc}"));
    }
    if let Some(target) = it.dead_letter_config().and_then(|d| d.target_arn()) {
        stays(format!("what it fails at goes to {target}"));
    }
    if it.tracing_config().and_then(|t| t.mode()) == Some(&TracingMode::Active) {
        stays("it is traced with X-Ray".to_owned());
    }
    for system in it.file_system_configs() {
        stays(format!("file system {}", system.arn()));
    }
    if let Some(size) = it
        .ephemeral_storage()
        .map(aws_sdk_lambda::types::EphemeralStorage::size)
        .filter(|s| *s != STORAGE)
    {
        stays(format!("{size} MB for files"));
    }
    if let Some(key) = it.kms_key_arn() {
        stays(format!("its variables are encrypted with {key}"));
    }
    let own = it.function_name().map(|name| format!("/aws/lambda/{name}"));
    let group = it.logging_config().and_then(|l| l.log_group());
    if let Some(group) = group.filter(|g| own.as_deref() != Some(*g)) {
        stays(format!(
            "it writes to log group {group}, where `msgai logs` does not look"
        ));
    }
}

/// What calls the function besides the API.
async fn beside(
    cloud: &Cloud,
    place: &Place,
    api: &str,
    name: &str,
    notes: &mut Vec<Note>,
) -> Result<(), CloudError> {
    let of = format!("function/{name}");
    let sources = pages(|marker| async move {
        let page = cloud.call("ListEventSourceMappings", name, || {
            let list = cloud.lambda().list_event_source_mappings();
            list.function_name(name).set_marker(marker.clone()).send()
        });
        let page = page.await?;
        Ok((
            page.event_source_mappings.unwrap_or_default(),
            page.next_marker,
        ))
    });
    let sources = or_note(sources.await, notes, &of, "its event sources")?;
    for source in sources.unwrap_or_default() {
        let from = source.event_source_arn().unwrap_or("an event source");
        notes.push(Note::stays(&of, format!("{from} calls it, too")));
    }
    let policy = cloud.call("GetPolicy", name, || {
        cloud.lambda().get_policy().function_name(name).send()
    });
    let policy = or_note(policy.await, notes, &of, "its policy")?;
    let policy = policy.and_then(|answer| answer.policy).unwrap_or_default();
    let mine = place.execute_api_arn(api, "");
    for caller in callers(&policy, &mine) {
        notes.push(Note::stays(&of, format!("{caller} may call it, too")));
    }
    Ok(())
}

/// Who a function's policy lets in, besides the API.
fn callers(policy: &str, mine: &str) -> Vec<String> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
    let foreign = statements.iter().filter_map(|statement| {
        let text = statement.to_string();
        if text.contains(mine) {
            return None;
        }
        let principal = &statement["Principal"];
        let who = principal["Service"]
            .as_str()
            .or_else(|| principal["AWS"].as_str())
            .or_else(|| principal.as_str());
        Some(who.unwrap_or("somebody").to_owned())
    });
    foreign.collect()
}

#[cfg(test)]
mod tests {
    use super::callers;

    #[test]
    fn only_others_are_told_of() {
        let policy = r#"{"Statement":[
            {"Sid":"a","Principal":{"Service":"apigateway.amazonaws.com"},"Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:execute-api:us-east-1:1:a1/*/*"}}},
            {"Sid":"b","Principal":{"Service":"events.amazonaws.com"}},
            {"Sid":"c","Principal":"*"}]}"#;
        let mine = "arn:aws:execute-api:us-east-1:1:a1/";
        assert_eq!(callers(policy, mine), ["events.amazonaws.com", "*"]);
        assert!(callers("", mine).is_empty());
    }
}
