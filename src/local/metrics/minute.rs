//! The values of one minute, and statistics of them.

use std::collections::BTreeMap;

/// Values with as many digits as percentiles need; a sum is exact.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Minute {
    count: u64,
    sum: f64,
    least: f64,
    most: f64,
    /// How often each value came, by its three first digits.
    values: BTreeMap<i64, u64>,
}

/// Three digits and a power of ten, in the order of the values.
fn key(value: f64) -> i64 {
    if !(value.is_finite() && value > 0.0) {
        return 0;
    }
    let exponent = value.log10().floor();
    let digits = (value / 10_f64.powf(exponent - 2.0)).round();
    // Bounded, as both are small whole numbers.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "100 to 1000, and -308 to 308"
    )]
    let key = (exponent as i64 + 400) * 2000 + digits as i64;
    key
}

fn value(key: i64) -> f64 {
    if key == 0 {
        return 0.0;
    }
    let part = |n: i64| i32::try_from(n).map_or(0.0, f64::from);
    part(key % 2000) * 10_f64.powf(part(key / 2000) - 402.0)
}

impl Minute {
    pub(super) fn add(&mut self, value: f64) {
        if self.count == 0 {
            (self.least, self.most) = (value, value);
        }
        self.count += 1;
        self.sum += value;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        *self.values.entry(key(value)).or_default() += 1;
    }

    pub(super) fn join(&mut self, other: &Self) {
        if self.count == 0 {
            *self = other.clone();
            return;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        for (key, count) in &other.values {
            *self.values.entry(*key).or_default() += count;
        }
    }

    fn percentile(&self, percent: f64) -> f64 {
        let wanted = count(self.count) * percent / 100.0;
        let mut seen = 0;
        for (key, times) in &self.values {
            seen += times;
            if count(seen) >= wanted {
                return value(*key).clamp(self.least, self.most);
            }
        }
        self.most
    }
}

fn count(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// What is asked of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    Sum,
    Average,
    Minimum,
    Maximum,
    SampleCount,
    Percentile(f64),
}

impl Statistic {
    /// As requests spell it: `Sum`, or `p95` and `p99.9`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "Sum" => Self::Sum,
            "Average" => Self::Average,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            "SampleCount" => Self::SampleCount,
            _ => {
                let percent: f64 = text.strip_prefix('p')?.parse().ok()?;
                let fits = (0.0..=100.0).contains(&percent);
                return fits.then_some(Self::Percentile(percent));
            }
        })
    }

    pub(super) fn of(self, minute: &Minute) -> f64 {
        match self {
            Self::Sum => minute.sum,
            Self::Average => minute.sum / count(minute.count),
            Self::Minimum => minute.least,
            Self::Maximum => minute.most,
            Self::SampleCount => count(minute.count),
            Self::Percentile(percent) => minute.percentile(percent),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minute(values: &[f64]) -> Minute {
        let mut minute = Minute::default();
        for value in values {
            minute.add(*value);
        }
        minute
    }

    #[test]
    fn statistics_are_those_of_the_values() {
        let of = |text: &str| {
            let values: Vec<f64> = (1..=200).map(f64::from).collect();
            Statistic::parse(text).unwrap().of(&minute(&values))
        };
        for (text, expected) in [
            ("Sum", 20_100.0),
            ("Average", 100.5),
            ("Minimum", 1.0),
            ("Maximum", 200.0),
            ("SampleCount", 200.0),
            ("p50", 100.0),
            ("p95", 190.0),
            ("p100", 200.0),
        ] {
            assert!((of(text) - expected).abs() < 1e-9, "{text} {}", of(text));
        }
        for text in ["p", "p101", "p-1", "sum", "TM(10%:90%)", ""] {
            assert_eq!(Statistic::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_percentile_is_a_value_to_three_digits(mut values in proptest::collection::vec(0.0..1e6_f64, 1..50), p in 1..=100_u8) {
            let found = minute(&values).percentile(p.into());
            values.sort_by(f64::total_cmp);
            let place = (values.len() * usize::from(p)).div_ceil(100).max(1);
            let exact = values[place - 1];
            prop_assert!((found - exact).abs() <= exact * 0.005_1, "{found} {exact}");
        }

        #[test]
        fn two_halves_are_the_whole(values in proptest::collection::vec(0.0..1e6_f64, 2..50), at in 1..49_usize) {
            let at = at.min(values.len() - 1);
            let mut joined = minute(&values[..at]);
            joined.join(&minute(&values[at..]));
            let whole = minute(&values);
            prop_assert!((joined.sum - whole.sum).abs() <= whole.sum * 1e-12);
            joined.sum = whole.sum;
            prop_assert_eq!(joined, whole);
        }
    }
}
