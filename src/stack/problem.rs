//! What is wrong with a stack file, and where: the words between checking and showing.
//!
//! In: a rule that is broken. Out: a [`Problem`] at a [`Path`], or a [`Found`] at the file's bytes.
//! Never: text for a terminal; that is `show.rs`.

use std::fmt;

use serde::Serialize;

use super::tree::Mark;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// A broken rule, at its place in the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub at: Path,
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    pub fn error(at: Path, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            at,
            message: message.into(),
            hint: None,
        }
    }

    pub fn warning(at: Path, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(at, message)
        }
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        self.maybe(Some(hint.into()))
    }

    #[must_use]
    pub fn maybe(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }
}

/// A problem whose place in the file is known already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) severity: Severity,
    pub(crate) at: Option<Mark>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Found {
    pub(crate) fn error(at: Option<Mark>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            at,
            message: message.into(),
            hint: None,
        }
    }

    #[must_use]
    pub(crate) fn maybe(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }
}

/// The way from the top of the file to a value, or to the last step's key itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Path {
    steps: Vec<Step>,
    key: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Key(String),
    Index(usize),
}

impl Path {
    /// The value under these keys.
    pub fn of(keys: &[&str]) -> Self {
        Self {
            steps: keys
                .iter()
                .map(|key| Step::Key((*key).to_owned()))
                .collect(),
            key: false,
        }
    }

    /// The value under one more key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// An item of the list that this is.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        Self { steps, key: false }
    }

    /// The last key, rather than what stands under it.
    #[must_use]
    pub fn itself(mut self) -> Self {
        self.key = true;
        self
    }

    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether the last key is meant, rather than what stands under it.
    pub fn is_key(&self) -> bool {
        self.key
    }

    /// The steps as words; what a secret is remembered by.
    pub(crate) fn words(&self) -> Vec<String> {
        self.steps.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(index) => write!(f, "{index}"),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) if key.starts_with('.') => write!(f, ".\"{key}\"")?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
