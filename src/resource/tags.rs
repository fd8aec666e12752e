//! Tags: the mark by which we know our objects, read cheaply.

use std::collections::BTreeMap;

use aws_sdk_resourcegroupstagging::types::TagFilter;

use super::{Difference, Work, members};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{MARK, ResourceId, StackId};

pub(crate) type Tags = BTreeMap<String, String>;

/// What the tagging service knows of a stack: ARN → tags.
///
/// It lags and it remembers what is gone, so it is a hint where to look, confirmed by each service; only where it
/// already says exactly what is wanted is a service not asked for the same tags again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    known: BTreeMap<String, Tags>,
    unavailable: Option<String>,
}

impl Hints {
    /// A deploy does not depend on the tagging service: where it is denied or missing, leftovers stay unseen.
    pub(crate) async fn read(cloud: &Cloud, stack: &StackId) -> Result<Self, CloudError> {
        match Self::all(cloud, stack).await {
            Ok(known) => Ok(Self {
                known,
                unavailable: None,
            }),
            Err(error)
                if matches!(
                    error.fault,
                    Fault::Denied | Fault::Invalid | Fault::NotFound | Fault::Other
                ) =>
            {
                Ok(Self {
                    known: BTreeMap::new(),
                    unavailable: Some(error.to_string()),
                })
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn note(&self) -> Option<String> {
        self.unavailable.as_ref().map(|why| {
            format!("leftovers whose names the file no longer holds could not be looked for: {why}")
        })
    }

    async fn all(cloud: &Cloud, stack: &StackId) -> Result<BTreeMap<String, Tags>, CloudError> {
        let mut all = BTreeMap::new();
        let mut token: Option<String> = None;
        loop {
            let page = cloud
                .call("GetResources", stack, || {
                    let mine = TagFilter::builder()
                        .key(MARK)
                        .values(stack.as_str())
                        .build();
                    cloud
                        .tagging()
                        .get_resources()
                        .tag_filters(mine)
                        .set_pagination_token(token.clone())
                        .send()
                })
                .await?;
            for resource in page.resource_tag_mapping_list() {
                let Some(arn) = resource.resource_arn() else {
                    continue;
                };
                let tags = resource
                    .tags()
                    .iter()
                    .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
                    .collect();
                // Log groups come with and without the trailing `:*`.
                all.insert(arn.trim_end_matches(":*").to_owned(), tags);
            }
            token = page
                .pagination_token()
                .filter(|t| !t.is_empty())
                .map(str::to_owned);
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// The names that follow `prefix` in the ARNs of the stack's objects.
    pub(crate) fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.known
            .iter()
            .filter(|(_, tags)| !tags.is_empty())
            .filter_map(move |(arn, _)| arn.strip_prefix(prefix))
    }

    /// Whether this object is known to have exactly these tags.
    pub(crate) fn confirm(&self, arn: &str, tags: &Tags) -> bool {
        self.known.get(arn).is_some_and(|known| known == tags)
    }
}

/// Keys to remove and pairs to set, from the differences of a `tags` setting.
pub(crate) fn changes(because: &[Difference], want: &Tags) -> (Vec<String>, Tags) {
    let (set, remove): (Vec<String>, Vec<String>) = members(because, "tags")
        .into_iter()
        .partition(|key| want.contains_key(key));
    let set = set
        .into_iter()
        .map(|key| (key.clone(), want[&key].clone()))
        .collect();
    (remove, set)
}

/// Before a change of an object whose mark only the tagging service may have vouched for: that service remembers what
/// is gone, so an object made anew by somebody else under the same name must be told from ours by its own tags.
/// One that is taken over had none when the plan was made.
pub(crate) fn still_ours(
    work: &Work<'_>,
    id: &ResourceId,
    tags: &Tags,
    because: &[Difference],
) -> Result<(), CloudError> {
    let had_none = |d: &Difference| d.field == format!("tags.{MARK}") && d.from.is_null();
    let ours = match tags.get(MARK) {
        Some(stack) => stack == work.stack.as_str(),
        None => because.iter().any(had_none),
    };
    if ours {
        return Ok(());
    }
    let message = format!("{id} is not this stack's any more: its tags are another's");
    Err(CloudError::of("ReadTags", &id.name, Fault::Other, message))
}

/// An object's tags without those that AWS itself puts on.
pub(crate) fn own<'a>(tags: impl IntoIterator<Item = (&'a String, &'a String)>) -> Tags {
    tags.into_iter()
        .filter(|(key, _)| !key.starts_with("aws:"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
