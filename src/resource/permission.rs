//! One statement of a function's policy: this route of this API, of this account, may call the alias.

use serde_json::{Value, json};

use super::text::{Text, digest};
use super::{Difference, Found, Managed, Work, found};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, LIVE, Physical, Place, ResourceId, STATEMENT_MARK};

#[derive(Debug, Clone, PartialEq)]
pub struct Permission {
    pub function: String,
    /// The route key, or [`AUTHORIZER`].
    pub caller: String,
    /// The ARN that may call: API, stage and route, or API and authorizer.
    pub source: Text,
    pub account: String,
}

/// The caller's name of the one authorizer; no route key looks like it.
pub const AUTHORIZER: &str = "(authorizer)";

/// `function:caller`; neither holds a colon before the caller begins.
pub fn id(function: &str, caller: &str) -> ResourceId {
    ResourceId::new(Kind::Permission, format!("{function}:{caller}"))
}

/// Says whose it is and, in its digest, for which caller exactly: another source is another statement.
fn statement_id(caller: &str, source: &str) -> String {
    let readable: String = caller
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect();
    format!("{STATEMENT_MARK}{readable}-{}", digest(source.as_bytes()))
}

impl Permission {
    /// What a route of a stage needs, in an API whose id is known.
    pub fn of_route(place: &Place, api: &str, stage: &str, function: &str, route: &str) -> Self {
        Self {
            function: function.to_owned(),
            caller: route.to_owned(),
            source: Text::known(place.execute_api_arn(api, &format!("{stage}/{route}"))),
            account: place.account.clone(),
        }
    }

    /// The id that its statement has; `None` while that is not known yet.
    pub fn statement(&self, facts: &Facts) -> Option<String> {
        let source = self.source.resolve(facts).ok()?;
        Some(statement_id(&self.caller, &source))
    }

    async fn add(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let source = work.text(&self.source);
        let statement = statement_id(&self.caller, &source);
        let added = work
            .cloud
            .call("AddPermission", &self.function, || {
                work.cloud
                    .lambda()
                    .add_permission()
                    .function_name(&self.function)
                    .qualifier(LIVE)
                    .statement_id(&statement)
                    .action("lambda:InvokeFunction")
                    .principal("apigateway.amazonaws.com")
                    .source_arn(&source)
                    .source_account(&self.account)
                    .send()
            })
            .await;
        match added {
            // The digest in its id says that it is the same statement.
            Err(error) if error.fault == Fault::Exists => {}
            added => drop(added?),
        }
        Ok(Physical::new(statement))
    }
}

impl Managed for Permission {
    const KIND: Kind = Kind::Permission;
    const RENEWED: bool = true;

    fn name(&self) -> String {
        id(&self.function, &self.caller).name
    }

    fn after(&self) -> Vec<ResourceId> {
        let mut after: Vec<ResourceId> = self.source.needs().cloned().collect();
        after.push(ResourceId::new(Kind::Alias, &self.function));
        after
    }

    fn settings(&self, facts: &Facts) -> Value {
        json!({ "account": self.account, "source": self.source.value(facts) })
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().statements_of(&self.function).await;
        self.add(work).await
    }

    /// There is no update: the new statement comes first, so that no call is refused in between.
    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        _: &[Difference],
    ) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().statements_of(&self.function).await;
        let is_changed = statement_id(&self.caller, &work.text(&self.source)) == at.id;
        if is_changed {
            // Somebody gave the statement another content: under its id there is no room for ours.
            found(remove(work, &self.function, &at.id).await)?;
        }
        let added = self.add(work).await?;
        if !is_changed {
            found(remove(work, &self.function, &at.id).await)?;
        }
        Ok(added)
    }
}

async fn remove(work: &Work<'_>, function: &str, statement: &str) -> Result<(), CloudError> {
    work.cloud
        .call("RemovePermission", function, || {
            let remove = work
                .cloud
                .lambda()
                .remove_permission()
                .function_name(function);
            remove.qualifier(LIVE).statement_id(statement).send()
        })
        .await
        .map(drop)
}

/// Its physical id is the statement's; the function is the first part of its name.
pub(crate) async fn delete(
    work: &Work<'_>,
    id: &ResourceId,
    at: &Physical,
) -> Result<(), CloudError> {
    let function = id
        .name
        .split_once(':')
        .map_or(id.name.as_str(), |(function, _)| function);
    let _turn = work.cloud.pace().statements_of(function).await;
    remove(work, function, &at.id).await
}

/// Our statements in the policy of a function's alias.
pub(crate) async fn list(cloud: &Cloud, function: &str) -> Result<Vec<Found>, CloudError> {
    let answer = cloud
        .call("GetPolicy", function, || {
            cloud
                .lambda()
                .get_policy()
                .function_name(function)
                .qualifier(LIVE)
                .send()
        })
        .await;
    let Some(policy) = found(answer)?.and_then(|answer| answer.policy) else {
        return Ok(Vec::new());
    };
    let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
    let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
    let mut all: Vec<Found> = Vec::new();
    for statement in &statements {
        let Some(mut one) = object(statement, function) else {
            continue;
        };
        // A second statement for one caller, left by a kill between add and remove: known by its own id.
        if all.iter().any(|other| other.id == one.id) {
            one.id.name = format!("{}~{}", one.id.name, one.at.id);
        }
        all.push(one);
    }
    Ok(all)
}

fn object(statement: &Value, function: &str) -> Option<Found> {
    let sid = statement["Sid"].as_str()?;
    if !sid.starts_with(STATEMENT_MARK) {
        return None;
    }
    let condition = &statement["Condition"];
    let member = |operator: &str, key: &str| {
        let operator = condition.get(operator)?;
        let members = operator.as_object()?;
        members
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(key))?
            .1
            .as_str()
            .map(str::to_owned)
    };
    let source = member("ArnLike", "AWS:SourceArn")
        .or_else(|| member("ArnEquals", "AWS:SourceArn"))
        .or_else(|| member("StringEquals", "AWS:SourceArn"))
        .unwrap_or_default();
    let account = member("StringEquals", "AWS:SourceAccount");
    let caller = caller_of(&source);
    Some(Found::ours(
        Kind::Permission,
        id(function, &caller).name,
        Physical::new(sid),
        json!({ "account": account, "source": source }),
    ))
}

/// The physical id of the API that a statement lets in.
pub fn api(found: &Found) -> Option<String> {
    let source = found.settings["source"].as_str()?;
    let (id, _) = source.splitn(6, ':').nth(5)?.split_once('/')?;
    (!id.is_empty() && id != "*").then(|| id.to_owned())
}

/// The route key in `…:api/stage/routeKey`, or the authorizer for `…:api/authorizers/id`.
fn caller_of(source: &str) -> String {
    let path = source.splitn(6, ':').nth(5).unwrap_or_default();
    let mut parts = path.splitn(3, '/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("authorizers"), Some(_)) => AUTHORIZER.to_owned(),
        (_, Some(route)) => route.to_owned(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_names_its_caller() {
        let arn = "arn:aws:execute-api:us-east-1:1:a1/production/$connect";
        assert_eq!(caller_of(arn), "$connect");
        assert_eq!(
            caller_of("arn:aws:execute-api:us-east-1:1:a1/p/chat/join"),
            "chat/join"
        );
        assert_eq!(
            caller_of("arn:aws:execute-api:us-east-1:1:a1/authorizers/x1"),
            AUTHORIZER
        );
    }

    #[test]
    fn a_statement_id_is_one_that_lambda_takes() {
        let id = statement_id("$connect: täst", "arn:x");
        assert!(
            id.starts_with("msgai-connecttst-") && id.len() <= 100,
            "{id}"
        );
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    }
}
