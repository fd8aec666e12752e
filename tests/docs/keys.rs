//! The tables of `docs/stack-file.md`, made from the schema: a key that is new, or told otherwise, shows there.
//!
//! A line `<!-- keys: SECTION -->` stands above the table of that section's keys, `<!-- keys: * -->` above all others,
//! `<!-- words: DEFINITION -->` above the words of a choice. `DOCS=overwrite cargo test --test docs` writes the tables.

use std::fs;

use serde_json::Value;

const PAGE: &str = "docs/stack-file.md";

/// A row: the key, what it means, and what holds where it is not said.
struct Row {
    key: String,
    means: String,
    unless: String,
}

/// The keys of a value, depth first and in the order of the types, with `*` for names of the user's own.
fn rows(schema: &Value, of: &Value, path: &str, out: &mut Vec<Row>) {
    if let Some(name) = of["$ref"].as_str() {
        let name = name.trim_start_matches("#/definitions/");
        rows(schema, &schema["definitions"][name], path, out);
    }
    for several in ["allOf", "anyOf"] {
        for one in of[several].as_array().into_iter().flatten() {
            rows(schema, one, path, out);
        }
    }
    let required = of["required"].as_array().cloned().unwrap_or_default();
    for (key, value) in of["properties"].as_object().into_iter().flatten() {
        let here = format!("{path}.{key}");
        let here = here.trim_start_matches('.');
        let needed = required.iter().any(|one| one == key);
        out.push(row(schema, here, value, needed));
        rows(schema, value, here, out);
    }
    let named = &of["additionalProperties"];
    if named.is_object() {
        let here = format!("{path}.*");
        out.push(row(schema, &here, named, false));
        // What an environment may hold is the whole again.
        if path != "environments" {
            rows(schema, named, &here, out);
        }
    }
}

fn row(schema: &Value, key: &str, value: &Value, needed: bool) -> Row {
    let said = description(schema, value).unwrap_or_else(|| panic!("`{key}` has no description"));
    let (means, unless) = said.split_once(" Unless said: ").unwrap_or((said, ""));
    Row {
        key: key.to_owned(),
        means: lower_first(means.trim_end_matches('.')),
        unless: if needed {
            "required"
        } else {
            unless.trim_end_matches('.')
        }
        .to_owned(),
    }
}

/// What is said of a value: at its place, else with its type, else of what a list holds.
fn description<'s>(schema: &'s Value, of: &'s Value) -> Option<&'s str> {
    if let Some(said) = of["description"].as_str() {
        return Some(said);
    }
    let of_name = of["$ref"].as_str().and_then(|name| {
        let name = name.trim_start_matches("#/definitions/");
        description(schema, &schema["definitions"][name])
    });
    let mut inside = ["allOf", "anyOf"]
        .iter()
        .flat_map(|several| of[*several].as_array().into_iter().flatten());
    of_name
        .or_else(|| inside.find_map(|one| description(schema, one)))
        .or_else(|| {
            of["items"]
                .is_object()
                .then(|| description(schema, &of["items"]))?
        })
}

/// A sentence as a cell has it; an abbreviation keeps its capitals.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() && second != '\'' => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let line = |cells: &[String]| format!("| {} |", cells.join(" | ")).replace("|  |", "| |");
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let mut lines = vec![line(&head), "|---".repeat(head.len()) + "|"];
    lines.extend(rows.map(|cells| line(&cells)));
    lines
}

/// The words of a choice, each with what it means.
fn words(schema: &Value, definition: &str) -> Vec<String> {
    let choices = schema["definitions"][definition]["oneOf"].as_array();
    let rows = choices.into_iter().flatten().map(|choice| {
        let word = choice["const"].as_str().expect("a word");
        let means = choice["description"].as_str().expect("its description");
        vec![
            format!("`{word}`"),
            lower_first(means.trim_end_matches('.')),
        ]
    });
    table(&["Word", "Means"], rows)
}

/// The keys of a section; of `*`, those of all sections that have no table of their own.
fn keys(all: &[Row], section: &str, sections: &[&str]) -> Vec<String> {
    let of = |row: &&Row| {
        let first = row.key.split('.').next().unwrap_or_default();
        if section == "*" {
            !sections.contains(&first)
        } else {
            first == section
        }
    };
    let rows = all.iter().filter(of).map(|row| {
        vec![
            format!("`{}`", row.key),
            row.means.clone(),
            row.unless.clone(),
        ]
    });
    table(&["Key", "Means", "Unless said"], rows)
}

/// The page with its tables as the schema has them.
fn made(page: &str, schema: &Value) -> String {
    let mut all = Vec::new();
    rows(schema, schema, "", &mut all);
    let marked = |line: &str, what: &str| {
        let inside = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
        inside.strip_prefix(what).map(str::to_owned)
    };
    let sections: Vec<String> = page
        .lines()
        .filter_map(|line| marked(line, "keys: "))
        .collect();
    let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
    let mut out = Vec::new();
    let mut in_table = false;
    for line in page.lines() {
        if in_table && line.starts_with('|') {
            continue;
        }
        in_table = false;
        out.push(line.to_owned());
        if let Some(section) = marked(line, "keys: ") {
            out.extend(keys(&all, &section, &sections));
            in_table = true;
        } else if let Some(definition) = marked(line, "words: ") {
            out.extend(words(schema, &definition));
            in_table = true;
        }
    }
    out.join("\n") + "\n"
}

#[expect(
    clippy::disallowed_methods,
    reason = "it asks whoever runs the test, and is no flag of msgai"
)]
fn is_to_overwrite() -> bool {
    std::env::var("DOCS").is_ok_and(|word| word == "overwrite")
}

#[test]
fn the_tables_of_the_stack_file_page_are_those_of_the_schema() {
    let schema = msgai::stack::schema();
    let page = super::text(PAGE);
    let made = made(&page, &schema);
    let listed = |key: &str| made.contains(&format!("\n| `{key}` |"));
    assert!(listed("tables.*.indexes.*.projection") && listed("name") && listed("api.routes.*"));
    if is_to_overwrite() {
        fs::write(super::root().join(PAGE), &made).expect("the page is written");
        return;
    }
    assert!(
        page == made,
        "{PAGE} is behind the schema; `DOCS=overwrite cargo test --test docs` writes its tables"
    );
}

#[test]
fn every_key_of_the_schema_is_in_one_table() {
    let schema = msgai::stack::schema();
    let mut all = Vec::new();
    rows(&schema, &schema, "", &mut all);
    let page = super::text(PAGE);
    for row in &all {
        let times = page.matches(&format!("\n| `{}` |", row.key)).count();
        assert_eq!(times, 1, "{}", row.key);
    }
}
