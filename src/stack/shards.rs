//! Groups in shards: which index has them, and what its number of shards means elsewhere.

use super::{IndexDef, Stack};

/// The table whose rows are members, and the attribute that says of what.
pub(crate) const TABLE: &str = "connections";
pub(crate) const KEY: &str = "groupId";

/// Executions that workers take at most, unless the file says otherwise. An account has 1,000 unless raised.
const MOST_WORKERS: u16 = 100;

/// Posts to connections that an account may make in a second, and the percentage of them that is for workers.
const ACCOUNT_RATE: u32 = 10_000;
const SHARE: u32 = 80;

impl Stack {
    /// The indexes that find the members of a group: without shards first.
    pub(crate) fn group_indexes(&self) -> Vec<(&str, &IndexDef)> {
        let table = self.tables.get(TABLE);
        let all = table.into_iter().flat_map(|table| &table.indexes);
        let mut by_group: Vec<_> = all
            .filter(|(_, index)| index.key().name() == KEY)
            .map(|(name, index)| (name.as_str(), index))
            .collect();
        by_group.sort_by_key(|(_, index)| index.shards());
        by_group
    }

    /// Into how many parts groups are spread, if they are.
    pub fn shards(&self) -> Option<u16> {
        let indexes = self.group_indexes();
        indexes.iter().find_map(|(_, index)| index.shards())
    }

    /// How many workers are at work at once: one a shard, as far as that goes.
    pub(crate) fn workers(&self) -> Option<u32> {
        self.shards().map(|shards| shards.min(MOST_WORKERS).into())
    }
}

/// Posts a second of each of so many workers.
pub(crate) fn rate(workers: u32) -> u32 {
    (ACCOUNT_RATE * SHARE / 100 / workers.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_workers_together_leave_a_fifth_of_the_account() {
        assert_eq!(rate(16), 500);
        assert_eq!(rate(1), 8000);
        for workers in [1, 7, 16, 100, 1000] {
            assert!(rate(workers) * workers <= ACCOUNT_RATE * SHARE / 100);
        }
        assert_eq!(rate(0), 8000);
        assert_eq!(rate(1_000_000), 1);
    }
}
