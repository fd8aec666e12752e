//! Log groups: made, described, kept for so many days, tagged, deleted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    GROUPS_FILE, Group, after, arn, invalid, limit, no_group, required, tags, text, token,
};
use crate::local::refusal::Refusal;
use crate::local::wire::{self, Object, Reply};
use crate::local::{World, locked};

const RETENTIONS: &[u64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

const TAGS: usize = 50;

/// `None` when the operation is not about groups.
pub(super) fn answer(
    world: &World,
    operation: &str,
    body: &Object,
) -> Result<Option<Reply>, Refusal> {
    let reply = match operation {
        "DescribeLogGroups" => describe(world, body)?,
        "ListLogGroups" => list(world, body)?,
        "ListTagsForResource" => {
            let name = name_of(required(body, "resourceArn")?)?;
            json!({ "tags": tags_of(world, name)? })
        }
        "ListTagsLogGroup" => json!({ "tags": tags_of(world, required(body, "logGroupName")?)? }),
        "CreateLogGroup"
        | "DeleteLogGroup"
        | "PutLogGroupDeletionProtection"
        | "PutRetentionPolicy"
        | "DeleteRetentionPolicy"
        | "TagResource"
        | "UntagResource"
        | "TagLogGroup"
        | "UntagLogGroup" => {
            write(world, operation, body)?;
            return Ok(Some(Reply::empty(200)));
        }
        _ => return Ok(None),
    };
    Ok(Some(Reply::ok(reply)))
}

fn write(world: &World, operation: &str, body: &Object) -> Result<(), Refusal> {
    let mut groups = locked(&world.logs.groups);
    let mut draft = groups.clone();
    change(&mut draft, world.clock.millis(), operation, body)?;
    world
        .store
        .save(GROUPS_FILE, &draft)
        .map_err(|e| wire::unsaved(&e))?;
    *groups = draft;
    drop(groups);
    if operation == "DeleteLogGroup" {
        locked(&world.logs.streams).remove(required(body, "logGroupName")?);
        world.logs.touch();
    }
    Ok(())
}

fn change(
    groups: &mut BTreeMap<String, Group>,
    now: u64,
    operation: &str,
    body: &Object,
) -> Result<(), Refusal> {
    let by_arn = matches!(operation, "TagResource" | "UntagResource");
    let name = if by_arn {
        name_of(required(body, "resourceArn")?)?
    } else if operation == "PutLogGroupDeletionProtection" {
        identified(required(body, "logGroupIdentifier")?)
    } else {
        required(body, "logGroupName")?
    };
    if operation == "CreateLogGroup" {
        return create(groups, now, name, body);
    }
    let group = groups.get_mut(name).ok_or_else(no_group)?;
    match operation {
        "DeleteLogGroup" => {
            if group.protected {
                let message = "The log group is protected from deletion: disable its deletion protection first";
                return Err(Refusal::new(400, "ValidationException", message));
            }
            groups.remove(name);
        }
        "PutLogGroupDeletionProtection" => {
            group.protected = body.get("deletionProtectionEnabled") == Some(&Value::Bool(true));
        }
        "PutRetentionPolicy" => group.retention = Some(retention(body)?),
        "DeleteRetentionPolicy" => group.retention = None,
        "TagResource" | "TagLogGroup" => {
            let mut merged = group.tags.clone();
            merged.extend(tags(body));
            check_tags(&merged)?;
            group.tags = merged;
        }
        _ => {
            let member = if by_arn { "tagKeys" } else { "tags" };
            let keys = body.get(member).and_then(Value::as_array);
            for key in keys.into_iter().flatten().filter_map(Value::as_str) {
                group.tags.remove(key);
            }
        }
    }
    Ok(())
}

fn create(
    groups: &mut BTreeMap<String, Group>,
    now: u64,
    name: &str,
    body: &Object,
) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/#".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(plain) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    if name.starts_with("aws/") {
        return Err(invalid(
            "Log groups starting with AWS/ are reserved for AWS.",
        ));
    }
    if groups.contains_key(name) {
        return Err(Refusal::new(
            400,
            "ResourceAlreadyExistsException",
            "The specified log group already exists",
        ));
    }
    let class = text(body, "logGroupClass").unwrap_or("STANDARD");
    if !["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"].contains(&class) {
        return Err(invalid(format!("Invalid log group class: {class}")));
    }
    if text(body, "kmsKeyId").is_some() {
        return Err(invalid("The local cloud has no encrypted log groups."));
    }
    let tags = tags(body);
    check_tags(&tags)?;
    let group = Group {
        class: class.to_owned(),
        protected: body.get("deletionProtectionEnabled") == Some(&Value::Bool(true)),
        tags,
        ..Group::new(now)
    };
    groups.insert(name.to_owned(), group);
    Ok(())
}

fn retention(body: &Object) -> Result<u64, Refusal> {
    let given = body.get("retentionInDays").unwrap_or(&Value::Null);
    given
        .as_u64()
        .filter(|days| RETENTIONS.contains(days))
        .ok_or_else(|| {
            let allowed: Vec<String> = RETENTIONS.iter().map(ToString::to_string).collect();
            invalid(format!(
                "1 validation error detected: Value '{given}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
                allowed.join(", ")
            ))
        })
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if tags.len() > TAGS {
        let message = "The number of tags exceeds 50";
        return Err(Refusal::new(400, "TooManyTagsException", message));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!("Invalid tag: {key}")));
        }
        if key.starts_with("aws:") {
            return Err(invalid(format!(
                "aws: prefixed tag key names are not allowed: {key}"
            )));
        }
    }
    Ok(())
}

fn describe(world: &World, body: &Object) -> Result<Value, Refusal> {
    let (prefix, pattern) = (
        text(body, "logGroupNamePrefix"),
        text(body, "logGroupNamePattern"),
    );
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let named = body.get("logGroupIdentifiers").and_then(Value::as_array);
    let class = text(body, "logGroupClass");
    let (size, after) = (limit(body, 50)?, after(body)?);
    let groups = locked(&world.logs.groups);
    let mut rest = groups
        .iter()
        .filter(|(name, _)| {
            named.is_none_or(|named| {
                let mut named = named.iter().filter_map(Value::as_str);
                named.any(|one| identified(one) == *name)
            })
        })
        .filter(|(_, group)| class.is_none_or(|class| group.class == class))
        .filter(|(name, _)| prefix.is_none_or(|prefix| name.starts_with(prefix)))
        .filter(|(name, _)| pattern.is_none_or(|pattern| contains(name, pattern)))
        .filter(|(name, _)| after.as_ref().is_none_or(|after| *name > after))
        .peekable();
    let page: Vec<(&String, &Group)> = rest.by_ref().take(size).collect();
    let last = page.last().map(|(name, _)| (*name).clone());
    let found = page
        .into_iter()
        .map(|(name, group)| about(world, name, group));
    let mut reply = json!({ "logGroups": found.collect::<Vec<_>>() });
    if let (Some(last), Some(_)) = (last, rest.peek()) {
        reply["nextToken"] = token(&last);
    }
    Ok(reply)
}

/// Names only, found by pieces of them; `^` before a piece asks for it at the beginning.
fn list(world: &World, body: &Object) -> Result<Value, Refusal> {
    for member in ["dataSources", "fieldIndexNames", "logGroupTags"] {
        if body.get(member).is_some_and(|given| !given.is_null()) {
            return Err(invalid(format!(
                "The local cloud does not find log groups by {member}."
            )));
        }
    }
    let pattern = text(body, "logGroupNamePattern").unwrap_or_default();
    let fits = |name: &str| {
        pattern
            .split('|')
            .any(|piece| match piece.strip_prefix('^') {
                Some(beginning) => name.starts_with(beginning),
                None => name.contains(piece),
            })
    };
    let class = text(body, "logGroupClass");
    let (size, after) = (limit(body, 1000)?, after(body)?);
    let groups = locked(&world.logs.groups);
    let mut rest = groups
        .iter()
        .filter(|(name, _)| fits(name))
        .filter(|(_, group)| class.is_none_or(|class| group.class == class))
        .filter(|(name, _)| after.as_ref().is_none_or(|after| *name > after))
        .peekable();
    let page: Vec<(&String, &Group)> = rest.by_ref().take(size).collect();
    let last = page.last().map(|(name, _)| (*name).clone());
    let found = page.into_iter().map(|(name, group)| {
        json!({
            "logGroupName": name,
            "logGroupArn": arn(world, name),
            "logGroupClass": group.class,
        })
    });
    let mut reply = json!({ "logGroups": found.collect::<Vec<_>>() });
    if let (Some(last), Some(_)) = (last, rest.peek()) {
        reply["nextToken"] = token(&last);
    }
    Ok(reply)
}

/// The group of an identifier, which is a name or an ARN.
fn identified(identifier: &str) -> &str {
    let name = identifier.rsplit(":log-group:").next().unwrap_or_default();
    name.trim_end_matches(":*")
}

/// A name pattern is a piece of the name, whatever its case.
fn contains(name: &str, pattern: &str) -> bool {
    name.to_ascii_lowercase()
        .contains(&pattern.to_ascii_lowercase())
}

fn about(world: &World, name: &str, group: &Group) -> Value {
    let arn = arn(world, name);
    let mut about = json!({
        "logGroupName": name,
        "creationTime": group.created,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "logGroupClass": group.class,
        "storedBytes": 0,
        "deletionProtectionEnabled": group.protected,
    });
    if let Some(days) = group.retention {
        about["retentionInDays"] = days.into();
    }
    about
}

fn tags_of(world: &World, name: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let groups = locked(&world.logs.groups);
    Ok(groups.get(name).ok_or_else(no_group)?.tags.clone())
}

/// The group an ARN names. Tags take the ARN without `:*`; with it AWS finds nothing.
fn name_of(arn: &str) -> Result<&str, Refusal> {
    arn.strip_prefix("arn:aws:logs:")
        .and_then(|rest| rest.split_once(":log-group:"))
        .map(|(_, name)| name)
        .ok_or_else(|| invalid(format!("Invalid resource ARN: {arn}")))
}
