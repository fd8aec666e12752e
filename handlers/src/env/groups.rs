//! Groups in shards, and who delivers to the big ones.

use super::SettingsError;
use crate::shard::Shards;

const SHARDS: &str = "CONNECTIONS_SHARDS_BY_GROUP_ID";
const NEXT_SHARDS: &str = "CONNECTIONS_NEXT_SHARDS_BY_GROUP_ID";

/// Sixteen such workers stay below four fifths of what an account may post.
const RATE: u32 = 500;

/// Who delivers to big groups, and how fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workers {
    /// The function whose handler is `deliver`, as `name` or `name:alias`.
    pub function: Option<String>,
    /// Posts a second of one worker.
    pub rate: u32,
}

impl Workers {
    pub(super) fn read(value: &impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let rate = match value("DELIVER_RATE") {
            Some(text) => match text.parse() {
                Ok(rate) if rate > 0 => rate,
                _ => {
                    return Err(SettingsError::Bad {
                        name: "DELIVER_RATE",
                        wanted: "a number of posts a second, such as 500",
                    });
                }
            },
            None => RATE,
        };
        Ok(Self {
            function: value("DELIVER_FUNCTION"),
            rate,
        })
    }
}

/// Into how many parts the index has each group.
pub(super) fn shards(
    value: &impl Fn(&str) -> Option<String>,
) -> Result<Option<Shards>, SettingsError> {
    read(SHARDS, value)
}

/// The same for an index that is being filled.
pub(super) fn next_shards(
    value: &impl Fn(&str) -> Option<String>,
) -> Result<Option<Shards>, SettingsError> {
    read(NEXT_SHARDS, value)
}

fn read(
    name: &'static str,
    value: &impl Fn(&str) -> Option<String>,
) -> Result<Option<Shards>, SettingsError> {
    let Some(text) = value(name) else {
        return Ok(None);
    };
    let wanted = "a number from 1 to 256";
    let shards = Shards::parse(&text);
    shards.map(Some).ok_or(SettingsError::Bad { name, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_and_a_number_of_shards_are_checked() {
        let value =
            |text: &'static str| move |_: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
        assert_eq!(Workers::read(&value("")).map(|w| w.rate), Ok(RATE));
        assert_eq!(Workers::read(&value("70")).map(|w| w.rate), Ok(70));
        for wrong in ["0", "-1", "fast"] {
            let refused = Workers::read(&value(wrong)).unwrap_err();
            assert!(refused.to_string().contains("DELIVER_RATE"), "{refused}");
        }
        assert_eq!(shards(&value("")), Ok(None));
        assert_eq!(shards(&value("16")), Ok(Shards::parse("16")));
        let refused = shards(&value("300")).unwrap_err();
        assert!(refused.to_string().contains("1 to 256"), "{refused}");
    }
}
