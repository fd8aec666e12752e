//! What Lambda has and the local cloud has not: asking for it is refused, never forgotten.

use serde::Deserialize;
use serde_json::Value;

use super::check::invalid;
use crate::local::refusal::Refusal;

/// Members of requests that only say "none" here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Absent {
    capacity_provider_config: Value,
    code_signing_config_arn: Value,
    durable_config: Value,
    file_system_configs: Value,
    image_config: Value,
    layers: Value,
    publish_to: Value,
    snap_start: Value,
    #[serde(rename = "SourceKMSKeyArn")]
    source_kms_key_arn: Value,
    tenancy_config: Value,
    vpc_config: Value,
}

impl Absent {
    pub(super) fn refuse(&self) -> Result<(), Refusal> {
        let of_vpc = &self.vpc_config["SubnetIds"];
        let snaps = &self.snap_start["ApplyOn"];
        let snaps = snaps.as_str().is_some_and(|on| on != "None");
        for (asked, what) in [
            (
                given(&self.capacity_provider_config),
                "no capacity providers",
            ),
            (given(&self.code_signing_config_arn), "no code signing"),
            (given(&self.durable_config), "no durable functions"),
            (given(&self.file_system_configs), "no file systems"),
            (given(&self.image_config), "no container images"),
            (given(&self.layers), "no layers"),
            (given(&self.publish_to), "no capacity providers"),
            (snaps, "no snapshots of functions"),
            (given(&self.source_kms_key_arn), "no encrypted packages"),
            (given(&self.tenancy_config), "no tenants"),
            (given(of_vpc), "no VPCs"),
        ] {
            if asked {
                return Err(invalid(format!("The local cloud has {what}.")));
            }
        }
        Ok(())
    }
}

/// Empty texts, lists and objects clear a setting, which is allowed where it is never set.
fn given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_clears_a_setting_is_let_through_and_what_sets_it_is_not() {
        for (request, taken) in [
            (json!({}), true),
            (
                json!({ "Layers": [], "VpcConfig": { "SubnetIds": [], "SecurityGroupIds": [] } }),
                true,
            ),
            (
                json!({ "SnapStart": { "ApplyOn": "None" }, "ImageConfig": {} }),
                true,
            ),
            (
                json!({ "FileSystemConfigs": null, "CodeSigningConfigArn": "" }),
                true,
            ),
            (json!({ "Layers": ["arn"] }), false),
            (json!({ "VpcConfig": { "SubnetIds": ["subnet"] } }), false),
            (
                json!({ "SnapStart": { "ApplyOn": "PublishedVersions" } }),
                false,
            ),
            (
                json!({ "TenancyConfig": { "TenantIsolationMode": "PER_TENANT" } }),
                false,
            ),
            (json!({ "SourceKMSKeyArn": "arn" }), false),
        ] {
            let absent: Absent = serde_json::from_value(request.clone()).unwrap();
            assert_eq!(absent.refuse().is_ok(), taken, "{request}");
        }
    }
}
