//! Lengths of time that are spelled in another way than ours.
//!
//! In: what was written. Out: how we write it. Never: whether it is too long; that is its place's to say.

/// Lambda's and API Gateway's smallest steps, in milliseconds.
pub(super) const SECOND: f64 = 1_000.0;
pub(super) const MILLISECOND: f64 = 1.0;

/// The next step: the same time in our spelling, to the next whole `step`, or else what `usual` ones look like.
pub(super) fn hint(written: &str, step: f64, usual: &str) -> String {
    if let Some((time, _)) = written.split_once('#') {
        return format!(
            "write `{} #…`: a comment has a space before it",
            time.trim()
        );
    }
    match meant(written, step) {
        Some(meant) => format!("write `{meant}`"),
        None => format!("write {usual}"),
    }
}

/// `10sec`, `10 seconds`, `2 min`, `1h`, `2.5s`, `1m30s`.
fn meant(written: &str, step: f64) -> Option<String> {
    let text = written.trim().to_lowercase();
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = text.as_str();
    let mut millis = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !number(c))?;
        let amount: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?.trim_start();
        let end = rest.find(number).unwrap_or(rest.len());
        millis += amount * unit(rest.get(..end)?.trim())?;
        rest = rest.get(end..)?;
    }
    spelled((millis / step).ceil() * step)
}

/// The milliseconds of a unit.
fn unit(word: &str) -> Option<f64> {
    let millis = match word {
        "ms" | "msec" | "msecs" | "millis" | "milliseconds" => 1.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000.0,
        "h" | "hr" | "hour" | "hours" => 3_600_000.0,
        _ => return None,
    };
    Some(millis)
}

/// In the largest unit that needs no fraction; nothing that a function or a route could not wait for.
fn spelled(millis: f64) -> Option<String> {
    const QUARTER_HOUR: f64 = 900_000.0;
    if !(1.0..=QUARTER_HOUR).contains(&millis) {
        return None;
    }
    let written = if millis % 60_000.0 == 0.0 {
        format!("{}m", millis / 60_000.0)
    } else if millis % 1_000.0 == 0.0 {
        format!("{}s", millis / 1_000.0)
    } else {
        format!("{millis}ms")
    };
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_spellings_are_known() {
        let cases = [
            ("10sec", "write `10s`"),
            ("10 Seconds", "write `10s`"),
            ("1 min", "write `1m`"),
            ("1m30s", "write `90s`"),
            ("2.5s", "write `2500ms`"),
            ("0.0005s", "write `1ms`"),
            ("0.25h", "write `15m`"),
            (
                "10s#enough",
                "write `10s #…`: a comment has a space before it",
            ),
            ("1h", "write X"),
            ("soon", "write X"),
            ("10", "write X"),
            ("", "write X"),
        ];
        for (written, expected) in cases {
            assert_eq!(hint(written, MILLISECOND, "X"), expected, "{written}");
        }
        assert_eq!(hint("2.5s", SECOND, "X"), "write `3s`");
    }
}
