//! What a function is set to: checked and taken over from what a call gives.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::absent::Absent;
use super::check::{self, constraint};
use super::state::{Config, Logging};
use crate::local::World;
use crate::local::refusal::Refusal;

/// What both `CreateFunction` and `UpdateFunctionConfiguration` take.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Settings {
    pub(super) role: Option<String>,
    pub(super) handler: Option<String>,
    pub(super) runtime: Option<String>,
    description: Option<String>,
    timeout: Option<i64>,
    memory_size: Option<i64>,
    ephemeral_storage: Option<Size>,
    environment: Option<Environment>,
    tracing_config: Option<Tracing>,
    logging_config: Option<Logging>,
    dead_letter_config: Option<DeadLetter>,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
    pub(super) revision_id: Option<String>,
    #[serde(flatten)]
    absent: Absent,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    size: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    variables: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tracing {
    mode: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetter {
    target_arn: Option<String>,
}

impl Config {
    pub(super) fn empty() -> Self {
        Self {
            role: String::new(),
            handler: String::new(),
            runtime: String::new(),
            description: String::new(),
            timeout: 3,
            memory: 128,
            ephemeral: 512,
            variables: BTreeMap::new(),
            architecture: "x86_64".to_owned(),
            tracing: "PassThrough".to_owned(),
            logging: Logging::default(),
            dead_letter: String::new(),
            kms_key: String::new(),
        }
    }

    /// Checks and takes over what was given; what was not given stays.
    pub(super) fn take(&mut self, world: &World, given: Settings) -> Result<(), Refusal> {
        if let Some(handler) = given.handler {
            check::no_longer(&handler, "handler", 128)?;
            self.handler = handler;
        }
        if let Some(runtime) = given.runtime {
            check::runtime(&runtime)?;
            self.runtime = runtime;
        }
        if let Some(description) = given.description {
            check::no_longer(&description, "description", 256)?;
            self.description = description;
        }
        if let Some(timeout) = given.timeout {
            self.timeout = check::in_range(timeout, "timeout", 1, 900)?;
        }
        if let Some(memory) = given.memory_size {
            self.memory = check::in_range(memory, "memorySize", 128, 10_240)?;
        }
        if let Some(storage) = given.ephemeral_storage {
            self.ephemeral = check::in_range(storage.size, "ephemeralStorage.size", 512, 10_240)?;
        }
        if let Some(variables) = given.environment.and_then(|e| e.variables) {
            check::variables(&variables)?;
            self.variables = variables;
        }
        if let Some(mode) = given.tracing_config.and_then(|t| t.mode) {
            check::one_of(&mode, "tracingConfig.mode", &["Active", "PassThrough"])?;
            self.tracing = mode;
        }
        if let Some(logging) = given.logging_config {
            check::logging(&logging)?;
            self.logging = logging;
        }
        if let Some(target) = given.dead_letter_config.and_then(|d| d.target_arn) {
            self.dead_letter = target;
        }
        if let Some(key) = given.kms_key_arn {
            self.kms_key = key;
        }
        given.absent.refuse()?;
        if let Some(role) = given.role {
            check::role(world, &role)?;
            self.role = role;
        }
        Ok(())
    }

    pub(super) fn take_architectures(&mut self, given: Option<Vec<String>>) -> Result<(), Refusal> {
        let Some(given) = given else { return Ok(()) };
        let [architecture] = given.as_slice() else {
            let rule = "have length less than or equal to 1";
            return Err(constraint(given.join(", "), "architectures", rule));
        };
        check::one_of(architecture, "architectures", &["x86_64", "arm64"])?;
        self.architecture.clone_from(architecture);
        Ok(())
    }
}
