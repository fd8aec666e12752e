//! A model as a stack file: JSON, which is YAML too.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Function, Model, Roles, Route, Table};
use crate::support::Draft;

impl Model {
    pub(crate) fn draft(&self) -> Draft {
        Draft {
            text: format!("{:#}", self.file()),
            codes: self
                .functions
                .iter()
                .map(|(key, function)| ((*key).to_owned(), function.code))
                .collect(),
        }
    }

    fn file(&self) -> Value {
        let functions = self.functions.iter();
        let mut file = Map::from_iter([
            ("name".to_owned(), json!("laws")),
            ("tags".to_owned(), numbered(&self.tags)),
            ("tables".to_owned(), each(&self.tables, Table::written)),
            (
                "functions".to_owned(),
                functions
                    .map(|(key, function)| ((*key).to_owned(), self.function(key, function)))
                    .collect(),
            ),
            ("api".to_owned(), self.api()),
        ]);
        let mut add = |key: &str, value: Option<Value>| {
            file.extend(value.map(|value| (key.to_owned(), value)));
        };
        add("logs", retention(self.retention));
        add(
            "role",
            match self.roles {
                Roles::Default => None,
                Roles::Named(n) => Some(json!({ "name": format!("laws-role-{n}") })),
                Roles::PerFunction => Some(json!("per-function")),
            },
        );
        add(
            "auth",
            self.auth.map(|(function, sources)| {
                let identity = ["querystring.token", "header.Authorization"];
                json!({ "function": function, "identity": identity[..usize::from(sources)] })
            }),
        );
        Value::Object(file)
    }

    fn api(&self) -> Value {
        let mut api = json!({
            "stage": self.stage,
            "routes": each(&self.routes, Route::written),
            "variables": numbered(&self.variables),
            "metrics": self.metrics,
        });
        if let Some(n) = self.throttle {
            api["throttle"] = throttle(n);
        }
        if let Some(logs) = retention(self.access_logs) {
            api["logs"] = logs;
        }
        if self.about > 0 {
            api["description"] = json!(format!("chat {}", self.about));
            api["name"] = json!(format!("Laws {}", self.about));
            api["select"] = json!("$request.body.type");
        }
        api
    }

    fn function(&self, key: &str, function: &Function) -> Value {
        let mut written = json!({ "source": "./code", "environment": function.environment });
        let mut add = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                written[key] = value;
            }
        };
        let name = format!("laws-{key}-{}", function.name);
        add("name", (function.name > 0).then(|| json!(name)));
        add("memory", function.memory.map(|m| json!(m)));
        add("timeout", function.timeout.map(|s| json!(format!("{s}s"))));
        let about = format!("does {}", function.description);
        add(
            "description",
            (function.description > 0).then(|| json!(about)),
        );
        add("concurrency", function.concurrency.map(|n| json!(n)));
        add("logs", retention(function.retention));
        if function.uses {
            let tables = self.tables.keys();
            let mut uses: Map<String, Value> = tables
                .map(|table| (format!("tables.{table}"), json!(["read", "write"])))
                .collect();
            uses.insert("connections".to_owned(), json!(["send"]));
            add("uses", Some(Value::Object(uses)));
        }
        written
    }
}

impl Route {
    fn written(&self) -> Value {
        let mut route = json!({ "function": self.function, "reply": self.reply });
        if let Some(n) = self.throttle {
            route["throttle"] = throttle(n);
        }
        if let Some(seconds) = self.timeout {
            route["timeout"] = json!(format!("{seconds}s"));
        }
        route
    }
}

impl Table {
    fn written(&self) -> Value {
        let mut table = json!({
            "key": "id",
            "indexes": self.indexes,
            "recovery": self.recovery,
            "deletion_protection": self.protection,
        });
        if let Some(ttl) = self.ttl {
            table["ttl"] = json!(ttl);
        }
        table
    }
}

fn each<T>(all: &BTreeMap<&'static str, T>, written: impl Fn(&T) -> Value) -> Value {
    all.iter()
        .map(|(key, one)| ((*key).to_owned(), written(one)))
        .collect()
}

fn numbered(all: &BTreeMap<&'static str, u8>) -> Value {
    each(all, |n| json!(format!("v{n}")))
}

fn throttle(n: u8) -> Value {
    json!({ "rate": f64::from(n) * 12.5, "burst": u32::from(n) * 7 })
}

fn retention(days: Option<u16>) -> Option<Value> {
    days.map(|days| json!({ "retention": format!("{days}d") }))
}
