//! The IAM role that functions run as. Ours by its path, or by the mark when it was adopted.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use aws_sdk_iam::types::{Role as RoleObject, Tag};

use super::tags::{self, Tags};
use super::{Difference, Found, Managed, Scope, Work, found, pages, touches};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, Physical, Place, ResourceId, StackId};

#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    pub name: String,
    pub description: String,
    /// The ARN of a permissions boundary.
    pub boundary: Option<String>,
    pub tags: Tags,
}

/// Region and stack, because IAM is global: the same stack in two Regions has two roles.
pub fn path(place: &Place, stack: &StackId) -> String {
    format!("{ROOT}{}/{stack}/", place.region)
}

/// Below it lie the roles that stacks have made.
const ROOT: &str = "/msgai/";

/// The stack below whose path a role lies, from the role's ARN.
pub(super) fn owner(arn: &str) -> Option<String> {
    let (_, path) = arn.split_once(":role")?;
    let (region, stack) = of_path(path)?;
    Some(format!("{stack} in {region}"))
}

/// The Region and the stack whose role lies at this path.
pub(crate) fn of_path(path: &str) -> Option<(&str, &str)> {
    let (region, rest) = path.strip_prefix(ROOT)?.split_once('/')?;
    let (stack, _) = rest.split_once('/')?;
    Some((region, stack))
}

pub(crate) fn trust() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "lambda.amazonaws.com" },
            "Action": "sts:AssumeRole",
        }],
    })
}

impl Managed for Role {
    const KIND: Kind = Kind::Role;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn settings(&self, _: &Facts) -> Value {
        json!({
            "trust": canonical(trust()),
            "description": self.description,
            "boundary": self.boundary,
            "tags": self.tags,
        })
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().iam().await;
        let tags = iam_tags(&self.tags);
        let made = work
            .cloud
            .call("CreateRole", &self.name, || {
                work.cloud
                    .iam()
                    .create_role()
                    .role_name(&self.name)
                    .path(path(work.place, work.stack))
                    .assume_role_policy_document(trust().to_string())
                    .description(&self.description)
                    .set_permissions_boundary(self.boundary.clone())
                    .set_tags(Some(tags.clone()))
                    .send()
            })
            .await;
        match made {
            Ok(answer) => Ok(Physical::new(
                answer.role().map(RoleObject::arn).unwrap_or_default(),
            )),
            // Our own call, carried out but not answered, or a foreign role: its path tells.
            Err(error) if error.fault == Fault::Exists => {
                let arn = work
                    .place
                    .role_arn(&path(work.place, work.stack), &self.name);
                match get(work.cloud, &self.name).await? {
                    Some(role) if role.arn() == arn => Ok(Physical::new(arn)),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn update(
        &self,
        work: &Work<'_>,
        at: &Physical,
        because: &[Difference],
    ) -> Result<Physical, CloudError> {
        let _turn = work.cloud.pace().iam().await;
        let (cloud, iam) = (work.cloud, work.cloud.iam());
        // First the mark: what is changed is the stack's from then on, wherever a kill comes.
        if touches(because, "tags") {
            self.tag(work, because).await?;
        }
        if touches(because, "description") {
            cloud
                .call("UpdateRole", &self.name, || {
                    iam.update_role()
                        .role_name(&self.name)
                        .description(&self.description)
                        .send()
                })
                .await?;
        }
        if touches(because, "trust") {
            cloud
                .call("UpdateAssumeRolePolicy", &self.name, || {
                    iam.update_assume_role_policy()
                        .role_name(&self.name)
                        .policy_document(trust().to_string())
                        .send()
                })
                .await?;
        }
        if touches(because, "boundary") {
            self.bound(work).await?;
        }
        Ok(at.clone())
    }
}

impl Role {
    async fn bound(&self, work: &Work<'_>) -> Result<(), CloudError> {
        let (cloud, iam) = (work.cloud, work.cloud.iam());
        match &self.boundary {
            Some(arn) => cloud
                .call("PutRolePermissionsBoundary", &self.name, || {
                    iam.put_role_permissions_boundary()
                        .role_name(&self.name)
                        .permissions_boundary(arn)
                        .send()
                })
                .await
                .map(drop),
            None => cloud
                .call("DeleteRolePermissionsBoundary", &self.name, || {
                    iam.delete_role_permissions_boundary()
                        .role_name(&self.name)
                        .send()
                })
                .await
                .map(drop),
        }
    }

    async fn tag(&self, work: &Work<'_>, because: &[Difference]) -> Result<(), CloudError> {
        let (remove, set) = tags::changes(because, &self.tags);
        let (cloud, iam) = (work.cloud, work.cloud.iam());
        if !set.is_empty() {
            let set = iam_tags(&set);
            cloud
                .call("TagRole", &self.name, || {
                    iam.tag_role()
                        .role_name(&self.name)
                        .set_tags(Some(set.clone()))
                        .send()
                })
                .await?;
        }
        if !remove.is_empty() {
            cloud
                .call("UntagRole", &self.name, || {
                    iam.untag_role()
                        .role_name(&self.name)
                        .set_tag_keys(Some(remove.clone()))
                        .send()
                })
                .await?;
        }
        Ok(())
    }
}

fn iam_tags(tags: &Tags) -> Vec<Tag> {
    let one = |(key, value): (&String, &String)| {
        Tag::builder()
            .key(key)
            .value(value)
            .build()
            .expect("key and value are set")
    };
    tags.iter().map(one).collect()
}

/// Its policies go before it, as resources of their own.
pub(crate) async fn delete(work: &Work<'_>, name: &str) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().iam().await;
    work.cloud
        .call("DeleteRole", name, || {
            work.cloud.iam().delete_role().role_name(name).send()
        })
        .await
        .map(drop)
}

pub(crate) async fn get(cloud: &Cloud, name: &str) -> Result<Option<RoleObject>, CloudError> {
    let answer = cloud
        .call("GetRole", name, || {
            cloud.iam().get_role().role_name(name).send()
        })
        .await;
    Ok(found(answer)?.and_then(|answer| answer.role))
}

/// Roles with wanted names, and whatever else lies under the stack's path.
pub(crate) async fn list(cloud: &Cloud, scope: &Scope) -> Result<Vec<Found>, CloudError> {
    let prefix = path(&scope.place, &scope.stack);
    let wanted =
        futures_util::future::try_join_all(scope.names(Kind::Role).map(|name| get(cloud, name)));
    let under_path = pages(|marker| {
        let prefix = prefix.clone();
        async move {
            let page = cloud
                .call("ListRoles", &prefix, || {
                    cloud
                        .iam()
                        .list_roles()
                        .path_prefix(&prefix)
                        .set_marker(marker.clone())
                        .send()
                })
                .await?;
            Ok((page.roles, page.marker))
        }
    });
    let (wanted, under_path) = futures_util::try_join!(wanted, under_path)?;
    let mut all: Vec<Found> = Vec::new();
    for role in wanted.into_iter().flatten().chain(under_path) {
        let one = object(&role, &prefix, scope);
        if !all.iter().any(|other| other.id == one.id) {
            all.push(one);
        }
    }
    Ok(all)
}

fn object(role: &RoleObject, prefix: &str, scope: &Scope) -> Found {
    let pairs: Tags = role
        .tags()
        .iter()
        .map(|t| (t.key().to_owned(), t.value().to_owned()))
        .collect();
    let boundary = role
        .permissions_boundary()
        .and_then(|b| b.permissions_boundary_arn())
        .map(str::to_owned);
    let settings = json!({
        "trust": document(role.assume_role_policy_document().unwrap_or_default()),
        "description": role.description().unwrap_or_default(),
        "boundary": boundary,
        "tags": tags::own(&pairs),
    });
    let id = ResourceId::new(Kind::Role, role.role_name());
    // A path says more than a tag: the same stack in another Region has the same mark.
    let ours = if role.path().starts_with(ROOT) {
        role.path() == prefix
    } else {
        scope.has(&id, &pairs)
    };
    Found {
        id,
        at: Physical::new(role.arn()),
        settings,
        ours,
        state: None,
    }
}

/// A policy document as IAM returns it: percent-encoded JSON.
pub(crate) fn document(encoded: &str) -> Value {
    let text = percent_decode_str(encoded).decode_utf8_lossy();
    // What is not JSON differs from anything wanted, and so is replaced.
    serde_json::from_str(&text).map_or_else(|_| json!({ "unreadable": text }), canonical)
}

/// One form for what IAM takes in several: lists of one as their member, lists sorted, keys in order.
pub(crate) fn canonical(document: Value) -> Value {
    match document {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(canonical).collect();
            if items.iter().all(Value::is_string) {
                items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                items.dedup();
            }
            match <[Value; 1]>::try_from(items) {
                Ok([one]) => one,
                Err(items) => Value::Array(items),
            }
        }
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members
                .into_iter()
                .map(|(key, value)| (key, canonical(value)))
                .collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_whose_a_role_is() {
        let of = |path: &str| owner(&format!("arn:aws:iam::1:role{path}chat-role"));
        assert_eq!(
            of("/msgai/us-east-1/chat/"),
            Some("chat in us-east-1".to_owned())
        );
        assert_eq!(of("/"), None);
        assert_eq!(of("/service-role/"), None);
    }

    #[test]
    fn a_document_reads_the_same_however_it_is_spelled() {
        let one = document("%7B%22Statement%22%3A%5B%7B%22Action%22%3A%5B%22a%22%5D%7D%5D%7D");
        let two = canonical(json!({ "Statement": { "Action": "a" } }));
        assert_eq!(one, two);
    }
}
