//! Lines of YAML with comments, which no crate writes: the small shape that stack files have.

/// How wide a line of comment may be.
const WIDTH: usize = 110;

/// A text that grows line by line.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    pub(crate) fn line(&mut self, depth: usize, text: &str) {
        self.0.push_str(&"  ".repeat(depth));
        self.0.push_str(text);
        self.0.push('\n');
    }

    pub(crate) fn blank(&mut self) {
        self.0.push('\n');
    }

    /// `key: value`, the value as a scalar.
    pub(crate) fn text(&mut self, depth: usize, key: &str, value: &str) {
        self.line(depth, &format!("{}: {}", scalar(key), scalar(value)));
    }

    /// A comment, broken where it is too wide.
    pub(crate) fn comment(&mut self, depth: usize, text: &str) {
        let width = WIDTH - 2 * depth - 2;
        let mut line = String::new();
        // A line break in a name or an error must not end the comment.
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                self.line(depth, &format!("# {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            self.line(depth, &format!("# {line}"));
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// `[a, b]`
pub(crate) fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|i| scalar(i.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// A text as one scalar: plain where nobody can take it for anything else, else in quotes.
pub(crate) fn scalar(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else {
        // What JSON quotes, YAML reads.
        serde_json::Value::from(text).to_string()
    }
}

fn is_plain(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || matches!(c, '$' | '/' | '_');
    let rest =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '/' | '_' | '.' | '-' | '+');
    let starts = text.starts_with(first) || text.starts_with("./");
    starts && text.chars().all(rest) && !is_word_of_yaml(text)
}

/// What some reader of YAML takes for a boolean, a number or nothing.
fn is_word_of_yaml(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let lower = text.to_ascii_lowercase();
    WORDS.contains(&lower.as_str()) || lower.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_where_it_can_be() {
        for text in [
            "chat",
            "$connect",
            "$request.body.action",
            "./functions/a.zip",
            "/aws/lambda/x",
        ] {
            assert_eq!(scalar(text), text);
        }
        for (text, quoted) in [
            ("yes", r#""yes""#),
            ("nan", r#""nan""#),
            ("111122223333", r#""111122223333""#),
            ("a: b", r#""a: b""#),
            ("", r#""""#),
            ("two\nlines", r#""two\nlines""#),
            ("${api.url}", r#""${api.url}""#),
            ("- x", r#""- x""#),
            ("#1", r##""#1""##),
        ] {
            assert_eq!(scalar(text), quoted);
        }
        assert_eq!(list(["a", "b c"]), r#"[a, "b c"]"#);
    }

    #[test]
    fn a_comment_stays_one() {
        let mut page = Page::default();
        page.comment(1, "first\nname: second");
        assert_eq!(page.into_text(), "  # first name: second\n");
        let mut page = Page::default();
        page.comment(0, &"word ".repeat(60));
        let text = page.into_text();
        assert!(
            text.lines()
                .all(|l| l.starts_with("# ") && l.len() <= WIDTH)
        );
        assert_eq!(text.matches("word").count(), 60);
    }
}
