//! The API, the role and the outputs.

use super::{Case, check};

#[test]
fn what_is_wrong_is_said_where_it_is() {
    check(CASES);
}

const CASES: &[Case] = &[
    (
        "  stage: production\n",
        "",
        &["20:1 error: `api` needs `stage` / `stage`: the stage's name, the last part of the URL"],
    ),
    (
        "  stage: production\n",
        "  stage: $default\n",
        &[
            "21:10 error: a WebSocket API cannot have `$default` as its stage / `production`, for instance: it becomes the last part of the URL",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: pro duction\n",
        &[
            "21:10 error: stage name `pro duction` cannot have ` ` / it takes letters, digits, `_` and `-`",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  select: $body.action\n",
        &[
            "22:11 error: `select` cannot read `$body.action` / did you mean `$request.body.action`?",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  select: action\n",
        &[
            "22:11 warning: `action` reads nothing of a message: every one takes the same route / the usual one is `$request.body.action`",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  throttle: { rate: 0, burst: 0 }\n",
        &[
            "22:21 error: a rate of 0 refuses everyone / leave `throttle` away for no limit of its own",
            "22:31 error: a burst of 0 refuses everyone / leave `throttle` away for no limit of its own",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  throttle: { rate: 500 }\n",
        &["22:3 error: `api.throttle` needs `burst` / `burst`: requests at once"],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  throttle: { rate: 500, burst: 6000 }\n",
        &["22:33 warning: a burst of 6000 is above the 5000 of an account, unless that was raised"],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  logs: { retention: 15d, format: $context.status }\n",
        &[
            "22:22 error: logs cannot be kept for 15 days / the nearest that CloudWatch Logs has is `14d`",
            "22:35 error: an access log's format must have `$context.requestId` in it / `$context.extendedRequestId` does, too",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  logs: { retention: 14 }\n",
        &[
            "22:22 error: `api.logs.retention` must be a number of days such as `14d`, or `forever`, and is a number / write `14d` for days",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  variables: { a-b: x, c: 'a b', d: '' }\n",
        &[
            "22:16 error: `a-b` cannot be a stage variable's name / letters, digits and `_`, at most 64",
            "22:27 error: stage variable `c` cannot have ' ' / it takes letters, digits and `-._~:/?#&=,`",
            "22:37 error: stage variable `d` is empty, which API Gateway takes as absent",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  metrics: yes\n",
        &["22:12 error: `api.metrics` must be `true` or `false`, and is a string / write `true`"],
    ),
    (
        "    $connect: connect\n",
        "    $connect: onconect\n",
        &[
            "23:15 error: route `$connect` names function `onconect`, which is not declared / did you mean `connect`?",
        ],
    ),
    (
        "    $connect: connect\n",
        "",
        &[
            "22:3 warning: there is no route `$connect`: anyone connects, and nobody is told / `$connect: connect` calls function `connect` for each handshake",
            "25:1 error: `auth` is asked at `$connect`, and the API has no such route",
        ],
    ),
    (
        "    $connect: connect\n",
        "    $conect: connect\n",
        &[
            "23:5 error: route `$conect` begins with `$`, which is for `$connect`, `$disconnect` and `$default` / did you mean `$connect`?",
        ],
    ),
    (
        "    $connect: connect\n",
        "    $connect: disconnect\n",
        &[
            "23:15 error: route `$connect` calls handler `disconnect`, which is for `$disconnect` / name a function with `handler: send`, or with your own `source`",
        ],
    ),
    (
        "    $disconnect: disconnect\n",
        "    $disconnect: { function: disconnect, reply: true, timeout: 31s }\n",
        &[
            "24:49 warning: nobody is there to read a reply to `$disconnect`",
            "24:64 error: a route waits 50 ms to 29 s, and `31s` is outside / the nearest that API Gateway has is `29s`",
        ],
    ),
    (
        "sendMessage: { function: sendMessage, reply: true }",
        "sendMessage: { function: sendMessage, timeout: 5s }",
        &["25:52 warning: the route gives up after 5s, while function `sendMessage` may still run"],
    ),
    (
        "sendMessage: { function: sendMessage, reply: true }",
        "sendMessage: { reply: true }",
        &[
            "25:5 error: `api.routes.sendMessage` needs `function` / `function`: the function it calls",
        ],
    ),
    (
        "    $connect: connect\n    $disconnect: disconnect\n    sendMessage: { function: sendMessage, reply: true }\n",
        "    {}\n",
        &[
            "22:3 error: the API has no routes, and cannot be deployed without one / `$connect`, `$disconnect` and one for each `action` of a message",
        ],
    ),
    (
        "outputs:\n",
        "role: per-functoin\noutputs:\n",
        &[
            "27:7 error: `role` cannot be `per-functoin`: it is `per-function` or a map / did you mean `per-function`?",
        ],
    ),
    (
        "outputs:\n",
        "role: { name: 'a b', boundary: nothing }\noutputs:\n",
        &[
            "27:15 error: role name `a b` cannot have ` ` / it takes letters, digits and `_+=,.@-`",
            "27:32 error: `nothing` is not the ARN of a policy / it looks like `arn:aws:iam::111122223333:policy/boundary`",
        ],
    ),
    (
        "outputs:\n",
        "logs: { retention: 2w }\noutputs:\n",
        &["27:20 error: retention `2w` is not a number of days / write `14d`, or `forever`"],
    ),
    (
        ".env.local: { URL: \"${api.url}\" }",
        "./stack.yaml: { URL: x }",
        &[
            "28:3 error: `./stack.yaml` is this stack file, and no file of variables / name another one, such as `.env.local`",
        ],
    ),
    (
        ".env.local: { URL: \"${api.url}\" }",
        "../.env: { 1URL: x }",
        &[
            "28:3 error: `../.env` is not a file beside or below the stack file / a deploy writes into the stack file's folder only; `msgai outputs --env-file FILE` writes anywhere",
            "28:14 error: `1URL` cannot be a variable's name / letters, digits and `_`, not a digit first",
        ],
    ),
];
