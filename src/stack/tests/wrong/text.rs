//! Variables, YAML itself, and environments.

use super::{Case, check};

#[test]
fn what_is_wrong_is_said_where_it_is() {
    check(CASES);
}

const CASES: &[Case] = &[
    (
        ".env.local: { URL: \"${api.url}\" }",
        ".env.local: { URL: \"x ${api.ulr}\" }",
        &["28:25 error: `${api.ulr}` is not a variable / did you mean `${api.url}`?"],
    ),
    (
        ".env.local: { URL: \"${api.url}\" }",
        ".env.local: { URL: \"${tables.mesages.name}\" }",
        &[
            "28:23 error: `${tables.mesages.name}` names a table that is not declared / did you mean `${tables.messages.name}`?",
        ],
    ),
    (
        ".env.local: { URL: \"${api.url}\" }",
        ".env.local: { URL: \"a ${api.url\" }",
        &[
            "28:25 error: `${` without its `}` / close it, or write `$${` for the two characters themselves",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: ${api.id}\n",
        &[
            "21:10 error: `${api.id}` is not known yet when this is read / it works in `outputs` and in a function's `environment`",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: ${env:STAGE}\n",
        &[
            "21:10 error: environment variable `STAGE` is not set / set it, or give it a default: `${env:STAGE:-…}`",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: ${env:ST AGE}\n",
        &[
            "21:10 error: `${env:ST AGE}` does not name an environment variable / write `${env:NAME}` or `${env:NAME:-default}`",
        ],
    ),
    (
        "  stage: production\n",
        "  stage: ${STAGE}\n",
        &["21:10 error: `${STAGE}` is not a variable / did you mean `${env:STAGE}`?"],
    ),
    (
        "  stage: production\n",
        "  stage: ${env:STAGE:-${env:X}}\n",
        &[
            "21:10 error: the default of `STAGE` has a variable of its own / a default is plain text",
        ],
    ),
    (
        "name: chat\n",
        "name: ${stack.name}\n",
        &["1:7 error: `${stack.name}` cannot be used here: it is worked out later"],
    ),
    (
        "region: us-east-1\n",
        "description: x\n",
        &["2:1 error: `description` is not a key of a stack file / it belongs under `api`"],
    ),
    (
        "    key: messageId\n",
        "    key: messageId\n    key: other\n",
        &[
            "10:5 error: key `key` is there twice / the first is in line 9: put both into one, or take one away",
        ],
    ),
    (
        "    key: messageId\n",
        "\tkey: messageId\n",
        &["9:2 error: a tab cannot indent / use spaces"],
    ),
    (
        "    key: messageId\n",
        "    key: *nothing\n",
        &[
            "9:10 error: `*nothing` stands for nothing that is named before / name its value where it stands first: `connect: &nothing { … }`",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: !ref messageId\n",
        &[
            "9:15 error: tag `!ref` means nothing here / a value is plain here; `${stack.name}`, `${env:NAME}` and the like are filled in",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: @messageId\n",
        &[
            "9:10 error: `@` cannot begin a value / put the value in quotes, or check the indentation",
        ],
    ),
    (
        "    key: messageId\n",
        "    key: a: b\n",
        &[
            "9:11 error: a `:` where no key can be / put the value in quotes, or check the indentation",
        ],
    ),
    (
        "outputs:\n",
        "---\noutputs:\n",
        &[
            "27:1 error: a stack file is one document, and here begins another / take `---` away, or keep the other stack in a file of its own",
        ],
    ),
    (
        "outputs:\n",
        "environments: { dev: { sufix: -dev } }\noutputs:\n",
        &["27:24 error: `sufix` is not a key of `environments.dev` / did you mean `suffix`?"],
    ),
    (
        "outputs:\n",
        "environments: { dev: { api: { stage: 7 } } }\noutputs:\n",
        &[
            "27:38 error: `environments.dev.api.stage` must be a string, and is a number / write it in quotes: `\"7\"`",
        ],
    ),
    (
        "outputs:\n",
        "environments: { dev: 7, prod: }\noutputs:\n",
        &[
            "27:22 error: `environments.dev` must be a map, and is a number / such as `dev: { suffix: -dev }`",
        ],
    ),
    (
        "outputs:\n",
        "environments: [dev]\noutputs:\n",
        &[
            "27:15 error: `environments` must be a map, and is a list / such as `environments: { dev: { suffix: -dev } }`",
        ],
    ),
    (
        "outputs:\n",
        "environments: { dev: { suffix: \"${env:\" } }\noutputs:\n",
        &[
            "27:33 error: `${` without its `}` / close it, or write `$${` for the two characters themselves",
        ],
    ),
    (
        "outputs:\n",
        "environments: { dev: { environments: {} } }\noutputs:\n",
        &[
            "27:24 error: `environments` is not a key of `environments.dev` / it belongs to the top of the file, without indentation",
        ],
    ),
];
