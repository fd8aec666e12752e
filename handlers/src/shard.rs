//! A group's rows spread over an index: one key a shard, so that a big group is no hot key.
//!
//! A row keeps its `groupId` and has a `groupIdShard` beside it, such as `ward-3#7`, which is the index's key.
//! Readers ask for every shard; which one a row is in matters to nobody, as long as they are about equally full.

use crate::connections::{Audience, Connections, IndexKey};

/// The most shards that a group may have: a message to it asks for each of them.
pub const MOST: u16 = 256;

/// How many parts each group of an index has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards(u16);

impl Shards {
    /// A number from 1 to [`MOST`].
    pub fn parse(text: &str) -> Option<Self> {
        let count = text.parse().ok()?;
        (1..=MOST).contains(&count).then_some(Self(count))
    }

    pub fn count(self) -> u16 {
        self.0
    }

    /// The shard of a new connection's row.
    pub fn of(self, connection_id: &str) -> u16 {
        let shard = hash(connection_id) % u64::from(self.0);
        u16::try_from(shard).unwrap_or_default()
    }
}

/// What to ask the indexes for: a group in shards is asked for shard by shard.
pub fn parts<C: Connections>(connections: &C, audience: &Audience) -> Vec<IndexKey> {
    match (audience, connections.shards()) {
        (Audience::Group(group), Some(shards)) => (0..shards.count())
            .map(|shard| IndexKey::of_shard(group, shard))
            .collect(),
        (audience, _) => vec![IndexKey::of(audience)],
    }
}

/// Which of these parts a connection's own row is in.
pub fn part_of<C: Connections>(
    connections: &C,
    audience: &Audience,
    connection_id: &str,
) -> IndexKey {
    match (audience, connections.shards()) {
        (Audience::Group(group), Some(shards)) => {
            IndexKey::of_shard(group, shards.of(connection_id))
        }
        (audience, _) => IndexKey::of(audience),
    }
}

/// FNV-1a over 64 bits: the same on every machine and in every version.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::double::Double;

    #[test]
    fn only_a_sensible_number_of_shards_is_one() {
        assert_eq!(Shards::parse("16").map(Shards::count), Some(16));
        for wrong in ["0", "257", "-1", "16.0", "", "many"] {
            assert_eq!(Shards::parse(wrong), None, "{wrong}");
        }
    }

    /// Ids as API Gateway makes them, a few thousand of one afternoon.
    #[test]
    fn shards_are_about_equally_full() {
        for count in [2_u16, 10, 16, 100] {
            let shards = Shards::parse(&count.to_string()).unwrap();
            let mut members = BTreeMap::new();
            for n in 0..u32::from(count) * 1000 {
                let id = format!("TXzP{:07x}joECGjA=", n.wrapping_mul(2_654_435_761));
                *members.entry(shards.of(&id)).or_insert(0) += 1;
            }
            assert_eq!(members.len(), usize::from(count));
            assert!(
                members.values().all(|n| (850..=1150).contains(n)),
                "{members:?}"
            );
        }
    }

    #[test]
    fn a_group_is_asked_for_in_all_its_parts_and_a_user_in_one() {
        let double = Double::new().with_shards(3);
        let group = Audience::Group("ward-3".into());
        let keys = parts(&double, &group);
        let values: Vec<_> = keys.iter().map(IndexKey::value).collect();
        assert_eq!(values, ["ward-3#0", "ward-3#1", "ward-3#2"]);
        assert!(keys.iter().all(|key| key.attribute() == "groupIdShard"));
        let user = Audience::User("bob".into());
        assert_eq!(parts(&double, &user), [IndexKey::of(&user)]);
        assert_eq!(part_of(&double, &user, "c1"), IndexKey::of(&user));
        assert!(keys.contains(&part_of(&double, &group, "c1")));
        assert_eq!(part_of(&Double::new(), &group, "c1"), IndexKey::of(&group));
        assert_eq!(parts(&Double::new(), &group), [IndexKey::of(&group)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// A member of one group is never found in another's shard.
        #[test]
        fn no_two_shards_share_a_key(groups in proptest::collection::btree_set("[a#0-2]{1,4}", 2..8), count in 1..20_u16) {
            let all: Vec<IndexKey> = groups.iter().flat_map(|g| (0..count).map(move |n| IndexKey::of_shard(g, n))).collect();
            let different: BTreeSet<&IndexKey> = all.iter().collect();
            prop_assert_eq!(different.len(), all.len());
        }
    }
}
