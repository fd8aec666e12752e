//! The stack's identity, and its tables.

use super::{Case, check};

#[test]
fn what_is_wrong_is_said_where_it_is() {
    check(CASES);
}

const CASES: &[Case] = &[
    (
        "name: chat\n",
        "nam: chat\n",
        &["1:1 error: `nam` is not a key of a stack file / did you mean `name`?"],
    ),
    (
        "name: chat\n",
        "",
        &["1:1 error: the file needs `name` / `name`: the stack's identity: tags, lock, history"],
    ),
    (
        "name: chat\n",
        "name:\n",
        &["1:1 error: `name` has no value / `name`: the stack's identity: tags, lock, history"],
    ),
    (
        "name: chat\n",
        "name: 7\n",
        &["1:7 error: `name` must be a string, and is a number / write it in quotes: `\"7\"`"],
    ),
    (
        "name: chat\n",
        "name: chat\ncolour: red\n",
        &[
            "2:1 error: `colour` is not a key of a stack file / its keys are `name`, `suffix`, `region`, `account`, `tags`, `adopt`, `tables`, `functions`, `role`, `api`, `logs`, `auth`, `outputs`, `environments`",
        ],
    ),
    (
        "name: chat\n",
        "name: [chat]\n",
        &["1:7 error: `name` must be a string, and is a list / such as `name: chat`"],
    ),
    (
        "name: chat\n",
        "name: my chat\n",
        &[
            "1:7 error: stack name `my chat` is not a name / a letter, then letters, digits and `-`, at most 40 characters: `my-chat`",
        ],
    ),
    (
        "name: chat\n",
        "name: a-name-of-more-than-forty-characters-is-long\n",
        &[
            "1:7 error: stack name `a-name-of-more-than-forty-characters-is-long` is not a name / a letter, then letters, digits and `-`, at most 40 characters: `a-name-of-more-than-forty-characters-is`",
        ],
    ),
    (
        "name: chat\n",
        "name: chat\nsuffix: .dev\n",
        &["2:9 error: suffix `.dev` cannot have `.` / it takes letters, digits, `-` and `_`"],
    ),
    (
        "name: chat\n",
        "name: chat\naccount: 12345\n",
        &["2:10 error: account `12345` is not 12 digits / `aws sts get-caller-identity` says it"],
    ),
    (
        "name: chat\n",
        "name: chat\ntags: { 'aws:x': a, msgai:stack: b, ok: 'a*b' }\n",
        &[
            "2:9 error: tag `aws:x` begins with `aws:`, which belongs to aws / `x` is free",
            "2:21 error: tag `msgai:stack` begins with `msgai:`, which belongs to msgai / `stack` is free",
            "2:41 error: the value of tag `ok` cannot have `*`",
        ],
    ),
    (
        "region: us-east-1\n",
        "region: useast1\n",
        &["2:9 error: `useast1` is not a region / did you mean `us-east-1`?"],
    ),
    (
        "    key: connectionId\n",
        "",
        &[
            "4:3 error: `tables.connections` needs `key` / `key`: the primary key: an attribute, or a `partition` and a `sort` attribute",
        ],
    ),
    (
        "    key: connectionId\n",
        "    key: { partition: connectionId }\n",
        &["5:5 error: `tables.connections.key` needs `sort` / `sort`: the sort key's attribute"],
    ),
    (
        "    key: connectionId\n",
        "    key: { partition: connectionId, sort: connectionId }\n",
        &[
            "5:5 error: the shipped handlers find a connection by `connectionId` alone / write `key: connectionId`",
            "5:43 error: `connectionId` cannot be both partition and sort key",
        ],
    ),
    (
        "    key: connectionId\n",
        "    key: id\n",
        &[
            "5:10 error: the shipped handlers find a connection by `connectionId` alone / write `key: connectionId`",
        ],
    ),
    (
        "    key: connectionId\n",
        "    key: connectionId:X\n",
        &[
            "5:10 error: `connectionId:X` does not end in a type / `:N` is a number, `:B` is binary; a string needs nothing",
            "5:10 error: the shipped handlers find a connection by `connectionId` alone / write `key: connectionId`",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: [messageId]\n",
        &[
            "9:10 error: `tables.messages.key` must be an attribute's name or a map, and is a list / such as `key: connectionId`",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    existing: yes\n",
        &[
            "10:15 error: `tables.messages.existing` must be `true` or `false`, and is a string / write `true`",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    existing: true\n    recovery: true\n",
        &[
            "10:15 error: table `messages` exists already, and the file does not say its name / give it its `name`, as AWS has it",
            "11:5 warning: `recovery` has no effect: table `messages` exists already and is never changed / take `recovery` away, or `existing: true`",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    name: a\n",
        &["10:11 error: table name `a` has 1 character: at least 3 / write a longer one"],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    name: chat-connections\n",
        &[
            "10:11 error: tables `connections` and `messages` would both be called `chat-connections` / give one of them another `name`",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    ttl: messageId\n",
        &["10:10 error: `messageId` is the table's key, and cannot say when an item expires"],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    encryption: aws-manged\n",
        &[
            "10:17 error: encryption `aws-manged` is neither `aws-owned`, `aws-managed` nor the ARN of a KMS key / did you mean `aws-managed`?",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    indexes: { by-x: { key: messageId:N, projection: al } }\n",
        &[
            "10:54 error: `tables.messages.indexes.by-x.projection` cannot be `al`: it is `all`, `keys` or a list / did you mean `all`?",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    indexes: { by-x: { key: x, projection: [a, a, ''] } }\n",
        &[
            "10:48 error: attribute `a` is projected twice",
            "10:51 error: an attribute's name is empty",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    ttl: until\n    indexes: { by-x: { key: messageId:N, sort: until } }\n",
        &[
            "10:10 error: `until` says when an item expires, so it is a number, and index `by-x` has it as a string / write `until:N` there",
            "11:29 error: attribute `messageId` is a string in the key of `messages` and a number in index `by-x`",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    indexes: { by-x: { key: x, sort: x }, i: y }\n",
        &[
            "10:38 error: `x` cannot be both partition and sort key",
            "10:43 error: index name `i` has 1 character: at least 3 / write a longer one",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: roomId\n",
        &[
            "9:10 warning: a message whose sender gives no `roomId` cannot be stored / handler `send` adds `messageId`, `senderId` and `timestamp` by itself",
        ],
    ),
    (
        "    ttl: ttl\n",
        "",
        &["4:3 warning: connections that end unseen stay in the table for ever / write `ttl: ttl`"],
    ),
    (
        "    indexes: { userId-index: userId }\n",
        "",
        &[
            "4:3 error: handler `send` finds recipients by an index on `userId` or `groupId`, and there is neither / write `indexes: { userId-index: userId }`",
        ],
    ),
    (
        "    indexes: { userId-index: userId }\n",
        "    indexes: { userId-index: { key: userId, projection: keys } }\n",
        &[],
    ),
    (
        "    indexes: { userId-index: userId }\n  messages:\n    key: messageId\nfunctions:\n",
        "    indexes: { userId-index: { key: userId, projection: keys } }\n  messages:\n    key: messageId\nfunctions:\n  typing: { handler: typing }\n",
        &[
            "7:57 warning: handler `typing` reads `userId`, `connectedAt` and `seenAt` from the index, which does not repeat them / leave `projection` out, and it repeats all",
        ],
    ),
    (
        "    indexes: { userId-index: userId }\n  messages:\n    key: messageId\nfunctions:\n",
        "    indexes: { GroupIdIndex: groupId }\n  messages:\n    key: messageId\nfunctions:\n  read: { handler: markRead }\n",
        &[
            "4:3 warning: without an index on `userId` no sender hears that a message was read / write `userId-index: userId` under `indexes`",
        ],
    ),
    (
        "  messages:\n    key: messageId\n",
        "",
        &[
            "11:27 error: function `sendMessage` is a shipped handler and needs a table `messages` / write `messages: { key: messageId }` under `tables`",
            "17:13 error: function `authorize` uses `tables.messages`, which is not declared / declared: `tables.connections`, `connections`",
        ],
    ),
    (
        "  messages:\n    key: messageId\n",
        "  messages:\n    key: messageId\n  timeline: { key: owner, ttl: ttl }\n",
        &[
            "10:20 error: the shipped handlers keep timelines by `owner` and `position` / write `key: { partition: owner, sort: \"position:N\" }`",
        ],
    ),
    (
        "  messages:\n    key: messageId\n",
        "  messages:\n    key: messageId\n  timeline: { key: { partition: owner, sort: 'position:N' }, ttl: until }\n",
        &[
            "10:67 warning: the shipped handlers write the time an entry expires to `ttl` / write `ttl: ttl`",
        ],
    ),
    (
        "sendMessage: { handler: send, memory: 256, timeout: 10s }",
        "sendMessage: { handler: catchUp }",
        &[
            "13:27 error: function `sendMessage` is a shipped handler and needs a table `timeline` / write `timeline: { key: { partition: owner, sort: \"position:N\" }, ttl: ttl }` under `tables`",
        ],
    ),
    (
        "sendMessage: { handler: send, memory: 256, timeout: 10s }",
        "sendMessage: { handler: markRead }",
        &[],
    ),
    (
        "indexes: { userId-index: userId }",
        "indexes: { users: { key: userId, shards: 4 }, groups: { key: groupId, shards: 0 } }",
        &[
            "7:46 error: `shards` spreads groups, so it is for an index on `groupId` of table `connections` / take `shards` away: an index on anything else is not asked for a whole group",
            "7:83 error: 0 shards are not between 1 and 256",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    indexes: { groups: { key: groupId, shards: 4 } }\n",
        &[
            "10:48 error: `shards` spreads groups, so it is for an index on `groupId` of table `connections` / take `shards` away: an index on anything else is not asked for a whole group",
        ],
    ),
    (
        "indexes: { userId-index: userId }",
        "indexes: { one: { key: groupId, shards: 4 }, two: { key: groupId, shards: 8 }, users: userId }",
        &["7:79 error: groups are spread by one index, and there is another"],
    ),
];
