//! Placeholder: what Lambda needs of IAM.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Iam(Mutex<BTreeSet<String>>);

impl Iam {
    pub(crate) fn assumable_by_lambda(
        &self,
        role_arn: &str,
        _now: Duration,
        _propagation: Duration,
    ) -> bool {
        let roles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        roles.contains(role_arn)
    }

    pub(crate) fn trust(&self, role_arn: &str) {
        let mut roles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        roles.insert(role_arn.to_owned());
    }
}
