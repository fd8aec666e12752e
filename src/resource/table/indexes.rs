//! Indexes that come and go while the table serves: one at a time, as AWS demands, and each call can be the last.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction,
    GlobalSecondaryIndexUpdate, IndexStatus,
};
use serde_json::Value;

use super::super::{Difference, Work, members};
use super::{Index, Rest, Table, Until, describe, projection, schema};
use crate::cloud::{Cloud, CloudError, Fault};

/// How many a table may have.
const MOST: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Remove(String),
    Add(String),
}

/// What a table lacks of its indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Being built just now.
    pub building: Vec<String>,
    /// To be begun when those are ready.
    pub next: Vec<String>,
}

impl Table {
    /// Where an index may be left building, the first that is begun ends it; the next deploy goes on.
    pub(super) async fn change_indexes(
        &self,
        work: &Work<'_>,
        because: &[Difference],
    ) -> Result<(), CloudError> {
        let steps = self.steps(because);
        if steps.is_empty() {
            return Ok(());
        }
        for step in steps {
            if self.rest(work.cloud).await? == Rest::Building {
                return Ok(());
            }
            match step {
                Step::Remove(name) => self.remove_index(work, &name).await?,
                Step::Add(name) => {
                    self.add_index(work, &name, &self.indexes[&name]).await?;
                    if self.until == Until::Begun {
                        return Ok(());
                    }
                }
            }
        }
        self.rest(work.cloud).await.map(drop)
    }

    /// What comes is added before what goes is removed, so that whoever asks finds one of them. A removal comes first
    /// where its place among the most that a table may have is needed, or a type of its attributes changes; and a
    /// changed index is removed and added, because its key cannot change.
    fn steps(&self, because: &[Difference]) -> Vec<Step> {
        let all = members(because, "indexes");
        let new: BTreeSet<String> = because.iter().filter_map(new_index).collect();
        let (new, old): (Vec<String>, Vec<String>) =
            all.into_iter().partition(|name| new.contains(name));
        let (changed, gone): (Vec<String>, Vec<String>) = old
            .into_iter()
            .partition(|name| self.indexes.contains_key(name));
        let before = self.indexes.len() + gone.len() - new.len();
        let excess = (before + new.len()).saturating_sub(MOST);
        let (in_the_way, others): (Vec<String>, Vec<String>) = gone
            .into_iter()
            .partition(|name| self.clashes(name, because));
        let (clashing, changed): (Vec<String>, Vec<String>) = changed
            .into_iter()
            .partition(|name| self.clashes(name, because));
        let more = excess.saturating_sub(in_the_way.len()).min(others.len());
        let (first, last) = others.split_at(more);

        let mut steps: Vec<Step> = Vec::new();
        let early = in_the_way.iter().chain(first).chain(&clashing);
        steps.extend(early.cloned().map(Step::Remove));
        for name in changed {
            steps.extend([Step::Remove(name.clone()), Step::Add(name)]);
        }
        steps.extend(clashing.into_iter().chain(new).map(Step::Add));
        steps.extend(last.iter().cloned().map(Step::Remove));
        steps
    }

    /// Whether the index as it is has an attribute that is to have another type: a table has each in one type only.
    fn clashes(&self, index: &str, because: &[Difference]) -> bool {
        let of_index = |d: &&Difference| {
            let one = members(std::slice::from_ref(*d), "indexes");
            one.contains(index) && matches!(last(&d.field), "partition" | "sort")
        };
        let keys = because.iter().filter(of_index);
        let mut keys = keys.filter_map(|d| d.from.as_str());
        keys.any(|key| {
            let (name, kind) = key.split_once(':').unwrap_or((key, "S"));
            self.attributes.get(name).is_some_and(|want| want != kind)
        })
    }

    async fn remove_index(&self, work: &Work<'_>, name: &str) -> Result<(), CloudError> {
        let delete = DeleteGlobalSecondaryIndexAction::builder()
            .index_name(name)
            .build()
            .expect("the name is set");
        let update = GlobalSecondaryIndexUpdate::builder().delete(delete).build();
        let removed = self.update_index(work, update, Vec::new()).await;
        self.unless(removed, work, name, Fault::NotFound, false)
            .await
    }

    async fn add_index(
        &self,
        work: &Work<'_>,
        name: &str,
        index: &Index,
    ) -> Result<(), CloudError> {
        let create = CreateGlobalSecondaryIndexAction::builder()
            .index_name(name)
            .set_key_schema(Some(schema(&index.key)))
            .projection(projection(&index.projection))
            .build()
            .expect("name and key are set");
        let update = GlobalSecondaryIndexUpdate::builder().create(create).build();
        let attributes = [Some(&index.key.partition), index.key.sort.as_ref()];
        let attributes = attributes
            .into_iter()
            .flatten()
            .map(|name| self.attribute(name))
            .collect();
        let added = self.update_index(work, update, attributes).await;
        self.unless(added, work, name, Fault::Invalid, true).await
    }

    /// An index may be as it should be because the same call was carried out before, and its answer lost.
    async fn unless(
        &self,
        done: Result<(), CloudError>,
        work: &Work<'_>,
        index: &str,
        fault: Fault,
        wanted: bool,
    ) -> Result<(), CloudError> {
        match done {
            Err(error) if error.fault == fault => {
                let table = describe(work.cloud, &self.name).await?;
                let there = table.as_ref().map(|table| {
                    let mut names = table.global_secondary_indexes().iter();
                    names.any(|one| one.index_name() == Some(index))
                });
                if there == Some(wanted) {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            done => done,
        }
    }

    async fn update_index(
        &self,
        work: &Work<'_>,
        update: GlobalSecondaryIndexUpdate,
        attributes: Vec<AttributeDefinition>,
    ) -> Result<(), CloudError> {
        work.cloud
            .call("UpdateTable", &self.name, || {
                work.cloud
                    .dynamodb()
                    .update_table()
                    .table_name(&self.name)
                    .global_secondary_index_updates(update.clone())
                    .set_attribute_definitions(
                        Some(attributes.clone()).filter(|all| !all.is_empty()),
                    )
                    .send()
            })
            .await
            .map(drop)
    }
}

/// The index that this difference adds: every index has a partition key, and it had none.
fn new_index(difference: &Difference) -> Option<String> {
    let is_new = last(&difference.field) == "partition" && difference.from == Value::Null;
    let name = || members(std::slice::from_ref(difference), "indexes").pop_first();
    is_new.then(name).flatten()
}

/// The last part of a field's way.
fn last(field: &str) -> &str {
    field.rsplit('.').next().unwrap_or(field)
}

/// What is not there yet of a table that was left building; `None` when nothing is missing, or the whole table is.
pub async fn unfinished(cloud: &Cloud, table: &Table) -> Result<Option<Unfinished>, CloudError> {
    let Some(there) = describe(cloud, &table.name).await? else {
        return Ok(None);
    };
    let indexes = there.global_secondary_indexes();
    let is = |name: &str, wanted: &[IndexStatus]| {
        indexes.iter().any(|index| {
            index.index_name() == Some(name)
                && wanted.contains(index.index_status().unwrap_or(&IndexStatus::Active))
        })
    };
    let names = table.indexes.keys();
    let (building, rest): (Vec<&String>, Vec<&String>) =
        names.partition(|name| is(name, &[IndexStatus::Creating]));
    let ready = [IndexStatus::Active, IndexStatus::Updating];
    let next: Vec<&String> = rest.into_iter().filter(|name| !is(name, &ready)).collect();
    let owned = |names: Vec<&String>| names.into_iter().cloned().collect();
    let unfinished = Unfinished {
        building: owned(building),
        next: owned(next),
    };
    let is_any = !unfinished.building.is_empty() || !unfinished.next.is_empty();
    Ok(is_any.then_some(unfinished))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::Key;
    use super::*;
    use crate::names::Facts;
    use crate::plan::diff::differences;
    use crate::resource::Managed as _;

    /// A table with indexes such as `by-room: room` or `by-room: room:N`.
    fn table(indexes: &[(&str, &str)]) -> Table {
        let mut attributes = BTreeMap::from([("id".to_owned(), "S".to_owned())]);
        let mut key = |attribute: &str| {
            let (name, kind) = attribute.split_once(':').unwrap_or((attribute, "S"));
            attributes.insert(name.to_owned(), kind.to_owned());
            name.to_owned()
        };
        let indexes = indexes
            .iter()
            .map(|(name, attribute)| {
                let (partition, sort) = match attribute.split_once('+') {
                    Some((partition, sort)) => (key(partition), Some(key(sort))),
                    None => (key(attribute), None),
                };
                let key = Key { partition, sort };
                let projection = json!("all");
                ((*name).to_owned(), Index { key, projection })
            })
            .collect();
        Table {
            name: "t".to_owned(),
            key: Key {
                partition: "id".to_owned(),
                sort: None,
            },
            indexes,
            attributes,
            ttl: None,
            recovery: false,
            encryption: "aws-owned".to_owned(),
            protection: false,
            until: Until::AtRest,
            tags: BTreeMap::new(),
        }
    }

    fn steps(from: &[(&str, &str)], to: &[(&str, &str)]) -> Vec<String> {
        let (from, to) = (table(from), table(to));
        let none = Facts::new();
        let because = differences(&from.settings(&none), &to.settings(&none));
        let word = |step: &Step| match step {
            Step::Remove(name) => format!("-{name}"),
            Step::Add(name) => format!("+{name}"),
        };
        to.steps(&because).iter().map(word).collect()
    }

    #[test]
    fn what_comes_is_there_before_what_goes_is_gone() {
        assert_eq!(steps(&[("a", "x")], &[("b", "x")]), ["+b", "-a"]);
        assert_eq!(
            steps(&[("a.b", "x")], &[("c.partition", "x")]),
            ["+c.partition", "-a.b"]
        );
    }

    #[test]
    fn a_changed_index_goes_and_comes_back() {
        assert_eq!(steps(&[("a", "x")], &[("a", "y")]), ["-a", "+a"]);
        assert_eq!(steps(&[("a", "x")], &[("a", "x+y")]), ["-a", "+a"]);
        assert_eq!(steps(&[("a", "x+y")], &[("a", "x")]), ["-a", "+a"]);
    }

    #[test]
    fn an_attribute_of_another_type_is_given_up_before_it_is_taken() {
        assert_eq!(steps(&[("a", "x")], &[("b", "x:N")]), ["-a", "+b"]);
        let (from, to) = ([("a", "x"), ("b", "y+x")], [("a", "x:N"), ("b", "y+x:N")]);
        assert_eq!(steps(&from, &to), ["-a", "-b", "+a", "+b"]);
    }

    #[test]
    fn a_full_table_makes_room_first_and_no_more_than_it_must() {
        let names: Vec<String> = (0..20).map(|n| format!("i{n:02}")).collect();
        let full: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        let mut less = full[2..].to_vec();
        less.push(("new", "x"));
        assert_eq!(steps(&full, &less), ["-i00", "+new", "-i01"]);
        less.push(("newer", "x"));
        assert_eq!(steps(&full, &less), ["-i00", "-i01", "+new", "+newer"]);
    }
}
