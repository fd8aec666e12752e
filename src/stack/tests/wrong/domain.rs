//! The domain of one's own.

use super::{Case, check};

#[test]
fn what_is_wrong_is_said_where_it_is() {
    check(CASES);
}

const CASES: &[Case] = &[
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: chat.example.org, certificate: \"arn:aws:acm:us-east-1:111122223333:certificate/a\", key: chat, only: true }\n",
        &[],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: chat.example.org }\n",
        &[],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: \"wss://chat.example.org\" }\n",
        &[
            "22:19 error: `wss://chat.example.org` is not a domain's name / letters, digits and `-`, with dots between, such as `chat.example.org`; no `wss://`, no path",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: chat }\n",
        &[
            "22:19 error: `chat` is not a domain's name / letters, digits and `-`, with dots between, such as `chat.example.org`; no `wss://`, no path",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: 192.0.2.1 }\n",
        &[
            "22:19 error: `192.0.2.1` is not a domain's name / letters, digits and `-`, with dots between, such as `chat.example.org`; no `wss://`, no path",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: Chat.example.org }\n",
        &[
            "22:19 error: domain `Chat.example.org` has capitals, which API Gateway does not take / write `chat.example.org`",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: \"*.example.org\" }\n",
        &[
            "22:19 error: `*.example.org` stands for many names, and clients need one URL / name one of them; a certificate may be for all of them",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: a1b2c3.execute-api.us-east-1.amazonaws.com }\n",
        &[
            "22:19 error: `a1b2c3.execute-api.us-east-1.amazonaws.com` is AWS's own, and needs no `domain` / leave `domain` away: the API has its `execute-api` address without it",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: chat.example.org, key: a/b }\n",
        &[
            "22:42 error: `a/b` has more than one part, and a WebSocket's key has one / write the part alone, without any slash",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: chat.example.org, key: \"a b\" }\n",
        &[
            "22:42 error: the domain's key cannot have ' ' / it takes letters, digits and `$-_.+!*'()`",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: chat.example.org, key: \"\" }\n",
        &[
            "22:42 error: the domain's key is empty / leave `key` away for a URL that is the domain alone",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: chat.example.org, certificate: mine }\n",
        &[
            "22:50 error: `mine` is not a certificate's ARN / `aws acm list-certificates` lists them: `arn:aws:acm:REGION:ACCOUNT:certificate/ID`",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { name: chat.example.org, certificate: \"arn:aws:acm:eu-west-1:111122223333:certificate/a\" }\n",
        &[
            "22:50 error: the certificate is in eu-west-1, and the stack in us-east-1 / API Gateway takes one of its own Region: request one in us-east-1",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: production\n  domain: { certificate: \"arn:aws:acm:us-east-1:111122223333:certificate/a\" }\n",
        &["22:3 error: `api.domain` needs `name` / `name`: the host that clients connect to"],
    ),
];
