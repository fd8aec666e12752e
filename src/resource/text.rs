//! Values that may not exist yet, and values that may not be shown.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::names::{Facts, ResourceId};

/// A text in which ids may stand that only the cloud can give.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Known(String),
    Id(ResourceId),
}

impl Text {
    pub fn known(text: impl Into<String>) -> Self {
        Self(vec![Part::Known(text.into())])
    }

    pub fn id(of: ResourceId) -> Self {
        Self(vec![Part::Id(of)])
    }

    #[must_use]
    pub fn then(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Known(text.into()));
        self
    }

    #[must_use]
    pub fn then_id(mut self, of: ResourceId) -> Self {
        self.0.push(Part::Id(of));
        self
    }

    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The resources whose ids it waits for.
    pub fn needs(&self) -> impl Iterator<Item = &ResourceId> {
        self.0.iter().filter_map(|part| match part {
            Part::Known(_) => None,
            Part::Id(id) => Some(id),
        })
    }

    /// # Errors
    /// The first resource that has no physical id yet.
    pub fn resolve(&self, facts: &Facts) -> Result<String, ResourceId> {
        let mut whole = String::new();
        for part in &self.0 {
            match part {
                Part::Known(text) => whole.push_str(text),
                Part::Id(id) => whole.push_str(&facts.get(id).ok_or_else(|| id.clone())?.id),
            }
        }
        Ok(whole)
    }

    /// For comparing and showing: the text, or what it waits for.
    pub fn value(&self, facts: &Facts) -> Value {
        match self.resolve(facts) {
            Ok(text) => Value::String(text),
            Err(id) => json!({ PENDING: id.to_string() }),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::known(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::known(text)
    }
}

/// The member that stands for a value known only after another resource.
pub const PENDING: &str = "$pending";

/// The member that stands for a value that is compared but never shown.
pub const SECRET: &str = "$secret";

/// A value by its digest: equal values compare equal, and nobody can read them.
pub fn secret(value: &str) -> Value {
    json!({ SECRET: digest(value.as_bytes()) })
}

/// The first 16 hexadecimal digits of a SHA-256.
pub fn digest(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    sum.iter().take(8).fold(String::new(), |mut hex, byte| {
        hex.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        hex.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        hex
    })
}

/// A setting of a function's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub text: Text,
    /// It came from the environment of the person who deploys.
    pub secret: bool,
}

impl Variable {
    /// What is compared: an observed variable is always a digest, because nobody knows what it holds.
    pub fn value(&self, facts: &Facts) -> Value {
        match (self.text.resolve(facts), self.secret) {
            (Ok(text), true) => secret(&text),
            (Ok(text), false) => Value::String(text),
            (Err(id), _) => json!({ PENDING: id.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Kind, Physical};

    #[test]
    fn a_text_waits_for_the_first_id_it_lacks() {
        let api = ResourceId::new(Kind::Api, "chat");
        let text = Text::known("arn:").then_id(api.clone()).then("/x");
        assert_eq!(text.resolve(&Facts::new()), Err(api.clone()));
        let facts = Facts::from([(api, Physical::new("a1"))]);
        assert_eq!(text.resolve(&facts).as_deref(), Ok("arn:a1/x"));
    }

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        let value = secret("hunter2");
        assert!(!value.to_string().contains("hunter"));
        assert_eq!(value, secret("hunter2"));
        assert_ne!(value, secret("hunter3"));
    }
}
