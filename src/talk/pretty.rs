//! JSON as people read it: over several lines, its keys in a colour, and nothing in it that steers a terminal.

use std::io;

use anstyle::{AnsiColor, Style};
use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::plain;

const KEY: Style = AnsiColor::Cyan.on_default();

/// Over several lines.
pub(super) fn pretty(value: &Value, colour: bool) -> String {
    let mut bytes = Vec::new();
    let form = Form {
        lines: PrettyFormatter::new(),
        colour,
    };
    let mut serializer = Serializer::with_formatter(&mut bytes, form);
    // A value that was read can be written, and a vector takes what it is given.
    value.serialize(&mut serializer).ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

struct Form {
    lines: PrettyFormatter<'static>,
    colour: bool,
}

/// All as the library's own, but for what this module is for.
impl Formatter for Form {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        writer.write_all(plain(fragment).as_bytes())
    }

    fn begin_object_key<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.lines.begin_object_key(writer, first)?;
        if self.colour {
            write!(writer, "{KEY}")?;
        }
        Ok(())
    }

    fn end_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.colour {
            write!(writer, "{KEY:#}")?;
        }
        self.lines.end_object_key(writer)
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.lines.begin_array(writer)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.lines.end_array(writer)
    }

    fn begin_array_value<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.lines.begin_array_value(writer, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.lines.end_array_value(writer)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.lines.begin_object(writer)
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.lines.end_object(writer)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.lines.begin_object_value(writer)
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.lines.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_colour_it_is_the_librarys_own_form() {
        let value = json!({"a": [1, {"b": "ü"}], "c": {}, "d": []});
        assert_eq!(
            pretty(&value, false),
            serde_json::to_string_pretty(&value).unwrap()
        );
    }

    #[test]
    fn keys_have_a_colour_and_texts_steer_nothing() {
        let value = json!({"k\u{9b}2J": "\u{202e}x\u{1b}[2J"});
        let shown = pretty(&value, true);
        assert_eq!(
            shown,
            "{\n  \u{1b}[36m\"k\u{fffd}2J\"\u{1b}[0m: \"\u{fffd}x\\u001b[2J\"\n}"
        );
    }
}
