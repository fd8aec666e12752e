//! What Lambda remembers of a function, and how it shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::check::{arn, conflict, missing_function};
use super::event_config::EventConfig;
use super::policy::Policy;
use crate::local::World;
use crate::local::ids;
use crate::local::refusal::Refusal;

pub(super) const LATEST: &str = "$LATEST";

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) functions: BTreeMap<String, Function>,
    /// The last version number of every name that ever was: they are never used again.
    pub(super) numbers: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) latest: Version,
    /// What `$LATEST` still runs while an update is in progress.
    pub(super) previous: Option<Version>,
    pub(super) versions: BTreeMap<u64, Version>,
    pub(super) aliases: BTreeMap<String, Alias>,
    /// By qualifier; the function's own stands under the empty one.
    pub(super) policies: BTreeMap<String, Policy>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) reserved: Option<u64>,
    /// By qualifier, `$LATEST` included.
    #[serde(default)]
    pub(super) event_configs: BTreeMap<String, EventConfig>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Version {
    /// `$LATEST` or a number.
    pub(super) number: String,
    pub(super) code: Code,
    pub(super) config: Config,
    pub(super) modified: u64,
    pub(super) revision: String,
    /// `Pending` until then, in milliseconds since the epoch.
    pub(super) active_at: u64,
    /// `InProgress` until then.
    pub(super) updated_at: u64,
    /// `$LATEST`'s description when this was published; its own may differ.
    pub(super) described: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Code {
    /// Base64, as AWS shows it.
    pub(super) sha256: String,
    pub(super) size: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Config {
    pub(super) role: String,
    pub(super) handler: String,
    pub(super) runtime: String,
    pub(super) description: String,
    pub(super) timeout: u64,
    pub(super) memory: u64,
    pub(super) ephemeral: u64,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) architecture: String,
    pub(super) tracing: String,
    pub(super) logging: Logging,
    pub(super) dead_letter: String,
    pub(super) kms_key: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Logging {
    pub(super) log_format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) application_log_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system_log_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log_group: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Alias {
    pub(super) version: String,
    pub(super) description: String,
    /// Share of the calls that go to other versions.
    pub(super) weights: BTreeMap<String, f64>,
    pub(super) revision: String,
}

impl Function {
    /// The version that a qualifier names: `$LATEST`, a number or an alias.
    pub(super) fn version(
        &self,
        world: &World,
        qualifier: Option<&str>,
    ) -> Result<&Version, Refusal> {
        let found = match qualifier {
            None | Some(LATEST) => Some(&self.latest),
            Some(name) => match self.aliases.get(name) {
                Some(alias) => self.numbered(&alias.version),
                None => self.numbered(name),
            },
        };
        found.ok_or_else(|| missing_function(world, &self.name, qualifier))
    }

    /// The version with exactly this number, or `$LATEST`.
    pub(super) fn numbered(&self, number: &str) -> Option<&Version> {
        if number == LATEST {
            return Some(&self.latest);
        }
        self.versions.get(&number.parse().ok()?)
    }

    /// The version that a call runs: an alias may spread its calls, an update lets the old code run on.
    pub(super) fn runs(&self, world: &World, qualifier: Option<&str>) -> Result<&Version, Refusal> {
        let named = self.version(world, qualifier)?;
        let alias = qualifier.and_then(|q| self.aliases.get(q));
        if let Some(other) = alias.and_then(Alias::draw) {
            return self.version(world, Some(other));
        }
        let busy = named.number == LATEST && world.clock.millis() < named.updated_at;
        Ok(self.previous.as_ref().filter(|_| busy).unwrap_or(named))
    }

    /// Whether an environment of this version and revision may be used for another call.
    pub(super) fn is_current(&self, world: &World, number: &str, revision: &str) -> bool {
        let previous = self
            .previous
            .as_ref()
            .filter(|_| world.clock.millis() < self.latest.updated_at);
        let same = |v: &Version| v.number == number && v.revision == revision;
        self.numbered(number).is_some_and(same) || previous.is_some_and(same)
    }

    /// Refuses what a function that is being created or updated cannot have done to it.
    pub(super) fn settled(&self, world: &World) -> Result<(), Refusal> {
        self.latest.active(world)?;
        if world.clock.millis() < self.latest.updated_at {
            return Err(conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {}",
                arn(world, &self.name, None)
            )));
        }
        Ok(())
    }
}

impl Alias {
    fn draw(&self) -> Option<&str> {
        let mut left = fastrand::f64();
        for (version, weight) in &self.weights {
            left -= weight;
            if left < 0.0 {
                return Some(version);
            }
        }
        None
    }

    pub(super) fn render(&self, world: &World, function: &str, name: &str) -> Value {
        let mut shown = json!({
            "AliasArn": arn(world, function, Some(name)),
            "Name": name,
            "FunctionVersion": self.version,
            "Description": self.description,
            "RevisionId": self.revision,
        });
        if !self.weights.is_empty() {
            shown["RoutingConfig"] = json!({ "AdditionalVersionWeights": self.weights });
        }
        shown
    }
}

impl Version {
    /// Refuses while `Pending`.
    pub(super) fn active(&self, world: &World) -> Result<(), Refusal> {
        if world.clock.millis() < self.active_at {
            return Err(conflict(
                "The operation cannot be performed at this time. The function is currently in the following state: Pending",
            ));
        }
        Ok(())
    }

    /// As `FunctionConfiguration`; `states` are left out of lists, as on AWS.
    pub(super) fn render(
        &self,
        world: &World,
        function: &str,
        qualifier: Option<&str>,
        states: bool,
    ) -> Value {
        let config = &self.config;
        let mut shown = json!({
            "FunctionName": function,
            "FunctionArn": arn(world, function, qualifier),
            "Runtime": config.runtime,
            "Role": config.role,
            "Handler": config.handler,
            "CodeSize": self.code.size,
            "Description": config.description,
            "Timeout": config.timeout,
            "MemorySize": config.memory,
            "LastModified": ids::last_modified(self.modified),
            "CodeSha256": self.code.sha256,
            "Version": self.number,
            "TracingConfig": { "Mode": config.tracing },
            "RevisionId": self.revision,
            "PackageType": "Zip",
            "Architectures": [config.architecture],
            "EphemeralStorage": { "Size": config.ephemeral },
            "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
            "LoggingConfig": config.logging.render(function),
        });
        let more = shown.as_object_mut().expect("it is written as an object");
        if !config.variables.is_empty() {
            more.insert(
                "Environment".to_owned(),
                json!({ "Variables": config.variables }),
            );
        }
        if !config.dead_letter.is_empty() {
            let target = json!({ "TargetArn": config.dead_letter });
            more.insert("DeadLetterConfig".to_owned(), target);
        }
        if !config.kms_key.is_empty() {
            more.insert("KMSKeyArn".to_owned(), json!(config.kms_key));
        }
        if states {
            more.extend(self.states(world));
        }
        shown
    }

    fn states(&self, world: &World) -> Map<String, Value> {
        let now = world.clock.millis();
        let states = if now < self.active_at {
            json!({
                "State": "Pending",
                "StateReason": "The function is being created.",
                "StateReasonCode": "Creating",
            })
        } else if now < self.updated_at {
            json!({
                "State": "Active",
                "LastUpdateStatus": "InProgress",
                "LastUpdateStatusReason": "The function is being created.",
                "LastUpdateStatusReasonCode": "Creating",
            })
        } else {
            json!({ "State": "Active", "LastUpdateStatus": "Successful" })
        };
        let Value::Object(states) = states else {
            unreachable!("it is written as an object");
        };
        states
    }
}

impl Logging {
    pub(super) fn group(&self, function: &str) -> String {
        self.log_group
            .clone()
            .unwrap_or_else(|| format!("/aws/lambda/{function}"))
    }

    fn render(&self, function: &str) -> Value {
        let whole = Self {
            log_format: Some(self.log_format.clone().unwrap_or_else(|| "Text".to_owned())),
            log_group: Some(self.group(function)),
            ..self.clone()
        };
        json!(whole)
    }
}
