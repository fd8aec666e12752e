//! What a `CloudFormation` stack consists of.

use super::{Cloud, CloudError};

/// One thing that a stack made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Such as `AWS::DynamoDB::Table`.
    pub(crate) kind: String,
    pub(crate) physical: String,
}

impl Cloud {
    /// All parts of a stack that are there.
    pub(crate) async fn formation(&self, stack: &str) -> Result<Vec<Part>, CloudError> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = self
                .call("ListStackResources", stack, || {
                    let list = self.inner.formation.list_stack_resources();
                    list.stack_name(stack).set_next_token(token.clone()).send()
                })
                .await?;
            for resource in page.stack_resource_summaries() {
                let gone = resource
                    .resource_status()
                    .is_some_and(|status| status.as_str() == "DELETE_COMPLETE");
                if let (Some(kind), Some(physical), false) = (
                    resource.resource_type(),
                    resource.physical_resource_id(),
                    gone,
                ) {
                    all.push(Part {
                        kind: kind.to_owned(),
                        physical: physical.to_owned(),
                    });
                }
            }
            token = page
                .next_token()
                .map(str::to_owned)
                .filter(|t| !t.is_empty());
            if token.is_none() {
                return Ok(all);
            }
        }
    }
}
