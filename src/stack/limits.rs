//! What AWS accepts: lengths, characters, ranges and lists of values, as its documentation has them.
//!
//! In: nothing. Out: constants, and questions about a single text.
//! Never: a complaint; `validate` words those.

/// Parts of a group: each message asks for every one.
pub(crate) const SHARDS: u16 = 256;

/// A rule for a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameRule {
    pub(crate) what: &'static str,
    pub(crate) shortest: usize,
    pub(crate) longest: usize,
    pub(crate) allowed: fn(char) -> bool,
    /// The allowed characters, as a complaint says them.
    pub(crate) characters: &'static str,
}

const fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

const fn dotted(c: char) -> bool {
    word(c) || c == '.'
}

const fn iam(c: char) -> bool {
    dotted(c) || matches!(c, '+' | '=' | ',' | '@')
}

fn printable(c: char) -> bool {
    !c.is_control()
}

pub(crate) const FUNCTION_NAME: NameRule = NameRule {
    what: "function name",
    shortest: 1,
    longest: 64,
    allowed: word,
    characters: "letters, digits, `-` and `_`",
};

pub(crate) const TABLE_NAME: NameRule = NameRule {
    what: "table name",
    shortest: 3,
    longest: 255,
    allowed: dotted,
    characters: "letters, digits, `_`, `.` and `-`",
};

pub(crate) const INDEX_NAME: NameRule = NameRule {
    what: "index name",
    ..TABLE_NAME
};

pub(crate) const ROLE_NAME: NameRule = NameRule {
    what: "role name",
    shortest: 1,
    longest: 64,
    allowed: iam,
    characters: "letters, digits and `_+=,.@-`",
};

pub(crate) const API_NAME: NameRule = NameRule {
    what: "API name",
    shortest: 1,
    longest: 128,
    allowed: printable,
    characters: "printable characters",
};

pub(crate) const STAGE_NAME: NameRule = NameRule {
    what: "stage name",
    shortest: 1,
    longest: 128,
    allowed: word,
    characters: "letters, digits, `_` and `-`",
};

/// What the file calls a table or a function.
pub(crate) const KEY: NameRule = NameRule {
    what: "name",
    shortest: 1,
    longest: 64,
    allowed: word,
    characters: "letters, digits, `-` and `_`",
};

pub(crate) const SUFFIX: NameRule = NameRule {
    what: "suffix",
    shortest: 0,
    longest: 24,
    allowed: word,
    characters: "letters, digits, `-` and `_`",
};

pub(crate) const STACK_NAME_LENGTH: usize = 40;

/// A letter, then letters, digits and `-`.
pub(crate) fn is_stack_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && name.len() <= STACK_NAME_LENGTH
}

/// The shape of every region's name: `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`.
pub(crate) fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let Some((number, words)) = parts.split_last() else {
        return false;
    };
    let word = |word: &&str| word.len() >= 2 && word.chars().all(|c| c.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(word)
        && (1..=2).contains(&number.len())
        && number.chars().all(|c| c.is_ascii_digit())
}

/// The longest region that is likely; for lengths when none is known.
pub(crate) const SOME_REGION: &str = "ap-southeast-1";

pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.chars().all(|c| c.is_ascii_digit())
}

/// AWS allows 50; the rest is for msgai's own.
pub(crate) const TAGS: usize = 45;
pub(crate) const TAG_KEY: usize = 128;
pub(crate) const TAG_VALUE: usize = 256;

pub(crate) fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c)
}

pub(crate) const DESCRIPTION_FUNCTION: usize = 256;
pub(crate) const DESCRIPTION_API: usize = 1024;
pub(crate) const ENTRY: usize = 128;

pub(crate) const MEMORY: std::ops::RangeInclusive<u32> = 128..=10_240;
pub(crate) const FUNCTION_SECONDS: std::ops::RangeInclusive<u64> = 1..=900;
pub(crate) const ROUTE_MILLIS: std::ops::RangeInclusive<u128> = 50..=29_000;

/// Keys and values of a function's environment together, in bytes.
pub(crate) const ENVIRONMENT_BYTES: usize = 4096;

/// Lambda sets these itself and refuses them.
pub(crate) const RESERVED_VARIABLES: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// A letter, then at least one letter, digit or `_`.
pub(crate) fn is_variable_name(name: &str) -> bool {
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What an account's functions may reserve of the 1,000 it begins with: 100 must stay free.
pub(crate) const RESERVABLE_CONCURRENCY: u32 = 900;

pub(crate) const INDEXES: usize = 20;
pub(crate) const PROJECTED_PER_INDEX: usize = 20;
pub(crate) const PROJECTED_PER_TABLE: usize = 100;
pub(crate) const ATTRIBUTE_BYTES: usize = 255;

pub(crate) const ROUTES: usize = 300;
pub(crate) const ROUTE_KEY: usize = 128;
pub(crate) const OWN_ROUTES: [&str; 3] = ["$connect", "$disconnect", "$default"];

pub(crate) const ACCOUNT_BURST: u32 = 5_000;

/// By how much two clocks may differ before the shipped authorizer calls a token expired.
pub(crate) const TOKEN_SKEW_SECONDS: u64 = 60;
pub(crate) const ACCOUNT_RATE: f64 = 10_000.0;

pub(crate) const DOMAIN_NAME: usize = 253;
pub(crate) const MAPPING_KEY: usize = 300;

pub(crate) fn is_mapping_key_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "$-_.+!*'()".contains(c)
}

pub(crate) const STAGE_VARIABLES: usize = 100;
pub(crate) const STAGE_VARIABLE_NAME: usize = 64;
pub(crate) const STAGE_VARIABLE_VALUE: usize = 512;

pub(crate) fn is_stage_variable_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(c)
}

/// The guide says 3 KB, the model 1,024 characters; the smaller is safe.
pub(crate) const LOG_FORMAT: usize = 1024;

/// How long log groups can keep what they get, in days.
pub(crate) const RETENTION_DAYS: &[u32] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// Families whose next version AWS may add any day, and how a version of each looks.
pub(crate) fn is_runtime(name: &str) -> bool {
    const FAMILIES: &[(&str, &str)] = &[
        ("nodejs", ".x"),
        ("python3.", ""),
        ("provided.al", ""),
        ("java", ""),
        ("dotnet", ""),
        ("ruby", ""),
    ];
    let version =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    FAMILIES.iter().any(|(start, end)| {
        name.strip_prefix(start)
            .and_then(|rest| rest.strip_suffix(end))
            .is_some_and(version)
    })
}

/// The runtime that a language's name stands for, for suggestions.
pub(crate) fn runtime_of(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    let family = match word.as_str() {
        "node" | "node.js" | "javascript" | "typescript" | "js" | "ts" => "nodejs",
        "rust" | "go" | "golang" => "provided",
        "py" => "python",
        "c#" | ".net" => "dotnet",
        other => other,
    };
    // `node22` and `python312` lack only their points.
    let bare = |text: &str| text.replace(['.', 'x'], "").replace("nodejs", "node");
    let all = RUNTIMES.iter().copied();
    let mut exact = all.clone().filter(|known| bare(known) == bare(&word));
    let mut first = all.filter(|known| family.len() > 3 && known.starts_with(family));
    exact.next().or_else(|| first.next())
}

/// Where AWS has been long enough to be misspelt; a new Region is taken by its shape.
pub(crate) const REGIONS: &[&str] = &[
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-north-1",
    "eu-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
];

/// For suggestions.
pub(crate) const RUNTIMES: &[&str] = &[
    "provided.al2023",
    "nodejs24.x",
    "nodejs22.x",
    "nodejs20.x",
    "python3.14",
    "python3.13",
    "python3.12",
    "java21",
    "dotnet8",
    "ruby3.4",
];

/// Lambda knows these, and makes no new function with them.
pub(crate) const RETIRED_RUNTIMES: &[&str] = &[
    "provided",
    "go1.x",
    "nodejs",
    "nodejs4.3",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "nodejs18.x",
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "python3.9",
    "java8",
    "dotnet6",
    "ruby2.5",
    "ruby2.7",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_a_shape() {
        for good in [
            "us-east-1",
            "us-gov-west-1",
            "ap-southeast-2",
            "eusc-de-east-1",
            "us-iso-east-1",
        ] {
            assert!(is_region(good), "{good}");
        }
        for bad in [
            "",
            "us-east",
            "useast1",
            "us-east-1a",
            "US-EAST-1",
            "us--1",
            "us-east-123",
            "-1",
        ] {
            assert!(!is_region(bad), "{bad}");
        }
    }

    #[test]
    fn runtimes_of_tomorrow_are_runtimes() {
        for good in RUNTIMES
            .iter()
            .chain(&["nodejs30.x", "python3.20", "provided.al2"])
        {
            assert!(is_runtime(good), "{good}");
            assert!(!RETIRED_RUNTIMES.contains(good), "{good}");
        }
        for bad in ["node22", "nodejs22", "python", "rust", "nodejs.x", ""] {
            assert!(!is_runtime(bad), "{bad}");
        }
    }

    #[test]
    fn a_language_has_a_runtime() {
        for (word, runtime) in [
            ("node", "nodejs24.x"),
            ("node22", "nodejs22.x"),
            ("nodejs22", "nodejs22.x"),
            ("python312", "python3.12"),
            ("python", "python3.14"),
            ("rust", "provided.al2023"),
        ] {
            assert_eq!(runtime_of(word), Some(runtime), "{word}");
        }
        assert_eq!(runtime_of("cobol"), None);
        assert_eq!(runtime_of(""), None);
    }

    #[test]
    fn the_schema_repeats_the_memory_range() {
        let memory = &crate::stack::schema()["definitions"]["FunctionDef"]["properties"]["memory"];
        assert_eq!(memory["minimum"], *MEMORY.start());
        assert_eq!(memory["maximum"], *MEMORY.end());
    }
}
