//! What a deployed stack is reached by, and the files that carry it on.

use std::io::Write as _;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::record::Record;
use super::session::{Session, folder};
use crate::error::Error;
use crate::names::{Facts, Kind, ResourceId};
use crate::resource::api;
use crate::stack::variables::{Late, expand};

/// URL and ids of a stack that runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outputs {
    pub(crate) url: String,
    /// What else leads there, beside a domain of one's own.
    pub(crate) default_url: Option<String>,
    /// The DNS record that the domain needs.
    pub(crate) record: Option<Record>,
    pub(crate) api_id: String,
    pub(crate) stage: String,
    /// Stack key → physical name.
    pub(crate) tables: IndexMap<String, String>,
    pub(crate) functions: IndexMap<String, String>,
}

/// `None` while there is no API.
pub(crate) fn outputs(session: &Session, facts: &Facts) -> Option<Outputs> {
    let stack = &session.loaded.stack;
    let api_id = facts.get(&api::id(&stack.id()))?.id.clone();
    facts.keys().find(|id| id.kind == Kind::Stage)?;
    Some(Outputs {
        url: session.site.url(stack).resolve(facts).ok()?,
        default_url: default_url(session, facts),
        record: Record::of(session, facts),
        api_id,
        stage: stack.api.stage.clone(),
        tables: stack
            .tables
            .keys()
            .map(|key| (key.clone(), stack.table_name(key)))
            .collect(),
        functions: stack
            .functions
            .keys()
            .map(|key| (key.clone(), stack.function_name(key)))
            .collect(),
    })
}

fn default_url(session: &Session, facts: &Facts) -> Option<String> {
    let stack = &session.loaded.stack;
    stack.api.domain.as_ref().filter(|domain| !domain.only)?;
    session.site.default_url(stack).resolve(facts).ok()
}

impl Outputs {
    pub(crate) fn json(&self) -> Value {
        let mut all = self.always();
        if let Some(url) = &self.default_url {
            all["default_url"] = json!(url);
        }
        if let Some(record) = &self.record {
            all["record"] = record.json();
        }
        all
    }

    fn always(&self) -> Value {
        json!({
            "type": "outputs",
            "version": 1,
            "url": self.url,
            "api_id": self.api_id,
            "stage": self.stage,
            "tables": self.tables,
            "functions": self.functions,
        })
    }

    /// Each by the name by which one is asked for, and where it leads.
    pub(crate) fn values(
        &self,
        session: &Session,
    ) -> IndexMap<String, (String, Option<ResourceId>)> {
        let mut all = IndexMap::new();
        let mut add = |name: &str, value: &str, id: Option<ResourceId>| {
            all.insert(name.to_owned(), (value.to_owned(), id));
        };
        add("url", &self.url, None);
        if let Some(url) = &self.default_url {
            add("default_url", url, None);
        }
        if let Some(record) = &self.record {
            add("record", &record.to_string(), Some(record.domain()));
        }
        add(
            "api",
            &self.api_id,
            Some(api::id(&session.loaded.stack.id())),
        );
        let stage = ResourceId::new(Kind::Stage, &self.stage);
        add("stage", &self.stage, Some(stage));
        for (part, kind, names) in [
            ("tables", Kind::Table, &self.tables),
            ("functions", Kind::Function, &self.functions),
        ] {
            for (key, name) in names {
                add(
                    &format!("{part}.{key}"),
                    name,
                    Some(ResourceId::new(kind, name)),
                );
            }
        }
        all
    }

    fn fill(&self, session: &Session, template: &str) -> String {
        expand(template, |late| match late {
            Late::ApiUrl => self.url.clone(),
            Late::ApiId => self.api_id.clone(),
            Late::TableName(key) => session.loaded.stack.table_name(key),
            Late::FunctionName(key) => session.loaded.stack.function_name(key),
            Late::FunctionArn(key) => session
                .site
                .place
                .function_arn(&session.loaded.stack.function_name(key)),
        })
    }

    /// Every file that the stack file names under `outputs`; says which were changed.
    pub(crate) fn write_files(&self, session: &Session) -> Result<Vec<String>, Error> {
        let mut written = Vec::new();
        for (file, variables) in &session.loaded.stack.outputs {
            let path = folder(&session.loaded.file).join(file);
            if write_env(&path, &self.filled(session, variables))? {
                written.push(file.clone());
            }
        }
        Ok(written)
    }

    /// The variables of one file of `outputs`; of a file that it does not name, those of all of them, or the URL.
    pub(crate) fn variables(&self, session: &Session, file: &Path) -> IndexMap<String, String> {
        let declared = &session.loaded.stack.outputs;
        let name = file
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        let of_file = declared.get(name).cloned();
        let all = || {
            declared
                .values()
                .flatten()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect()
        };
        let variables: IndexMap<String, String> = of_file.unwrap_or_else(all);
        if variables.is_empty() {
            return IndexMap::from([("MSGAI_URL".to_owned(), self.url.clone())]);
        }
        self.filled(session, &variables)
    }

    fn filled(
        &self,
        session: &Session,
        variables: &IndexMap<String, String>,
    ) -> IndexMap<String, String> {
        variables
            .iter()
            .map(|(k, v)| (k.clone(), self.fill(session, v)))
            .collect()
    }
}

/// Sets `KEY=value` lines in place and leaves every other byte; `false` when nothing had to change.
pub(crate) fn write_env(path: &Path, variables: &IndexMap<String, String>) -> Result<bool, Error> {
    let cannot = |what: &str, e: std::io::Error| {
        Error::failed(format!("cannot {what} {}: {e}", path.display()))
    };
    let before = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(cannot("read", e)),
    };
    let after = with_variables(&before, variables);
    if after == before {
        return Ok(false);
    }
    let parent = folder(path);
    std::fs::create_dir_all(&parent).map_err(|e| cannot("make the folder of", e))?;
    // In one step, so that a kill leaves the old file or the new one; with the old one's mode.
    let mut file = tempfile::NamedTempFile::new_in(&parent).map_err(|e| cannot("write", e))?;
    file.write_all(after.as_bytes())
        .map_err(|e| cannot("write", e))?;
    if let Ok(metadata) = std::fs::metadata(path) {
        file.as_file()
            .set_permissions(metadata.permissions())
            .map_err(|e| cannot("write", e))?;
    }
    file.persist(path).map_err(|e| cannot("write", e.error))?;
    Ok(true)
}

fn with_variables(before: &str, variables: &IndexMap<String, String>) -> String {
    let newline = if before.contains("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let mut left = variables.clone();
    let mut after = String::new();
    for line in before.split_inclusive('\n') {
        let key = line
            .split_once('=')
            .map(|(key, _)| key.trim())
            .unwrap_or_default();
        let name = key.strip_prefix("export ").unwrap_or(key).trim();
        match variables.get(name) {
            // A second line of the same name would win over the first, so both get the value.
            Some(value) => {
                left.shift_remove(name);
                let end = if line.ends_with('\n') { newline } else { "" };
                after.push_str(&format!("{key}={}{end}", quoted(value)));
            }
            None => after.push_str(line),
        }
    }
    for (name, value) in left {
        if !after.is_empty() && !after.ends_with('\n') {
            after.push_str(newline);
        }
        after.push_str(&format!("{name}={}{newline}", quoted(&value)));
    }
    after
}

/// As dotenv readers take it: bare where it can be.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:?&=%+@,~".contains(c);
    if value.chars().all(is_plain) {
        value.to_owned()
    } else {
        format!(
            "\"{}\"",
            value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> IndexMap<String, String> {
        IndexMap::from([("URL".to_owned(), "wss://x/y".to_owned())])
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        let before = "# mine\nA=1\nURL=old\nB = 2";
        let after = with_variables(before, &variables());
        assert_eq!(after, "# mine\nA=1\nURL=wss://x/y\nB = 2");
        assert_eq!(with_variables(&after, &variables()), after);
    }

    #[test]
    fn a_new_variable_gets_a_line_of_its_own() {
        assert_eq!(with_variables("", &variables()), "URL=wss://x/y\n");
        assert_eq!(with_variables("A=1", &variables()), "A=1\nURL=wss://x/y\n");
        assert_eq!(
            with_variables("A=1\r\n", &variables()),
            "A=1\r\nURL=wss://x/y\r\n"
        );
    }

    #[test]
    fn what_a_shell_would_break_is_quoted() {
        assert_eq!(quoted("a b\"c"), "\"a b\\\"c\"");
    }
}
