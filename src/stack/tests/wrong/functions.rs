//! Functions.

use super::{Case, check};

#[test]
fn what_is_wrong_is_said_where_it_is() {
    check(CASES);
}

const CASES: &[Case] = &[
    (
        "  connect: { handler: connect }\n",
        "  connect: { handler: conect }\n",
        &[
            "11:23 error: `functions.connect.handler` cannot be `conect`: it is `connect`, `disconnect`, `send`, `catchUp`, `markRead`, `typing`, `presence`, `default`, `chat`, `authorize` or `deliver` / did you mean `connect`?",
        ],
    ),
    (
        "  connect: { handler: connect }\n",
        "  connect: { handlr: connect }\n",
        &["11:14 error: `handlr` is not a key of `functions.connect` / did you mean `handler`?"],
    ),
    (
        "  connect: { handler: connect }\n",
        "  connect:\n",
        &[
            "11:3 error: `functions.connect` has no value / `connect`: a Lambda function: a shipped `handler`, or your own `source`",
        ],
    ),
    (
        "  connect: { handler: connect }\n",
        "  connect: {}\n",
        &[
            "11:3 error: function `connect` has neither `handler` nor `source` / `handler: send` names one that msgai ships, `source` your own code",
        ],
    ),
    (
        "  connect: { handler: connect }\n",
        "  connect: { handler: connect, source: ./x, runtime: nodejs22.x }\n",
        &[
            "11:32 error: function `connect` has a `handler` and a `source`: it can have one / take `handler` away for your own code, `source` for the shipped one",
        ],
    ),
    (
        "  connect: { handler: connect }\n",
        "  connect: { handler: connect, entry: x.y }\n",
        &[
            "11:32 error: a shipped handler has its own `entry` / take `entry` away, or name your own code with `source`",
        ],
    ),
    (
        "  connect: { handler: connect }\n",
        "  con.nect: { handler: connect }\n",
        &[
            "11:3 error: name `con.nect` cannot have `.` / it takes letters, digits, `-` and `_`",
            "23:15 error: route `$connect` names function `connect`, which is not declared / did you mean `con.nect`?",
        ],
    ),
    (
        "  connect: { handler: connect }\n",
        "  connect: { handler: connect, name: chat-disconnect }\n",
        &[
            "12:3 error: functions `connect` and `disconnect` would both be called `chat-disconnect` / give one of them another `name`",
        ],
    ),
    (
        "  connect: { handler: connect }\n",
        "  connect: { handler: connect, name: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx }\n",
        &[
            "11:38 error: function name `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` has 70 characters: at most 64 / write a shorter one",
        ],
    ),
    (
        "memory: 256",
        "memory: 64",
        &[
            "13:41 error: memory of 64 MB is outside 128 to 10240 / the nearest that Lambda has is `128`",
        ],
    ),
    (
        "memory: 256",
        "memory: 256MB",
        &[
            "13:41 error: `functions.sendMessage.memory` must be a whole number, not negative, and is a string / write `256`, without quotes or unit; variables work in strings only",
        ],
    ),
    (
        "memory: 256",
        "memory: -5",
        &[
            "13:41 error: `functions.sendMessage.memory` must be a whole number, not negative, and is `-5`",
        ],
    ),
    (
        "timeout: 10s",
        "timeout: 10",
        &[
            "13:55 error: `functions.sendMessage.timeout` must be a length of time such as `10s`, and is a number / write `10s` for seconds",
        ],
    ),
    (
        "timeout: 10s",
        "timeout: 10 seconds",
        &["13:55 error: timeout `10 seconds` is not a length of time / write `10s`"],
    ),
    (
        "timeout: 10s",
        "timeout: 20m",
        &[
            "13:55 error: timeout `20m` is outside 1 s to 15 min / the nearest that Lambda has is `15m`",
        ],
    ),
    (
        "timeout: 10s",
        "timeout: 1500ms",
        &["13:55 error: Lambda counts whole seconds, and `1500ms` is not / write `2s`"],
    ),
    (
        "timeout: 10s",
        "timeout: 30s",
        &[
            "13:55 warning: function `sendMessage` may run 30 s, and route `sendMessage` waits 29 s at most / `29s` is all that a route can use; what takes longer answers over the connection",
        ],
    ),
    (
        "    runtime: nodejs22.x\n",
        "    runtime: nodejs22\n",
        &["16:14 error: `nodejs22` is not a Lambda runtime / did you mean `nodejs22.x`?"],
    ),
    (
        "    runtime: nodejs22.x\n",
        "    runtime: nodejs16.x\n",
        &[
            "16:14 error: runtime `nodejs16.x` is retired: Lambda makes no new function with it / `nodejs24.x` is current",
        ],
    ),
    (
        "    runtime: nodejs22.x\n",
        "",
        &[
            "15:13 error: a zip needs a `runtime`, and function `authorize` has none / one of `provided.al2023`, `nodejs24.x`, `nodejs22.x`, `nodejs20.x`",
        ],
    ),
    (
        "    entry: index.handler\n",
        "",
        &["16:14 error: runtime `nodejs22.x` needs an `entry` / such as `entry: index.handler`"],
    ),
    (
        "environment: { LEVEL: info }",
        "env: { LEVEL: info }",
        &["18:5 error: `env` is not a key of `functions.authorize` / did you mean `environment`?"],
    ),
    (
        "environment: { LEVEL: info }",
        "environment: { AWS_REGION: x, 1X: y, X: z }",
        &[
            "18:20 error: `AWS_REGION` is set by Lambda itself / take it away: the function finds it in its environment all the same",
            "18:35 error: `1X` cannot be a variable's name / two characters at least: a letter, then letters, digits and `_`",
            "18:42 error: `X` cannot be a variable's name / two characters at least: a letter, then letters, digits and `_`",
        ],
    ),
    (
        "environment: { LEVEL: info }",
        "environment: { LEVEL: [info] }",
        &[
            "18:27 error: `functions.authorize.environment.LEVEL` must be a string, a number, `true` or `false`, and is a list / one value stands here; JSON goes in single quotes: `'{ … }'`",
        ],
    ),
    (
        "uses: { tables.messages: [read] }",
        "uses: { tables.mesages: [read] }",
        &[
            "19:13 error: function `authorize` uses `tables.mesages`, which is not declared / did you mean `tables.messages`?",
        ],
    ),
    (
        "uses: { tables.messages: [read] }",
        "uses: { messages: [read] }",
        &[
            "19:13 error: function `authorize` uses `messages`, which is not declared / did you mean `tables.messages`?",
        ],
    ),
    (
        "uses: { tables.messages: [read] }",
        "uses: { tables.messages: read }",
        &[
            "19:30 error: `functions.authorize.uses.tables.messages` must be a list, and is a string / write `[read]`",
        ],
    ),
    (
        "uses: { tables.messages: [read] }",
        "uses: { tables.messages: [send], connections: [] }",
        &[
            "19:31 error: `send` cannot be done with `tables.messages` / it is `read`, `write`, `update` or `delete`",
            "19:38 error: function `authorize` uses `connections` for nothing / one of `send`, `get` or `disconnect`",
        ],
    ),
    (
        "uses: { tables.messages: [read] }",
        "uses: { tables.messages: [scan] }",
        &[
            "19:31 error: `functions.authorize.uses.tables.messages[0]` cannot be `scan`: it is `read`, `write`, `update`, `delete`, `send`, `get` or `disconnect`",
        ],
    ),
    (
        "uses: { tables.messages: [read] }",
        "concurrency: 0",
        &["19:18 warning: `concurrency: 0` switches function `authorize` off"],
    ),
    (
        "uses: { tables.messages: [read] }",
        "snapStart: true",
        &[
            "19:5 error: `snapStart` is not a key of `functions.authorize` / SnapStart does not exist for `provided` and `nodejs` runtimes",
        ],
    ),
];
