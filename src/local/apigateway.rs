//! Placeholder: what the data plane needs of API Gateway's control plane.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// One stage with the deployment it points at.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) api_id: String,
    pub(crate) stage: String,
    pub(crate) select: String,
    pub(crate) routes: BTreeMap<String, ServedRoute>,
    pub(crate) variables: BTreeMap<String, String>,
    /// By route key; `*` is the stage's default.
    pub(crate) throttle: BTreeMap<String, Throttle>,
    pub(crate) access_log: Option<AccessLog>,
}

#[derive(Debug, Clone)]
pub(crate) struct ServedRoute {
    pub(crate) route_id: String,
    pub(crate) integration_type: String,
    pub(crate) uri: String,
    pub(crate) timeout_ms: u64,
    pub(crate) authorizer: Option<ServedAuthorizer>,
    pub(crate) authorization: String,
    pub(crate) replies: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ServedAuthorizer {
    pub(crate) authorizer_id: String,
    pub(crate) uri: String,
    pub(crate) identity: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Throttle {
    pub(crate) rate: f64,
    pub(crate) burst: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct AccessLog {
    pub(crate) group: String,
    pub(crate) format: String,
}

#[derive(Debug, Default)]
pub(crate) struct ApiGateway(Mutex<Vec<Served>>);

impl ApiGateway {
    pub(crate) fn served(&self, api_id: &str, stage: &str) -> Option<Served> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .find(|s| s.api_id == api_id && s.stage == stage)
            .cloned()
    }

    pub(crate) fn apis_with_stage(&self, stage: &str) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter(|s| s.stage == stage)
            .map(|s| s.api_id.clone())
            .collect()
    }
}
