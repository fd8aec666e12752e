//! What belongs to the account and not to a stack: API Gateway's role for logs, and limits.
//!
//! The role is one for all APIs of an account and Region, and not ours to change. It is kept by version 1 of the API, on the same host and under the same signing name. One question of it is not
//! worth that service's whole client, so version 2's asks: the path is changed before signing, the answer is read raw.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_iam::types::SummaryKeyType;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;

use super::{Cloud, CloudError};

/// Lambda's limits for the account and Region, and what is used of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LambdaAccount {
    /// Executions at once, of all functions together.
    pub(crate) concurrency: i64,
    /// What no function has reserved.
    pub(crate) unreserved: i64,
    /// Bytes of code.
    pub(crate) storage: i64,
    pub(crate) stored: i64,
}

/// How many roles the account has, and how many it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) there: i64,
    pub(crate) quota: i64,
}

impl Cloud {
    /// `None` when the answer lacks what was asked for.
    pub(crate) async fn lambda_account(&self) -> Result<Option<LambdaAccount>, CloudError> {
        let answer = self
            .attempt("GetAccountSettings", "Lambda's limits", || {
                self.lambda().get_account_settings().send()
            })
            .await?;
        let read = || {
            let (limit, usage) = (answer.account_limit()?, answer.account_usage()?);
            Some(LambdaAccount {
                concurrency: limit.concurrent_executions().into(),
                unreserved: limit.unreserved_concurrent_executions()?.into(),
                storage: limit.total_code_size(),
                stored: usage.total_code_size(),
            })
        };
        Ok(read())
    }

    /// `None` when the answer lacks what was asked for.
    pub(crate) async fn roles(&self) -> Result<Option<Roles>, CloudError> {
        let answer = self
            .attempt("GetAccountSummary", "IAM's limits", || {
                self.iam().get_account_summary().send()
            })
            .await?;
        let number = |key: &SummaryKeyType| Some(i64::from(*answer.summary_map()?.get(key)?));
        let read = || {
            Some(Roles {
                there: number(&SummaryKeyType::Roles)?,
                quota: number(&SummaryKeyType::RolesQuota)?,
            })
        };
        Ok(read())
    }

    /// The ARN of the role with which API Gateway writes logs here; `None` when the account has none.
    pub(crate) async fn api_log_role(&self) -> Result<Option<String>, CloudError> {
        let body = Body::default();
        self.call("GetAccount", "API Gateway's settings", || {
            let request = self.apigateway().get_apis().customize();
            request
                .mutate_request(|request| {
                    let uri = request.uri().replacen("/v2/apis", "/account", 1);
                    // Only the path differs from one that was valid.
                    request.set_uri(uri).ok();
                })
                .interceptor(body.clone())
                .send()
        })
        .await?;
        let bytes = body
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let account: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let role = account["cloudwatchRoleArn"]
            .as_str()
            .filter(|arn| !arn.is_empty());
        Ok(role.map(str::to_owned))
    }
}

/// Keeps an answer's bytes.
#[derive(Debug, Clone, Default)]
struct Body(Arc<Mutex<Vec<u8>>>);

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "the answer's bytes"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let bytes = context.response().body().bytes().unwrap_or_default();
        bytes.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}
