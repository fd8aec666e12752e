//! A report as text: a table, and how the times are spread.

use std::fmt;

use super::tally::{Report, Times, per_second};

/// Characters of the longest bar.
const LONGEST: u64 = 40;

/// So many times are longer than the bar before says, and not than this.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bar {
    /// In milliseconds.
    pub(super) to: f64,
    pub(super) count: u64,
}

impl Times {
    /// From the shortest to the longest, in steps of 1, 2, 5.
    pub(super) fn bars(&self) -> Vec<Bar> {
        if self.is_empty() {
            return Vec::new();
        }
        let (min, max) = (self.0.min(), self.0.max());
        let steps = (0..).flat_map(|power| [1, 2, 5].map(|step| step * 10_u64.pow(power)));
        let mut bars = Vec::new();
        let mut low = 0;
        for to in steps.map(|step| step * 10) {
            if to >= min {
                let count = self.0.count_between(low + 1, to);
                bars.push(Bar {
                    to: millis(to),
                    count,
                });
            }
            if to >= max {
                return bars;
            }
            low = to;
        }
        bars
    }
}

#[expect(clippy::cast_precision_loss, reason = "no time is that long")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            clients,
            sent,
            received,
            expected,
            twice,
            out_of_order,
            ..
        } = self;
        writeln!(
            f,
            "{clients} clients connected in {:.1} s, {:.1} a second",
            self.connecting.as_secs_f64(),
            per_second(*clients as u64, self.connecting)
        )?;
        for (why, count) in &self.shut_out {
            writeln!(f, "{count} did not: {why}")?;
        }
        writeln!(
            f,
            "{sent} messages sent in {:.1} s, {:.1} a second",
            self.sending.as_secs_f64(),
            per_second(*sent, self.sending)
        )?;
        writeln!(
            f,
            "{received} of {expected} received: {} lost, {twice} twice, {out_of_order} out of order",
            self.dropped()
        )?;
        for (what, count) in &self.errors {
            writeln!(f, "{count} × {what}")?;
        }
        writeln!(
            f,
            "\n{:<22} {:>9} {:>9} {:>9} {:>9}",
            "milliseconds", "p50", "p95", "p99", "max"
        )?;
        for (name, times) in [
            ("handshake", &self.handshakes),
            ("message, since due", &self.due),
            ("message, since sent", &self.left),
        ] {
            if !times.is_empty() {
                let [p50, p95, p99, max] =
                    [0.5, 0.95, 0.99, 1.0].map(|quantile| times.at(quantile));
                writeln!(f, "{name:<22} {p50:>9.1} {p95:>9.1} {p99:>9.1} {max:>9.1}")?;
            }
        }
        let bars = self.due.bars();
        let most = bars.iter().map(|bar| bar.count).max().unwrap_or_default();
        if most > 0 {
            writeln!(f)?;
        }
        for Bar { to, count } in bars {
            // Whatever there is can be seen.
            let length = (count * LONGEST).div_ceil(most.max(1));
            let bar: String =
                std::iter::repeat_n('█', usize::try_from(length).unwrap_or_default()).collect();
            writeln!(f, "{:>9} ms {bar} {count}", format!("≤ {to}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_time_is_in_one_bar() {
        let mut times = Times::new();
        for micros in [3_100, 3_900, 4_900, 5_100, 41_000] {
            times.record(Duration::from_micros(micros));
        }
        let bars = times.bars();
        let counts: Vec<(f64, u64)> = bars.iter().map(|bar| (bar.to, bar.count)).collect();
        assert_eq!(counts, [(5.0, 3), (10.0, 1), (20.0, 0), (50.0, 1)]);
        assert!(Times::new().bars().is_empty());
    }

    #[test]
    fn a_report_fits_eighty_columns_and_shows_every_bar() {
        let mut report = Report::empty();
        for micros in [900, 900, 900, 45_000] {
            report.due.record(Duration::from_micros(micros));
        }
        report.errors.insert("storage".to_owned(), 2);
        let text = report.to_string();
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        assert!(text.contains("2 × storage\n"), "{text}");
        let bars = text.lines().filter(|line| line.contains('█'));
        assert_eq!(bars.count(), 2, "{text}");
    }
}
