//! What AWS will call the things of a stack.
//!
//! In: names as the file has them. Out: physical names, the suffix at their end.
//! Never: a length check; that is `validate`'s, which asks here.

use super::Stack;
use crate::names::StackId;

impl Stack {
    /// The stack's identity in an account and region.
    pub fn id(&self) -> StackId {
        StackId::new(&self.name, &self.suffix)
    }

    /// A table's name. An existing table is called what it is called: it takes no suffix.
    pub fn table_name(&self, key: &str) -> String {
        match self.tables.get(key) {
            Some(table) if table.existing => table
                .name
                .clone()
                .unwrap_or_else(|| format!("{}-{key}", self.name)),
            table => self.suffixed(table.and_then(|table| table.name.as_deref()), key),
        }
    }

    pub fn function_name(&self, key: &str) -> String {
        let function = self.functions.get(key);
        self.suffixed(function.and_then(|function| function.name.as_deref()), key)
    }

    /// Where Lambda writes a function's lines.
    pub fn log_group_name(&self, function: &str) -> String {
        format!("/aws/lambda/{}", self.function_name(function))
    }

    /// Where the stage writes its access log.
    pub fn access_log_group_name(&self) -> String {
        let logs = self.api.logs.as_ref();
        match logs.and_then(|logs| logs.group.as_ref()) {
            Some(group) => format!("{group}{}", self.suffix),
            None => format!("/aws/apigateway/{}/{}", self.id(), self.api.stage),
        }
    }

    pub fn api_name(&self) -> String {
        let name = self.api.name.as_deref().unwrap_or(&self.name);
        format!("{name}{}", self.suffix)
    }

    /// The shared role's name. IAM knows no regions, so the default has one in it.
    pub fn role_name(&self, region: &str) -> String {
        let name = match &self.role {
            super::RoleDef::Shared(shared) => shared.name.as_deref(),
            super::RoleDef::Each(_) => None,
        };
        self.suffixed(name, region)
    }

    /// The role that a function runs as: the one that it names, the stack's, or its own.
    pub fn function_role_name(&self, key: &str, region: &str) -> String {
        let function = self.functions.get(key);
        match (function.and_then(|f| f.role.as_ref()), &self.role) {
            (Some(role), _) => format!("{role}{}", self.suffix),
            (None, super::RoleDef::Shared(_)) => self.role_name(region),
            (None, super::RoleDef::Each(_)) => format!("{}-{region}", self.function_name(key)),
        }
    }

    fn suffixed(&self, name: Option<&str>, key: &str) -> String {
        match name {
            Some(name) => format!("{name}{}", self.suffix),
            None => format!("{}-{key}{}", self.name, self.suffix),
        }
    }
}
