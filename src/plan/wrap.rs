//! Lines that fit: broken between words, never within one, so that an id can still be copied whole.

use anstream::adapter::strip_str;

/// What a plan is written for, whatever the terminal is.
pub const COLUMNS: usize = 80;

/// How much further in a line goes on.
const FURTHER: usize = 2;

/// Every line within the width, as far as its words allow; escapes take no room.
pub fn wrap(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        if seen(line) <= width || is_quoted(line) {
            out.push_str(line);
        } else {
            fold(line, width, &mut out);
        }
    }
    out
}

/// How many columns a text takes on the screen.
pub fn seen(text: &str) -> usize {
    strip_str(text).to_string().chars().count()
}

/// At most so many columns of one line, without its middle: ids differ at their ends.
pub fn elide(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept / 2, kept - kept / 2);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    format!("{start}…{end}")
}

/// A line of the stack file, or the mark under it: where it breaks, the mark would lie.
fn is_quoted(line: &str) -> bool {
    let plain = strip_str(line).to_string();
    plain
        .trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ')
        .starts_with('|')
}

fn fold(line: &str, width: usize, out: &mut String) {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let mut column = indent;
    out.push_str(&line[..indent]);
    let mut first = true;
    for word in line[indent..].split(' ') {
        let length = seen(word);
        // Where a word fits on no line at all, a break before it would only tear it from its marker.
        let helps = indent + FURTHER + length <= width;
        if !first && helps && column + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent + FURTHER));
            column = indent + FURTHER;
        } else if !first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_go_on_further_in() {
        assert_eq!(
            wrap("  one two three four", 11),
            "  one two\n    three\n    four"
        );
        assert_eq!(wrap("short\nlines", 8), "short\nlines");
    }

    #[test]
    fn a_word_is_never_broken() {
        assert_eq!(
            wrap("id arn:aws:iam::1:role/x y", 8),
            "id arn:aws:iam::1:role/x\n  y"
        );
    }

    #[test]
    fn a_long_id_keeps_its_ends() {
        assert_eq!(elide("permission/chat:say", 11), "permi…t:say");
        assert_eq!(elide("short", 11), "short");
    }

    #[test]
    fn escapes_take_no_room() {
        let red = "\u{1b}[31merror:\u{1b}[0m no";
        assert_eq!(wrap(red, 9), red);
    }

    #[test]
    fn the_files_own_lines_stay_as_they_are() {
        let quoted = "12 |   a: something very long\n   |      ^^^^^^^^^";
        assert_eq!(wrap(quoted, 12), quoted);
    }
}
