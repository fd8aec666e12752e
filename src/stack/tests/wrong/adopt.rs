//! What is named for being taken over.

use super::{Case, check};

#[test]
fn what_is_wrong_is_said_where_it_is() {
    check(CASES);
}

const CASES: &[Case] = &[
    (
        "region: us-east-1\n",
        "adopt: [table/chat-messages, function/chat-connect, log-group/aws/lambda/chat-connect, role/any, api/a1b2c3]\n",
        &[],
    ),
    (
        "region: us-east-1\n",
        "adopt:\n  - table/chat-mesages\n",
        &[
            "3:5 error: the stack has no table of the name of `table/chat-mesages` / did you mean `table/chat-messages`?",
        ],
    ),
    (
        "region: us-east-1\n",
        "adopt: [table/Orders]\n",
        &[
            "2:9 error: the stack has no table of the name of `table/Orders` / it wants `table/chat-connections`, `table/chat-messages`",
        ],
    ),
    (
        "region: us-east-1\n",
        "adopt: [tables/chat-messages]\n",
        &[
            "2:9 error: `tables/chat-messages` names nothing that can be taken over / did you mean `table/chat-messages`?",
        ],
    ),
    (
        "region: us-east-1\n",
        "adopt: [stage/production]\n",
        &[
            "2:9 error: `stage/production` names nothing that can be taken over / it is `table/NAME`, `function/NAME`, `role/NAME`, `log-group/NAME`, `domain/NAME`, `mapping/NAME` or `api/ID`",
        ],
    ),
    (
        "region: us-east-1\n",
        "adopt: [api/]\n",
        &[
            "2:9 error: `api/` is not an API's id / `aws apigatewayv2 get-apis` lists them: letters and digits",
        ],
    ),
    (
        "region: us-east-1\n",
        "role: { name: mine }\nadopt: [role/mind, log-group/aws/apigateway/chat/production]\n",
        &[
            "3:9 error: the stack has no role of the name of `role/mind` / did you mean `role/mine`?",
            "3:20 error: the stack has no log-group of the name of `log-group/aws/apigateway/chat/production` / it wants `log-group/aws/lambda/chat-connect`, `log-group/aws/lambda/chat-disconnect`, `log-group/aws/lambda/chat-sendMessage`, `log-group/aws/lambda/chat-authorize`",
        ],
    ),
    (
        "  messages:\n    key: messageId\n",
        "  messages: { name: Messages, existing: true, key: messageId }\nadopt: [table/Messages]\n",
        &[
            "9:9 error: `table/Messages` is only used by the stack, and so cannot be taken over / remove `existing: true` from table `messages`",
        ],
    ),
];
