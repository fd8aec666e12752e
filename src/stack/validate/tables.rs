//! Tables: names, keys, indexes and what the service takes of each.

use std::collections::BTreeMap;

use super::super::limits;
use super::super::problem::{Path, Problem};
use super::super::shards;
use super::super::words::did_you_mean;
use super::super::{
    Attribute, AttributeType, Encryption, IndexDef, KeyDef, ProjectionDef, TableDef,
};
use super::{Checks, at};

/// An attribute that a table's or an index's key uses, and where.
struct Keyed {
    path: Path,
    of: String,
    attribute: Attribute,
}

impl Checks<'_> {
    pub(super) fn tables(&mut self) {
        let stack = self.stack;
        for (key, table) in &stack.tables {
            self.name(at(["tables", key]).itself(), &limits::KEY, key, key);
            let (path, written) = match &table.name {
                Some(name) => (at(["tables", key, "name"]), name.as_str()),
                None => (at(["tables", key]).itself(), ""),
            };
            self.name(path, &limits::TABLE_NAME, written, &stack.table_name(key));
            self.table(key, table);
        }
        let names = stack
            .tables
            .keys()
            .map(|key| (key.clone(), stack.table_name(key)));
        self.twins("tables", "table", names);
    }

    fn table(&mut self, key: &str, table: &TableDef) {
        if table.existing {
            self.existing(key, table);
        }
        let keyed = keyed(key, table);
        self.attributes(&keyed);
        self.pairs(key, table);
        self.indexes(key, table);
        if let Some(ttl) = &table.ttl {
            self.ttl(at(["tables", key, "ttl"]), ttl, &keyed);
        }
        if let Some(encryption) = &table.encryption {
            self.encryption(at(["tables", key, "encryption"]), encryption);
        }
    }

    fn existing(&mut self, key: &str, table: &TableDef) {
        if table.name.is_none() {
            let message =
                format!("table `{key}` exists already, and the file does not say its name");
            let problem = Problem::error(at(["tables", key, "existing"]), message);
            self.push(problem.hint("give it its `name`, as AWS has it"));
        }
        let idle = [
            ("recovery", table.recovery),
            ("encryption", table.encryption.is_some()),
            ("deletion_protection", table.deletion_protection.is_some()),
        ];
        for (setting, _) in idle.into_iter().filter(|(_, given)| *given) {
            let message = format!(
                "`{setting}` has no effect: table `{key}` exists already and is never changed"
            );
            let here = at(["tables", key, setting]).itself();
            let hint = format!("take `{setting}` away, or `existing: true`");
            self.push(Problem::warning(here, message).hint(hint));
        }
    }

    fn attributes(&mut self, keyed: &[Keyed]) {
        let mut types: BTreeMap<&str, (AttributeType, &str)> = BTreeMap::new();
        for Keyed {
            path,
            of,
            attribute,
        } in keyed
        {
            let name = attribute.name();
            self.attribute_name(path, name);
            let Some(kind) = attribute.kind() else {
                let message = format!("`{}` does not end in a type", attribute.0);
                let problem = Problem::error(path.clone(), message);
                self.push(problem.hint("`:N` is a number, `:B` is binary; a string needs nothing"));
                continue;
            };
            match types.get(name) {
                Some((first, place)) if *first != kind => {
                    let message = format!(
                        "attribute `{name}` is {} in {place} and {} in {of}",
                        spoken(*first),
                        spoken(kind)
                    );
                    self.error(path.clone(), message);
                }
                Some(_) => {}
                None => {
                    types.insert(name, (kind, of));
                }
            }
        }
    }

    fn attribute_name(&mut self, path: &Path, name: &str) {
        if name.is_empty() {
            self.error(path.clone(), "an attribute's name is empty");
        } else if name.len() > limits::ATTRIBUTE_BYTES {
            let message = format!(
                "an attribute's name has at most {} bytes",
                limits::ATTRIBUTE_BYTES
            );
            self.error(path.clone(), message);
        } else if let Some(wrong) = name.chars().find(|c| c.is_whitespace() || c.is_control()) {
            let message = format!("attribute `{name}` cannot have {wrong:?}");
            self.error(path.clone(), message);
        }
    }

    /// One attribute cannot be both halves of a key.
    fn pairs(&mut self, key: &str, table: &TableDef) {
        if let KeyDef::Pair(pair) = &table.key
            && pair.partition.name() == pair.sort.name()
        {
            let message = format!(
                "`{}` cannot be both partition and sort key",
                pair.sort.name()
            );
            self.error(at(["tables", key, "key", "sort"]), message);
        }
        for (index, def) in &table.indexes {
            if let IndexDef::Full(full) = def
                && let Some(sort) = full
                    .sort
                    .as_ref()
                    .filter(|sort| sort.name() == full.key.name())
            {
                let message = format!("`{}` cannot be both partition and sort key", sort.name());
                self.error(at(["tables", key, "indexes", index, "sort"]), message);
            }
        }
    }

    fn indexes(&mut self, key: &str, table: &TableDef) {
        if table.indexes.len() > limits::INDEXES {
            let message = format!(
                "{} indexes are more than {}",
                table.indexes.len(),
                limits::INDEXES
            );
            self.error(at(["tables", key, "indexes"]).itself(), message);
        }
        let mut projected = 0;
        for (index, def) in &table.indexes {
            let here = at(["tables", key, "indexes", index]);
            self.name(here.clone().itself(), &limits::INDEX_NAME, index, index);
            let IndexDef::Full(full) = def else { continue };
            self.shards(key, index, def);
            if let Some(ProjectionDef::Attributes(attributes)) = &full.projection {
                projected += attributes.len();
                self.projection(&here.key("projection"), attributes);
            }
        }
        if projected > limits::PROJECTED_PER_TABLE {
            let message = format!(
                "the indexes of `{key}` project {projected} attributes: at most {}",
                limits::PROJECTED_PER_TABLE
            );
            self.error(at(["tables", key, "indexes"]).itself(), message);
        }
    }

    /// Only the handlers' own rows have an attribute for it, and only groups are big.
    fn shards(&mut self, table: &str, index: &str, def: &IndexDef) {
        let Some(count) = def.shards() else { return };
        let here = at(["tables", table, "indexes", index]);
        if !(1..=limits::SHARDS).contains(&count) {
            let message = format!("{count} shards are not between 1 and {}", limits::SHARDS);
            self.error(here.key("shards"), message);
        }
        let key = def.key();
        if table != shards::TABLE || key.name() != shards::KEY {
            let message = format!(
                "`shards` spreads groups, so it is for an index on `{}` of table `{}`",
                shards::KEY,
                shards::TABLE
            );
            let hint =
                "take `shards` away: an index on anything else is not asked for a whole group";
            self.push(Problem::error(here.key("shards"), message).hint(hint));
            return;
        }
        if key.kind() != Some(AttributeType::S) {
            let message = format!("`{}` is a string where there are `shards`", shards::KEY);
            self.error(here.key("key"), message);
        }
        let others = self.stack.group_indexes().into_iter();
        let mut sharded = others.filter(|(_, index)| index.shards().is_some());
        if sharded.next().is_some_and(|(first, _)| first != index) {
            let message = "groups are spread by one index, and there is another";
            self.error(here.key("shards"), message);
        }
    }

    fn projection(&mut self, path: &Path, attributes: &[String]) {
        if attributes.is_empty() {
            let problem = Problem::error(path.clone(), "the projection names no attributes");
            self.push(problem.hint("`keys` projects the keys alone, `all` everything"));
        }
        if attributes.len() > limits::PROJECTED_PER_INDEX {
            let message = format!(
                "an index projects {} attributes: at most {}",
                attributes.len(),
                limits::PROJECTED_PER_INDEX
            );
            self.push(Problem::error(path.clone(), message).hint("`all` projects everything"));
        }
        for (position, name) in attributes.iter().enumerate() {
            let here = path.index(position);
            self.attribute_name(&here, name);
            if attributes[..position].contains(name) {
                self.error(here, format!("attribute `{name}` is projected twice"));
            }
        }
    }

    fn ttl(&mut self, path: Path, ttl: &str, keyed: &[Keyed]) {
        if ttl.starts_with(|c: char| c.is_ascii_digit()) {
            let message = format!("`{ttl}` is a time, and `ttl` names an attribute");
            let hint = "write `ttl: ttl`; handler `connect` writes there when a day is over";
            self.push(Problem::error(path, message).hint(hint));
            return;
        }
        self.attribute_name(&path, ttl);
        let Some(key) = keyed.iter().find(|keyed| keyed.attribute.name() == ttl) else {
            return;
        };
        let of_table = keyed.first().is_some_and(|first| first.of == key.of);
        if of_table {
            self.error(
                path,
                format!("`{ttl}` is the table's key, and cannot say when an item expires"),
            );
        } else if key.attribute.kind() != Some(AttributeType::N) {
            let message = format!(
                "`{ttl}` says when an item expires, so it is a number, and {} has it as {}",
                key.of,
                key.attribute.kind().map_or("something else", spoken)
            );
            self.push(Problem::error(path, message).hint(format!("write `{ttl}:N` there")));
        }
    }

    fn encryption(&mut self, path: Path, encryption: &Encryption) {
        const WORDS: [&str; 2] = ["aws-owned", "aws-managed"];
        let value = encryption.0.as_str();
        if WORDS.contains(&value) || is_kms_key(value) {
            return;
        }
        let message = format!(
            "encryption `{value}` is neither `aws-owned`, `aws-managed` nor the ARN of a KMS key"
        );
        let hint = did_you_mean(value, WORDS).unwrap_or_else(|| {
            "`aws-owned` costs nothing and is what a table has unless said otherwise".to_owned()
        });
        self.push(Problem::error(path, message).hint(hint));
    }
}

fn keyed(key: &str, table: &TableDef) -> Vec<Keyed> {
    let mut all = Vec::new();
    let mut add = |path: Path, of: String, attribute| {
        all.push(Keyed {
            path,
            of,
            attribute,
        });
    };
    let own = at(["tables", key, "key"]);
    let of = format!("the key of `{key}`");
    match &table.key {
        KeyDef::Partition(attribute) => add(own, of, attribute.clone()),
        KeyDef::Pair(pair) => {
            add(own.key("partition"), of.clone(), pair.partition.clone());
            add(own.key("sort"), of, pair.sort.clone());
        }
    }
    for (name, index) in &table.indexes {
        let here = at(["tables", key, "indexes", name]);
        let of = format!("index `{name}`");
        match index {
            IndexDef::Partition(attribute) => add(here, of, attribute.clone()),
            IndexDef::Full(full) => {
                add(here.key("key"), of.clone(), index.physical_key());
                if let Some(sort) = &full.sort {
                    add(here.key("sort"), of, sort.clone());
                }
            }
        }
    }
    all
}

fn spoken(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::S => "a string",
        AttributeType::N => "a number",
        AttributeType::B => "binary",
    }
}

fn is_kms_key(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", partition, "kms", region, account, key]
        if partition.starts_with("aws") && limits::is_region(region) && limits::is_account(account)
            && (key.starts_with("key/") || key.starts_with("alias/")))
}
