//! Which stages there are, for whoever shows them.

use super::{ApiGateway, text};
use crate::local::locked;

/// One stage of one API.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StageName {
    pub(crate) api_id: String,
    pub(crate) api_name: String,
    pub(crate) stage: String,
}

impl ApiGateway {
    /// Every stage of every API.
    pub(crate) fn stages(&self) -> Vec<StageName> {
        let all = locked(&self.state);
        let apis = all.apis.iter();
        apis.flat_map(|(id, api)| {
            api.stages.keys().map(|stage| StageName {
                api_id: id.clone(),
                api_name: text(&api.about, "name").to_owned(),
                stage: stage.clone(),
            })
        })
        .collect()
    }
}
