//! What is wrong with the environment, in words for whoever configures the function.

use std::fmt;

use super::{HANDLERS, MOST_SECONDS};

/// What is wrong with the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsError {
    UnknownHandler(String),
    Missing(&'static str),
    BadKey(String),
    BadSeconds(String),
    BadDays(String),
    Bad {
        name: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
}

impl SettingsError {
    /// The name that the Runtime API asks for, `category.reason`.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::UnknownHandler(_) => "Runtime.UnknownHandler",
            Self::Missing(_)
            | Self::BadKey(_)
            | Self::BadSeconds(_)
            | Self::BadDays(_)
            | Self::Bad { .. } => "Runtime.InvalidEnvironment",
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHandler(name) => {
                let names: Vec<&str> = HANDLERS.iter().map(|(known, _)| *known).collect();
                write!(
                    f,
                    "no handler `{name}`: this bootstrap ships {}; \
                     set the function's handler to one of them",
                    names.join(", ")
                )
            }
            Self::Missing(name) => write!(
                f,
                "the environment variable {name} is not set; set it in the function's configuration"
            ),
            Self::Bad { name, wanted } => write!(
                f,
                "{name} is not {wanted}; set it in the function's configuration"
            ),
            Self::BadSeconds(text) => write!(
                f,
                "PRESENCE_SECONDS is `{text}`; write a whole number from 1 to {MOST_SECONDS}"
            ),
            Self::BadDays(text) => write!(
                f,
                "TIMELINE_DAYS is `{text}`; write how many days a message is kept for replay, 1 to 36500"
            ),
            Self::BadKey(text) => write!(
                f,
                "MESSAGES_KEY is `{text}`; write `partition` or `partition,sort`, \
                 each an attribute's name, with `:N` behind it if it is a number"
            ),
        }
    }
}

impl std::error::Error for SettingsError {}
