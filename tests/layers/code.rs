//! As much of a Rust parser as it takes to see which paths a file names.
//!
//! In: source code. Out: its paths, `use` groups spread out, without comments, strings and tests.
//! Never: types or macros expanded; a name brought in under another is seen where it is brought in.

/// Every path in the code, its `use` groups spread out, with the line that it ends on.
pub(crate) fn names(source: &str) -> Vec<(usize, String)> {
    let code = without_tests(&without_text(source));
    let tokens = tokens(&code);
    let mut names = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let before = names.len();
        at = path(&tokens, at, "", &mut names);
        // Inside a `use` a group follows; anywhere else one token is skipped and reading goes on.
        if names.len() == before {
            at += 1;
        }
    }
    names
}

/// Reads one path with all that it branches into; gives where it ends.
fn path(
    tokens: &[(usize, &str)],
    mut at: usize,
    prefix: &str,
    names: &mut Vec<(usize, String)>,
) -> usize {
    let mut name = prefix.to_owned();
    let token = |at: usize| tokens.get(at).map_or("", |(_, token)| *token);
    if token(at) == "::" {
        at += 1;
    }
    loop {
        match token(at) {
            "{" if !name.is_empty() => {
                at += 1;
                while at < tokens.len() && token(at) != "}" {
                    let next = path(tokens, at, &name, names);
                    at = if token(next) == "," || next == at {
                        next + 1
                    } else {
                        next
                    };
                }
                return at + 1;
            }
            word if is_word(word) || word == "*" && !name.is_empty() => {
                if !name.is_empty() {
                    name.push_str("::");
                }
                name.push_str(word);
                at += 1;
            }
            _ => return at,
        }
        if token(at) == "!" && token(at + 1) != "=" {
            name.push('!');
        }
        if token(at) != "::" {
            names.push((tokens[at - 1].0, name));
            return at;
        }
        at += 1;
        // `::<` gives arguments, after which a path may go on; what it goes on with is of no interest.
        if token(at) == "<" {
            names.push((tokens[at - 1].0, name));
            return at;
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::`, and every other character by itself, with their lines.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                length => length,
            };
            tokens.push((index + 1, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// The code with comments, strings and characters blanked out, lines kept.
fn without_text(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = text_length(rest, out.chars().next_back());
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.push(' ');
            out.extend(rest[..length].chars().filter(|c| *c == '\n'));
            rest = &rest[length..];
        }
    }
    out
}

/// How long the comment, string or character is that begins here; 0 when none does.
fn text_length(rest: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return comment_length(rest);
    }
    if rest.starts_with('"') {
        return quoted_length(rest, '"');
    }
    if rest.starts_with('\'') {
        return character_length(rest);
    }
    let raw = rest
        .strip_prefix("br")
        .or_else(|| rest.strip_prefix('r'))
        .filter(|_| !in_word);
    let Some(raw) = raw else { return 0 };
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if !raw[hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let start = rest.len() - raw.len() + hashes + 1;
    rest[start..]
        .find(&end)
        .map_or(rest.len(), |at| start + at + end.len())
}

/// Comments nest.
fn comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// A lifetime begins like a character and has no end.
fn character_length(rest: &str) -> usize {
    let mut inside = rest.chars().skip(1);
    let (first, second) = (inside.next(), inside.next());
    if first == Some('\\') || second == Some('\'') {
        quoted_length(rest, '\'')
    } else {
        0
    }
}

/// The code without what `#[cfg(test)]` stands before.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        out.push_str(&rest[..at]);
        let item = &rest[at + MARK.len()..];
        let end = item_length(item);
        out.extend(item[..end].chars().filter(|c| *c == '\n'));
        rest = &item[end..];
    }
    out.push_str(rest);
    out
}

/// Up to the item's `;`, or the end of its first block.
fn item_length(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in item.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}
