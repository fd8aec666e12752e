//! The API with its routes and its stage, the log groups, and who is asked at `$connect`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::system::Throttle;
use super::super::yaml::{list, scalar};
use super::{Writer, days};
use crate::describe::{ACCESS_LOG, RETENTION};
use crate::stack::variables::escape;

impl Writer<'_> {
    pub(super) fn api(&mut self) {
        let system = self.system;
        let (api, stage) = (&system.api, &system.stage);
        self.page.blank();
        self.page.line(0, "api:");
        self.page.text(1, "name", &escape(self.own(&api.name)));
        if !api.description.is_empty() {
            self.page.text(1, "description", &escape(&api.description));
        }
        self.page.text(1, "select", &escape(&api.select));
        self.page.text(1, "stage", &stage.name);
        self.remarks(1, "api");
        let others: BTreeSet<&str> = system.notes.iter().map(|note| note.of.as_str()).collect();
        for of in others.into_iter().filter(|of| of.starts_with("stage/")) {
            self.remarks(1, of);
        }
        if let Some(domain) = &system.domain {
            let mut words = vec![format!("name: {}", scalar(&domain.name))];
            words.extend((!domain.key.is_empty()).then(|| format!("key: {}", scalar(&domain.key))));
            words.extend(domain.only.then(|| "only: true".to_owned()));
            let line = format!(
                "domain: {{ {} }}    # used; without a `certificate` never changed",
                words.join(", ")
            );
            self.page.line(1, &line);
        }
        self.page.line(1, "routes:");
        for route in &system.routes {
            let key = &self.keys.functions[&route.function];
            let throttle = stage.route_throttles.get(&route.key);
            let mut words = vec![format!("function: {}", scalar(key))];
            words.extend(route.reply.then(|| "reply: true".to_owned()));
            words.extend(
                route
                    .timeout
                    .map(|ms| format!("timeout: {}", milliseconds(ms))),
            );
            words.extend(throttle.map(|t| format!("throttle: {}", braces(*t))));
            let value = if words.len() == 1 {
                scalar(key)
            } else {
                format!("{{ {} }}", words.join(", "))
            };
            let line = format!("{}: {value}", scalar(&route.key));
            self.page.line(2, &line);
            self.remarks(2, &format!("route/{}", route.key));
        }
        self.left_out_routes();
        if let Some(throttle) = stage.throttle {
            self.page
                .line(1, &format!("throttle: {}", braces(throttle)));
        }
        if let Some(log) = &stage.logs {
            let retention = system.groups.get(&log.group).map(|g| g.retention);
            self.page.line(1, "logs:");
            let usual = format!(
                "/aws/apigateway/{}{}/{}",
                self.name, self.suffix, stage.name
            );
            if log.group != usual {
                self.page.text(2, "group", self.own(&log.group));
            }
            let retention = days(retention.unwrap_or(Some(RETENTION)));
            self.page.line(2, &format!("retention: {retention}"));
            if log.format != ACCESS_LOG {
                self.page.text(2, "format", &escape(&log.format));
            }
        }
        if !stage.variables.is_empty() {
            self.page.line(1, "variables:");
            for (name, value) in &stage.variables {
                let secret = self.secret(None, name);
                let value = secret.unwrap_or_else(|| escape(value));
                self.page.text(2, name, &value);
            }
        }
        if stage.metrics {
            self.page.line(1, "metrics: true");
        }
    }

    pub(super) fn left_out_routes(&mut self) {
        let written: BTreeSet<String> = self
            .system
            .routes
            .iter()
            .map(|route| format!("route/{}", route.key))
            .collect();
        let left: BTreeSet<&str> = self
            .system
            .notes
            .iter()
            .map(|note| note.of.as_str())
            .filter(|of| of.starts_with("route/") && !written.contains(*of))
            .collect();
        for of in left {
            self.remarks(2, of);
        }
    }

    pub(super) fn logs(&mut self) {
        if let Some(retention) = self.usual_retention() {
            self.page.blank();
            self.page
                .line(0, &format!("logs: {{ retention: {retention} }}"));
        }
    }

    /// How long most functions' lines are kept.
    pub(super) fn usual_retention(&self) -> Option<String> {
        let mut counts: BTreeMap<Option<i32>, usize> = BTreeMap::new();
        for function in self.system.functions.keys() {
            if let Some(group) = self.system.groups.get(&format!("/aws/lambda/{function}")) {
                *counts.entry(group.retention).or_default() += 1;
            }
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        most.map(|(retention, _)| days(retention))
    }

    pub(super) fn auth(&mut self) {
        let Some(authorizer) = &self.system.authorizer else {
            return;
        };
        let function = &self.keys.functions[&authorizer.function];
        let identity = match authorizer.identity.as_slice() {
            [] => String::new(),
            some => format!(", identity: {}", list(some)),
        };
        let line = format!("auth: {{ function: {}{identity} }}", scalar(function));
        self.page.blank();
        self.page.line(0, &line);
        let of = self.system.notes.iter().map(|note| note.of.clone());
        for of in of.filter(|of| of.starts_with("authorizer/")) {
            self.remarks(0, &of);
        }
    }
}

fn braces(throttle: Throttle) -> String {
    format!("{{ rate: {}, burst: {} }}", throttle.rate, throttle.burst)
}

fn milliseconds(ms: i32) -> String {
    if ms % 1000 == 0 {
        format!("{}s", ms / 1000)
    } else {
        format!("{ms}ms")
    }
}
