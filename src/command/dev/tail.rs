//! `dev --tail`: everything that happens, one line each.

use std::time::Duration;

use jiff::Timestamp;

use crate::local::Happening;
use crate::plan::render::Look;

/// A connection's id is told by its first letters.
const SHORT: usize = 8;

/// When, what, and where the lines of a function belong.
pub(super) fn line(look: Look, at: Timestamp, happening: &Happening) -> String {
    let time = look.faint(&at.strftime("%H:%M:%S%.3f").to_string());
    format!("{time}  {}", what(look, happening))
}

fn what(look: Look, happening: &Happening) -> String {
    match happening {
        Happening::Event {
            connection_id,
            route_key,
            function,
            status,
            took,
            init,
            error,
            ..
        } => {
            let status = status.map_or_else(|| "failed".to_owned(), |s| s.to_string());
            let status = format!("{status:<6}");
            let status = match error {
                Some(_) => look.of_symbol("-", &status),
                None => status,
            };
            let warmth = init.map_or_else(|| "warm".to_owned(), |t| format!("cold, {}", ms(t)));
            let why = error.as_deref().map_or_else(String::new, |why| {
                let first = why.lines().next().unwrap_or_default();
                format!("  {first}")
            });
            format!(
                "{:<10}  {route_key:<13} {}  {}  {status} {:>9}  {warmth}{why}",
                event_type(route_key),
                short(connection_id),
                look.of_name(function, &format!("{function:<20}")),
                ms(*took),
            )
        }
        Happening::Connected {
            connection_id,
            query,
        } => format!(
            "{:<10}  {:<13} {}  {query}",
            "OPEN",
            "",
            short(connection_id)
        ),
        Happening::Disconnected {
            connection_id,
            code,
            reason,
        } => format!(
            "{:<10}  {:<13} {}  {code} {reason}",
            "CLOSED",
            "",
            short(connection_id)
        ),
        Happening::Refused {
            connection_id,
            message,
        } => format!(
            "{}  {:<13} {}  {message}",
            look.of_symbol("-", "REFUSED   "),
            "",
            short(connection_id)
        ),
        Happening::Log { function, line, .. } => under(look, function, line),
        other => other.to_string(),
    }
}

fn event_type(route_key: &str) -> &'static str {
    match route_key {
        "$connect" => "CONNECT",
        "$disconnect" => "DISCONNECT",
        _ => "MESSAGE",
    }
}

/// A line that a function wrote, below its event, in its colour.
fn under(look: Look, function: &str, text: &str) -> String {
    let mark = look.of_name(function, "|");
    let lines = text.lines().map(|line| format!("    {mark} {line}"));
    let lines: Vec<String> = lines.collect();
    format!("{}\n{}", look.of_name(function, function), lines.join("\n"))
}

fn short(connection_id: &str) -> String {
    connection_id.chars().take(SHORT).collect()
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { colour: false };

    fn event(status: Option<u16>, init: Option<Duration>, error: Option<&str>) -> Happening {
        Happening::Event {
            connection_id: "L0SM9cOFvHcCIhw=".to_owned(),
            route_key: "$connect".to_owned(),
            function: "chat-connect".to_owned(),
            status,
            took: Duration::from_micros(12_340),
            request_id: "r".to_owned(),
            init,
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn an_event_is_one_line() {
        let at = Timestamp::UNIX_EPOCH;
        let cold = event(Some(200), Some(Duration::from_millis(85)), None);
        assert_eq!(
            line(PLAIN, at, &cold),
            "00:00:00.000  CONNECT     $connect      L0SM9cOF  chat-connect          200      12.3 ms  cold, 85.0 ms"
        );
        let failed = event(None, None, Some("no table\nat index.js"));
        assert_eq!(
            line(PLAIN, at, &failed),
            "00:00:00.000  CONNECT     $connect      L0SM9cOF  chat-connect          failed   12.3 ms  warm  no table"
        );
    }

    #[test]
    fn a_functions_lines_have_its_colour() {
        let log = |function: &str| Happening::Log {
            function: function.to_owned(),
            request_id: "r".to_owned(),
            line: "one\ntwo".to_owned(),
        };
        assert_eq!(what(PLAIN, &log("f")), "f\n    | one\n    | two");
        let look = Look { colour: true };
        let (first, again) = (what(look, &log("f")), what(look, &log("f")));
        assert_eq!(first, again);
        assert!(first.starts_with("\u{1b}["), "{first}");
    }
}
