//! What runs did: who, when, what, and what became of each change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::table::is_missing;
use super::{Claim, ENTRY, Item, Ledger, STACK, TABLE, number, text, text_of};
use crate::cloud::CloudError;

/// The first letters of a run's sort key; its ULID follows, so that the newest is the last.
const RUN: &str = "run#";

/// The largest page of a question for the history.
const PAGE: i32 = 100;

/// An item has at most 400 KB; beyond this, the changes that went well are left out.
const LARGEST: usize = 300_000;

/// One run, as it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub run: String,
    /// The verb: `deploy`, `destroy`, `rollback`, `unlock`.
    pub command: String,
    /// The caller's ARN.
    pub who: String,
    pub place: String,
    /// RFC 3339, in UTC.
    pub began: String,
    pub seconds: f64,
    /// `done`, `failed`, `partly`, `stopped`, `switched back` or `abandoned`.
    pub outcome: String,
    /// The number of the release that it made, when it was complete.
    pub release: Option<u64>,
    /// What it says besides, such as `to release 5`.
    pub note: Option<String>,
    pub changes: Vec<Entry>,
    /// How many more changes went well.
    #[serde(default)]
    pub omitted: usize,
    /// What callers reach since: our ids, and AWS's.
    pub live: BTreeMap<String, String>,
    /// The version of msgai.
    pub msgai: String,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub id: String,
    /// `create`, `update`, `delete`.
    pub action: String,
    /// The settings that differed; their values may be secret, their names are not.
    pub fields: Vec<String>,
    /// `done`, `failed`, `skipped` or `not started`.
    pub outcome: String,
    pub seconds: f64,
    pub error: Option<String>,
}

impl Record {
    /// What is known of a run that never came back.
    pub(super) fn abandoned(claim: &Claim, by: &Claim) -> Self {
        Self {
            note: Some(format!("its lock ran out and was taken by run {}", by.run)),
            ..Self::of(claim, "abandoned")
        }
    }

    /// A run of which nothing more is known yet.
    pub fn of(claim: &Claim, outcome: &str) -> Self {
        Self {
            run: claim.run.clone(),
            command: claim.command.clone(),
            who: claim.who.clone(),
            place: claim.place.clone(),
            began: claim.since.clone(),
            seconds: 0.0,
            outcome: outcome.to_owned(),
            release: None,
            note: None,
            changes: Vec::new(),
            omitted: 0,
            live: BTreeMap::new(),
            msgai: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    pub(super) fn item(&self, ledger: &Ledger) -> Item {
        let mut item = Item::from([
            (STACK.to_owned(), text(ledger.stack.as_str())),
            (ENTRY.to_owned(), text(&format!("{RUN}{}", self.run))),
            ("document".to_owned(), text(&self.document())),
        ]);
        if let Some(release) = self.release {
            item.insert("release".to_owned(), number(release));
        }
        item
    }

    fn document(&self) -> String {
        let spelled = |record: &Self| serde_json::to_string(record).unwrap_or_default();
        let whole = spelled(self);
        if whole.len() <= LARGEST {
            return whole;
        }
        let (well, ill): (Vec<Entry>, Vec<Entry>) = self
            .changes
            .iter()
            .cloned()
            .partition(|entry| entry.outcome == "done");
        let mut small = Self {
            omitted: well.len(),
            changes: ill,
            ..self.clone()
        };
        small.changes.truncate(LARGEST / 2000);
        spelled(&small)
    }
}

impl Ledger {
    /// The newest runs first, `most` at most; none where there is no ledger.
    pub async fn history(&self, most: usize) -> Result<Vec<Record>, CloudError> {
        let mut all = Vec::new();
        let mut from: Option<Item> = None;
        let page_of = i32::try_from(most).map_or(PAGE, |most| most.clamp(1, PAGE));
        while all.len() < most {
            let page = self
                .cloud
                .call("Query", TABLE, || {
                    let query = self.cloud.dynamodb().query().table_name(TABLE);
                    query
                        .key_condition_expression("#stack = :stack AND begins_with(#entry, :run)")
                        .expression_attribute_names("#stack", STACK)
                        .expression_attribute_names("#entry", ENTRY)
                        .expression_attribute_values(":stack", text(self.stack.as_str()))
                        .expression_attribute_values(":run", text(RUN))
                        .scan_index_forward(false)
                        .consistent_read(true)
                        .limit(page_of)
                        .set_exclusive_start_key(from.clone())
                        .send()
                })
                .await;
            let page = match page {
                Err(error) if is_missing(&error) => break,
                page => page?,
            };
            let readable = |item: &Item| serde_json::from_str(&text_of(item, "document")).ok();
            all.extend(page.items().iter().filter_map(readable));
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        all.truncate(most);
        Ok(all)
    }

    /// Whether a run's record is there.
    pub(super) async fn has(&self, record: &Record) -> Result<bool, CloudError> {
        let answer = self
            .cloud
            .call("GetItem", TABLE, || {
                let get = self.cloud.dynamodb().get_item().table_name(TABLE);
                get.set_key(Some(self.key(&format!("{RUN}{}", record.run))))
                    .consistent_read(true)
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => Ok(answer.item.is_some()),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
