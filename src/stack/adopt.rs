//! Objects that are named for being taken over, such as `table/Connections`.
//!
//! In: a stack and a text of the file or of a flag. Out: which object is meant, or why it is none of this stack's.
//! Never: a look whether it is there; that is `observe.rs`.

use super::words::{choice, did_you_mean, each, nearest};
use super::{DomainDef, RoleDef, Stack};
use crate::names::{Kind, ResourceId};

/// Kinds whose objects can be taken over by themselves; all others come with their function, role or API.
const KINDS: [Kind; 7] = [
    Kind::Table,
    Kind::Function,
    Kind::Role,
    Kind::LogGroup,
    Kind::Domain,
    Kind::Mapping,
    Kind::Api,
];

/// Why a text names nothing that could be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    pub message: String,
    pub hint: Option<String>,
}

impl Stack {
    /// Why nothing is known of this function, with the nearest name or all of them.
    pub fn no_function(&self, function: &str) -> Unfit {
        let known = self.functions.keys().map(String::as_str);
        Unfit {
            message: format!("the stack has no function `{function}`"),
            hint: choice(function, known, "it has"),
        }
    }

    /// The object that `text` names: one that the stack wants, or an API by its id, because APIs' names are not unique.
    ///
    /// Without a Region nobody knows a role's default name, and any is taken.
    ///
    /// # Errors
    /// The kind cannot be taken over, or the stack wants nothing of that name.
    pub fn adopted(&self, text: &str, region: Option<&str>) -> Result<ResourceId, Unfit> {
        let (word, name) = text.split_once('/').unwrap_or((text, ""));
        let Some(kind) = KINDS.into_iter().find(|kind| kind.word() == word) else {
            return Err(unknown_kind(text, word));
        };
        if kind == Kind::Api {
            return api(text, name);
        }
        let wanted = self.adoptable(kind, region);
        let meant = wanted.iter().find(|id| id.to_string() == text);
        match meant {
            Some(id) => Ok(id.clone()),
            None if kind == Kind::Role && region.is_none() && self.names_roles_by_region() => {
                Ok(ResourceId::new(kind, name))
            }
            None => Err(self.unwanted(text, kind, &wanted)),
        }
    }

    /// What the stack wants of a kind, by physical name.
    fn adoptable(&self, kind: Kind, region: Option<&str>) -> Vec<ResourceId> {
        let functions = self.functions.keys();
        let names: Vec<String> = match kind {
            Kind::Table => {
                let made = self.tables.iter().filter(|(_, table)| !table.existing);
                made.map(|(key, _)| self.table_name(key)).collect()
            }
            Kind::Function => functions.map(|key| self.function_name(key)).collect(),
            Kind::LogGroup => {
                let of_functions = functions.map(|key| self.log_group_name(key));
                let of_stage = self.api.logs.as_ref().map(|_| self.access_log_group_name());
                of_functions.chain(of_stage).collect()
            }
            Kind::Role => {
                let region = region.unwrap_or_default();
                functions
                    .map(|key| self.function_role_name(key, region))
                    .collect()
            }
            Kind::Domain => {
                let made = self.api.domain.iter().filter(|d| d.certificate.is_some());
                made.map(|domain| domain.name.clone()).collect()
            }
            Kind::Mapping => self.api.domain.iter().map(DomainDef::address).collect(),
            _ => Vec::new(),
        };
        let id = |name| ResourceId::new(kind, name);
        names.into_iter().map(id).collect()
    }

    fn names_roles_by_region(&self) -> bool {
        let by_region = match &self.role {
            RoleDef::Shared(shared) => shared.name.is_none(),
            RoleDef::Each(_) => true,
        };
        by_region
            && self
                .functions
                .values()
                .any(|function| function.role.is_none())
    }

    fn unwanted(&self, text: &str, kind: Kind, wanted: &[ResourceId]) -> Unfit {
        let used = self.tables.iter().filter(|(_, table)| table.existing);
        let is_used = |key: &String| text == format!("table/{}", self.table_name(key));
        if let Some((key, _)) = used.into_iter().find(|(key, _)| is_used(key)) {
            return Unfit {
                message: format!("`{text}` is only used by the stack, and so cannot be taken over"),
                hint: Some(format!("remove `existing: true` from table `{key}`")),
            };
        }
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let near = did_you_mean(text, wanted.iter().map(String::as_str));
        let all = (!wanted.is_empty()).then(|| format!("it wants {}", each(&wanted)));
        Unfit {
            message: format!("the stack has no {kind} of the name of `{text}`"),
            hint: near.or(all),
        }
    }
}

/// What an ARN's last part names, spelled as the file does.
fn of_arn(arn: &str) -> Option<String> {
    let mut parts = arn.strip_prefix("arn:")?.splitn(5, ':');
    let service = parts.nth(1)?;
    let rest = parts.nth(2)?;
    let name = |prefix: &str| Some(rest.strip_prefix(prefix)?.trim_end_matches(":*").to_owned());
    match service {
        "dynamodb" => Some(format!("table/{}", name("table/")?)),
        "lambda" => Some(format!("function/{}", name("function:")?)),
        "iam" => Some(format!("role/{}", name("role/")?)),
        "logs" => Some(format!("log-group{}", name("log-group:")?)),
        "apigateway" => Some(format!("api/{}", name("/apis/")?)),
        _ => None,
    }
}

fn unknown_kind(text: &str, word: &str) -> Unfit {
    let words = KINDS.map(Kind::word);
    let near = nearest(word, words).map(|near| {
        let rest = text.strip_prefix(word).unwrap_or_default();
        let rest = if rest.is_empty() { "/NAME" } else { rest };
        format!("did you mean `{near}{rest}`?")
    });
    let near = of_arn(text)
        .map(|id| format!("did you mean `{id}`?"))
        .or(near);
    let all = "it is `table/NAME`, `function/NAME`, `role/NAME`, `log-group/NAME`, `domain/NAME`, `mapping/NAME` or `api/ID`";
    Unfit {
        message: format!("`{text}` names nothing that can be taken over"),
        hint: near.or(Some(all.to_owned())),
    }
}

fn api(text: &str, id: &str) -> Result<ResourceId, Unfit> {
    if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Ok(ResourceId::new(Kind::Api, id));
    }
    Err(Unfit {
        message: format!("`{text}` is not an API's id"),
        hint: Some("`aws apigatewayv2 get-apis` lists them: letters and digits".to_owned()),
    })
}
