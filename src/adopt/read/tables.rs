//! The tables that functions and roles name.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{
    BillingMode, KeySchemaElement, KeyType, Projection, ProjectionType,
    ProvisionedThroughputDescription, TableDescription,
};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::super::system::{Function, Index, Key, Note, Table};
use super::{Missing, or_note};
use crate::cloud::{Cloud, CloudError};
use crate::names::Place;
use crate::resource::table;

/// What a function's variables may name: what is called a table, and reads like one.
pub(super) fn named(function: &Function) -> Vec<String> {
    let reads_like_one = |value: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        (3..=255).contains(&value.len()) && value.chars().all(fits)
    };
    let all = function.environment.iter().filter(|(name, value)| {
        name.to_ascii_uppercase().contains("TABLE") && reads_like_one(value)
    });
    all.map(|(_, value)| value.clone()).collect()
}

pub(super) async fn read(
    cloud: &Cloud,
    place: &Place,
    names: BTreeSet<String>,
    notes: &mut Vec<Note>,
) -> Result<BTreeMap<String, Table>, Missing> {
    let seen = try_join_all(names.iter().map(|name| async move {
        let mut notes = Vec::new();
        let table = one(cloud, place, name, &mut notes).await?;
        Ok::<_, CloudError>((table, notes))
    }));
    let mut all = BTreeMap::new();
    for (table, of_table) in seen.await? {
        notes.extend(of_table);
        if let Some(table) = table {
            all.insert(table.name.clone(), table);
        }
    }
    Ok(all)
}

async fn one(
    cloud: &Cloud,
    place: &Place,
    name: &str,
    notes: &mut Vec<Note>,
) -> Result<Option<Table>, CloudError> {
    let of = format!("table/{name}");
    let about = or_note(table::describe(cloud, name).await, notes, &of, "it")?;
    let Some(about) = about.flatten() else {
        return Ok(None);
    };
    let arn = place.table_arn(name);
    let (ttl, recovery, tags) = futures_util::join!(
        table::ttl(cloud, name),
        table::recovery(cloud, name),
        table::tags_of(cloud, &arn),
    );
    let ttl = or_note(ttl, notes, &of, "when its items expire")?;
    let recovery = or_note(recovery, notes, &of, "whether it has backups")?;
    let tags = or_note(tags, notes, &of, "its tags")?;
    let kinds: BTreeMap<&str, &str> = about
        .attribute_definitions()
        .iter()
        .map(|a| (a.attribute_name(), a.attribute_type().as_str()))
        .collect();
    let indexes = about.global_secondary_indexes().iter().map(|index| {
        let seen = Index {
            key: key(index.key_schema(), &kinds),
            projection: index.projection().map_or_else(|| json!("all"), projection),
        };
        (index.index_name().unwrap_or_default().to_owned(), seen)
    });
    extras(&about, &of, notes);
    Ok(Some(Table {
        name: name.to_owned(),
        key: key(about.key_schema(), &kinds),
        indexes: indexes.collect(),
        ttl: ttl.flatten(),
        recovery: recovery.unwrap_or_default(),
        encryption: about
            .sse_description()
            .filter(|s| {
                s.status()
                    .is_none_or(|status| status.as_str() != "DISABLED")
            })
            .and_then(|s| s.kms_master_key_arn())
            .map(str::to_owned),
        protection: about.deletion_protection_enabled().unwrap_or_default(),
        tags: tags.unwrap_or_default(),
    }))
}

fn key(schema: &[KeySchemaElement], kinds: &BTreeMap<&str, &str>) -> Key {
    let of = |role: KeyType| {
        let element = schema.iter().find(|e| *e.key_type() == role)?;
        let name = element.attribute_name();
        Some(match kinds.get(name) {
            Some(kind) if *kind != "S" => format!("{name}:{kind}"),
            _ => name.to_owned(),
        })
    };
    Key {
        partition: of(KeyType::Hash).unwrap_or_default(),
        sort: of(KeyType::Range),
    }
}

fn projection(of: &Projection) -> Value {
    match of.projection_type() {
        Some(ProjectionType::KeysOnly) => json!("keys"),
        Some(ProjectionType::Include) => json!(of.non_key_attributes()),
        _ => json!("all"),
    }
}

/// Only where the stack takes the table over does it matter how it is paid.
fn extras(table: &TableDescription, of: &str, notes: &mut Vec<Note>) {
    let units = table
        .provisioned_throughput()
        .and_then(ProvisionedThroughputDescription::read_capacity_units);
    let mode = table.billing_mode_summary().and_then(|b| b.billing_mode());
    let provisioned = match mode {
        Some(mode) => *mode == BillingMode::Provisioned,
        None => units.is_some_and(|units| units > 0),
    };
    if provisioned {
        let text = "it is paid by provisioned capacity, and becomes one that is paid by use";
        notes.push(Note::changes(of, text));
    }
    for index in table.local_secondary_indexes() {
        let name = index.index_name().unwrap_or_default();
        notes.push(Note::stays(of, format!("local secondary index {name}")));
    }
    if table
        .stream_specification()
        .is_some_and(aws_sdk_dynamodb::types::StreamSpecification::stream_enabled)
    {
        notes.push(Note::stays(of, "it has a stream"));
    }
    for replica in table.replicas() {
        let region = replica.region_name().unwrap_or_default();
        notes.push(Note::stays(of, format!("replica in {region}")));
    }
}
