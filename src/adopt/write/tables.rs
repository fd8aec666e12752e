//! Tables: those that hold connections are taken over, the others only used.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::keys::holds_connections;
use super::super::system::{Index, Key, Table};
use super::super::yaml::{list, scalar};
use super::Writer;
use crate::names::MARK;

impl Writer<'_> {
    /// Tables that are only used: what others may write to, too. Of a CloudFormation stack every table is its own.
    pub(super) fn existing(&self) -> BTreeSet<String> {
        let system = self.system;
        let own = |table: &Table| {
            let mark = table.tags.get(MARK);
            let formation = system.formation.as_ref();
            match mark {
                Some(mark) => Some(mark) == system.mark.as_ref(),
                None => {
                    holds_connections(table)
                        || formation.is_some_and(|f| f.tables.contains(&table.name))
                }
            }
        };
        let used = system.tables.values().filter(|table| !own(table));
        used.map(|table| table.name.clone()).collect()
    }

    pub(super) fn tables(&mut self) {
        self.page.blank();
        if self.system.tables.is_empty() {
            self.page.comment(
                0,
                "No table is named by the functions' variables or by their role. One that they use belongs here, with \
                 `existing: true` where others use it, too.",
            );
            return;
        }
        let existing = self.existing();
        self.page.line(0, "tables:");
        for table in self.system.tables.values() {
            let used = existing.contains(&table.name);
            let key = self.keys.tables[&table.name].clone();
            self.page.line(1, &format!("{}:", scalar(&key)));
            let name = if used {
                &table.name
            } else {
                self.own(&table.name)
            };
            self.page.text(2, "name", name);
            if used {
                let line = "existing: true    # used, never changed; to take it over, name it in `adopt` instead";
                self.page.line(2, line);
            }
            self.page.line(2, &format!("key: {}", key_text(&table.key)));
            if let Some(ttl) = &table.ttl {
                self.page.text(2, "ttl", ttl);
            }
            self.indexes(table);
            if !used {
                self.settings(table);
                self.remarks(2, &format!("table/{}", table.name));
            }
        }
    }

    fn indexes(&mut self, table: &Table) {
        if table.indexes.is_empty() {
            return;
        }
        self.page.line(2, "indexes:");
        for (name, index) in &table.indexes {
            let line = format!("{}: {}", scalar(name), index_text(index));
            self.page.line(3, &line);
        }
    }

    fn settings(&mut self, table: &Table) {
        if table.recovery {
            self.page.line(2, "recovery: true");
        }
        if let Some(key) = &table.encryption {
            self.page.text(2, "encryption", key);
        }
        let line = if table.protection {
            "deletion_protection: true"
        } else {
            "deletion_protection: false    # as it is; without this line msgai protects it"
        };
        self.page.line(2, line);
    }
}

fn key_text(key: &Key) -> String {
    let partition = scalar(&key.partition);
    match &key.sort {
        None => partition,
        Some(sort) => format!("{{ partition: {partition}, sort: {} }}", scalar(sort)),
    }
}

fn index_text(index: &Index) -> String {
    let key = scalar(&index.key.partition);
    let sort = index
        .key
        .sort
        .as_ref()
        .map(|sort| format!("sort: {}", scalar(sort)));
    let projection = match &index.projection {
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str);
            Some(format!("projection: {}", list(names)))
        }
        Value::String(word) if word != "all" => Some(format!("projection: {word}")),
        _ => None,
    };
    let more: Vec<String> = sort.into_iter().chain(projection).collect();
    if more.is_empty() {
        key
    } else {
        format!("{{ key: {key}, {} }}", more.join(", "))
    }
}
