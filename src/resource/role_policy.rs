//! A role's one inline policy: exactly what its functions declared to use.

use serde_json::{Value, json};

use super::role::{canonical, document};
use super::text::Text;
use super::{Difference, Found, Managed, Work, found};
use crate::cloud::{Cloud, CloudError};
use crate::names::{Facts, Kind, Physical, ResourceId};

/// The inline policy's name, in every role of ours.
const NAME: &str = "msgai";

#[derive(Debug, Clone, PartialEq)]
pub struct RolePolicy {
    pub role: String,
    pub statements: Vec<Statement>,
}

/// What is allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub sid: String,
    pub actions: Vec<String>,
    pub resources: Vec<Text>,
    pub condition: Option<Value>,
}

/// The document of a policy that allows this and nothing else.
pub(crate) fn allowing(statements: &[Statement], facts: &Facts) -> Value {
    let statements: Vec<Value> = statements
        .iter()
        .map(|statement| {
            let resources: Vec<Value> = statement
                .resources
                .iter()
                .map(|text| text.value(facts))
                .collect();
            let mut value = json!({
                "Sid": statement.sid,
                "Effect": "Allow",
                "Action": statement.actions,
                "Resource": resources,
            });
            if let Some(condition) = &statement.condition {
                value["Condition"] = condition.clone();
            }
            value
        })
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

impl RolePolicy {
    /// As IAM takes it, with what is known of it.
    pub fn document(&self, facts: &Facts) -> Value {
        allowing(&self.statements, facts)
    }

    async fn put(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().iam().await;
        let document = self.document(work.facts).to_string();
        work.cloud
            .call_on_new("PutRolePolicy", &self.role, || {
                work.cloud
                    .iam()
                    .put_role_policy()
                    .role_name(&self.role)
                    .policy_name(NAME)
                    .policy_document(&document)
                    .send()
            })
            .await?;
        Ok(Physical::new(&self.role))
    }
}

impl Managed for RolePolicy {
    const KIND: Kind = Kind::RolePolicy;

    fn name(&self) -> String {
        self.role.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        let mut after: Vec<ResourceId> = self
            .statements
            .iter()
            .flat_map(|statement| &statement.resources)
            .flat_map(Text::needs)
            .cloned()
            .collect();
        after.push(ResourceId::new(Kind::Role, &self.role));
        after
    }

    fn settings(&self, facts: &Facts) -> Value {
        json!({ "document": canonical(self.document(facts)) })
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        self.put(work).await
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Physical,
        _: &[Difference],
    ) -> Result<Physical, CloudError> {
        self.put(work).await
    }
}

pub(crate) async fn delete(work: &Work<'_>, at: &Physical) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().iam().await;
    work.cloud
        .call("DeleteRolePolicy", &at.id, || {
            work.cloud
                .iam()
                .delete_role_policy()
                .role_name(&at.id)
                .policy_name(NAME)
                .send()
        })
        .await
        .map(drop)
}

pub(crate) async fn list(cloud: &Cloud, role: &str) -> Result<Option<Found>, CloudError> {
    let answer = cloud
        .call("GetRolePolicy", role, || {
            cloud
                .iam()
                .get_role_policy()
                .role_name(role)
                .policy_name(NAME)
                .send()
        })
        .await;
    Ok(found(answer)?.map(|answer| {
        let settings = json!({ "document": document(answer.policy_document()) });
        Found::ours(Kind::RolePolicy, role, Physical::new(role), settings)
    }))
}
