//! The API's default endpoint, switched off. It is there when the switch is off: making it closes the door,
//! removing it opens the door again.

use serde_json::{Value, json};

use super::{Difference, Found, Managed, Work, api};
use crate::cloud::CloudError;
use crate::names::{Facts, Kind, Physical, ResourceId, StackId};

#[derive(Debug, Clone, PartialEq)]
pub struct EndpointOff {
    pub stack: StackId,
    /// The way that is left.
    pub mapping: ResourceId,
}

pub fn id(stack: &StackId) -> ResourceId {
    ResourceId::new(Kind::EndpointOff, stack.as_str())
}

impl Managed for EndpointOff {
    const KIND: Kind = Kind::EndpointOff;

    fn name(&self) -> String {
        self.stack.to_string()
    }

    fn after(&self) -> Vec<ResourceId> {
        vec![api::id(&self.stack), self.mapping.clone()]
    }

    fn settings(&self, _: &Facts) -> Value {
        json!({})
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let api = work.api();
        switch(work, api, true).await?;
        Ok(Physical::new(api))
    }

    /// There is nothing in it that could differ.
    async fn update(
        &self,
        _: &Work<'_>,
        at: &Physical,
        _: &[Difference],
    ) -> Result<Physical, CloudError> {
        Ok(at.clone())
    }
}

async fn switch(work: &Work<'_>, api: &str, off: bool) -> Result<(), CloudError> {
    let _turn = work.cloud.pace().api_write().await;
    work.cloud
        .call("UpdateApi", api, || {
            let update = work.cloud.apigateway().update_api().api_id(api);
            update.disable_execute_api_endpoint(off).send()
        })
        .await
        .map(drop)
}

/// Opens the door again.
pub(crate) async fn delete(work: &Work<'_>, at: &Physical) -> Result<(), CloudError> {
    switch(work, &at.id, false).await
}

/// Of an API whose default endpoint is off.
pub(crate) fn object(stack: &StackId, api: &Physical) -> Found {
    Found::ours(Kind::EndpointOff, stack.as_str(), api.clone(), json!({}))
}
