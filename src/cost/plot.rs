//! Cost against users, drawn in characters that every terminal has.
//!
//! Own code: the plotting crates draw points in Braille on linear axes, and have no words on the chart.

use super::{Bound, Estimate, Figures, Grows, Load, Shape, Usage, estimate_of};

/// Columns of the narrowest and of the widest chart, and of what stands left of it.
const WIDTH: (usize, usize) = (24, 66);
const MARGIN: usize = 14;

/// More rows than any month has dollars.
const MOST: usize = 100;

/// Rows for each power of ten.
const ROWS: f64 = 2.0;

/// The chart begins with a tenth of the users, and ends where the last quota is met, within these powers of ten.
const FIRST: f64 = -1.0;
const LAST: (f64, f64) = (2.0, 6.0);

/// The users' axis, in powers of ten, and its columns.
#[derive(Clone, Copy)]
struct Axis {
    last: f64,
    width: usize,
}

/// The dollars' axis: whole powers of ten around the costs, from a cent on.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
}

/// The chart, as wide as `columns` lets it be, and what its letters mean. `users` are as many as `usage` is of; without
/// them the axis is in times as many.
pub fn plot(
    usage: &Usage,
    load: &Load,
    shape: &Shape,
    figures: &Figures,
    users: Option<f64>,
    columns: usize,
) -> String {
    let now = estimate_of(usage, load, shape, figures);
    let marks = marks(&now);
    let axis = Axis::with(&marks, columns);
    let cost = |column: usize| {
        let scaled = usage.scaled(axis.factor(column));
        estimate_of(&scaled, load, shape, figures).to_pay()
    };
    let costs: Vec<f64> = (0..axis.width).map(cost).collect();
    let scale = Scale::around(&costs);
    let mut rows = vec![vec![' '; axis.width]; scale.rows()];
    for mark in &marks {
        axis.draw(mark, &mut rows);
    }
    for (column, cost) in costs.iter().enumerate() {
        if let Some(row) = scale.row(*cost) {
            rows[row][column] = '*';
        }
    }
    let mut text = String::from("Dollars a month\n");
    for (n, row) in rows.iter().enumerate() {
        let line: String = row.iter().collect();
        let line = format!("{:>10} |{line}", scale.label(n));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text + &axis.text(users) + &legend(&marks, axis, users)
}

/// The quotas that more users meet, by letter.
fn marks(estimate: &Estimate) -> Vec<(char, &Bound)> {
    let of_users = |bound: &&Bound| bound.with == Grows::Users && bound.grows.is_some();
    let bounds = estimate.bounds.iter().filter(of_users);
    ('A'..='Z').zip(bounds).collect()
}

impl Axis {
    fn with(marks: &[(char, &Bound)], columns: usize) -> Self {
        let all = marks.iter().filter_map(|(_, bound)| bound.grows);
        let last = all.fold(1.0, f64::max).log10().ceil();
        Self {
            last: last.clamp(LAST.0, LAST.1),
            width: columns.saturating_sub(MARGIN).clamp(WIDTH.0, WIDTH.1),
        }
    }

    /// How many times as many users a column stands for.
    fn factor(self, column: usize) -> f64 {
        10_f64.powf(FIRST + steps(column) / steps(self.width - 1) * (self.last - FIRST))
    }

    fn column(self, factor: f64) -> Option<usize> {
        (0..self.width).find(|&column| self.factor(column) >= factor * 0.999_999)
    }

    /// A line down the chart, and the letter on it, below those that are there already.
    fn draw(self, (letter, bound): &(char, &Bound), rows: &mut [Vec<char>]) {
        let Some(column) = bound.grows.and_then(|grows| self.column(grows)) else {
            return;
        };
        let mut place = Some(*letter);
        for row in rows {
            if !row[column].is_ascii_uppercase() {
                row[column] = place.take().unwrap_or(':');
            }
        }
    }

    fn text(self, users: Option<f64>) -> String {
        let mut line = vec!['-'; self.width];
        let mut names = vec![' '; self.width];
        let mut decade = FIRST;
        while decade <= self.last {
            let times = 10_f64.powf(decade);
            let Some(at) = self.column(times) else { break };
            line[at] = '+';
            let name = users.map_or_else(|| format!("x{}", short(times)), |n| short(n * times));
            let start = at
                .saturating_sub(name.len() / 2)
                .min(self.width - name.len());
            for (place, letter) in names[start..].iter_mut().zip(name.chars()) {
                *place = letter;
            }
            decade += 1.0;
        }
        let line: String = line.into_iter().collect();
        let names: String = names.into_iter().collect();
        let what = match users {
            Some(_) => "Users on a day",
            None => "Times as many users as now",
        };
        let names = names.trim_end();
        format!("{:>10} +{line}\n{:12}{names}\n{:12}{what}\n\n", "", "", "")
    }
}

fn steps(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

impl Scale {
    fn around(costs: &[f64]) -> Self {
        let logs = || costs.iter().map(|cost| cost.max(0.01).log10());
        let low = logs().fold(f64::INFINITY, f64::min).floor();
        let high = logs().fold(f64::NEG_INFINITY, f64::max).ceil();
        Self {
            low,
            high: high.max(low + 1.0),
        }
    }

    fn rows(self) -> usize {
        let rows = (0..MOST).take_while(|&row| self.level(row) >= self.low);
        rows.count()
    }

    fn level(self, row: usize) -> f64 {
        self.high - steps(row) / ROWS
    }

    /// Where in the chart; nowhere, when nothing is to pay.
    fn row(self, cost: f64) -> Option<usize> {
        let near = |row: &usize| (self.level(*row) - cost.log10()).abs() <= 0.5 / ROWS;
        (0..self.rows()).find(near)
    }

    /// A power of ten, in its row.
    fn label(self, row: usize) -> String {
        let level = self.level(row);
        match level {
            level if level.fract() != 0.0 => String::new(),
            level if level < 0.0 => format!("{:.2}", 10_f64.powf(level)),
            level => thousands(10_f64.powf(level)),
        }
    }
}

fn legend(marks: &[(char, &Bound)], axis: Axis, users: Option<f64>) -> String {
    let line = |(letter, bound): &(char, &Bound)| {
        let grows = bound.grows.unwrap_or(f64::INFINITY);
        let at = match users {
            Some(users) => format!("{} users", thousands(users * grows)),
            None => format!("{} times the users", thousands(grows)),
        };
        let beyond = match axis.column(grows) {
            Some(_) => "",
            None => ", beyond the chart",
        };
        format!("  {letter}  {} at {at}{beyond}\n", bound.quota)
    };
    marks.iter().map(line).collect()
}

/// A few digits and a letter for the thousands.
fn short(number: f64) -> String {
    let (number, letter) = match number {
        n if n >= 1e9 => (n / 1e9, "G"),
        n if n >= 1e6 => (n / 1e6, "M"),
        n if n >= 1e3 => (n / 1e3, "k"),
        n => (n, ""),
    };
    let digits = format!("{number:.1}");
    format!("{}{letter}", digits.trim_end_matches(".0"))
}

/// Whole, in groups of three.
pub(super) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
