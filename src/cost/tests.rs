use proptest::prelude::*;

use super::*;

fn traffic() -> Traffic {
    Traffic {
        users: 1000.0,
        messages_per_user_day: 50.0,
        recipients: 2.0,
        hours_per_user_day: 8.0,
        message_bytes: 500.0,
        months_kept: 12.0,
        peak: 5.0,
    }
}

fn bare() -> Shape {
    Shape {
        timelines: 0.0,
        ..Shape::reference()
    }
}

fn of(traffic: &Traffic, shape: &Shape) -> Estimate {
    estimate(traffic, shape, &figures())
}

fn line<'a>(estimate: &'a Estimate, service: &str, what: &str) -> &'a Line {
    let fits = |line: &&Line| line.service == service && line.what == what;
    estimate.lines.iter().find(fits).unwrap()
}

fn amount(estimate: &Estimate, service: &str, what: &str) -> f64 {
    line(estimate, service, what).amount.unwrap()
}

/// Each number here is made on paper, from the prices' units.
#[test]
fn a_small_chat_by_hand() {
    let estimate = of(&traffic(), &bare());
    // 1,000 people × 50 messages × 30.4167 days = 1.520833 M; 4 connections a day each = 0.121667 M.
    let by_hand = [
        // In, to two recipients, and one to the sender that says so: 4 × 1.520833 M, $1.00 a million.
        (
            "API Gateway",
            "messages in and out",
            6.083_333,
            6.083_333,
            0.0,
        ),
        // 1,000 × 8 h × 60 × 30.4167 = 14.6 M, $0.25 a million.
        ("API Gateway", "connection minutes", 14.6, 3.65, 0.0),
        // 1.520833 M + 2 × 0.121667 M, $0.20 a million, one million free.
        ("Lambda", "calls", 1.764_167, 0.352_833, 0.20),
        // 1.520833 M × 35 ms × 0.25 GB + 0.243333 M × 10 ms × 0.125 GB, all within 400,000.
        ("Lambda", "time", 13_611.458, 0.226_858, 0.226_858),
        // A row and two indexes, put and deleted: 6 × 0.121667 M; a message stored and noted: 2 × 1.520833 M.
        ("DynamoDB", "writes", 3.771_667, 2.357_292, 0.0),
        // 1 for the sender's row, 0.5 for its connections, 0.5 for the recipients'.
        ("DynamoDB", "reads", 3.041_667, 0.380_208, 0.0),
        // 12 months × 1.520833 M × 850 bytes, within 25 GB.
        ("DynamoDB", "messages kept", 15.5125, 3.878_125, 3.878_125),
        // 1.764167 M × 900 bytes, within 5 GB.
        (
            "CloudWatch",
            "logs taken in",
            1.587_75,
            0.793_875,
            0.793_875,
        ),
        // `send` and `chat` count three things each; ten are free.
        ("CloudWatch", "metrics", 6.0, 1.80, 1.80),
        // 3 × 1.520833 M × 500 bytes, within 100 GB.
        (
            "Transfer",
            "to the internet",
            2.281_25,
            0.205_312,
            0.205_312,
        ),
    ];
    assert_eq!(by_hand.len(), estimate.lines.len());
    for (service, what, amount, dollars, free) in by_hand {
        let line = line(&estimate, service, what);
        let is = [line.amount.unwrap(), line.dollars.unwrap(), line.free];
        for (is, expected) in is.into_iter().zip([amount, dollars, free]) {
            let off = (is - expected).abs();
            assert!(off < expected.mul_add(1e-5, 1e-6), "{line:?} {expected}");
        }
    }
    // 6.0833 + 3.65 + 0.1528 + 2.3573 + 0.3802
    assert!((estimate.to_pay() - 12.6237).abs() < 1e-3, "{estimate:?}");
}

#[test]
fn messages_count_by_the_32_kilobytes() {
    let messages = |bytes: f64| {
        let traffic = Traffic {
            message_bytes: bytes,
            ..traffic()
        };
        amount(&of(&traffic, &bare()), "API Gateway", "messages in and out") / 6.083_333
    };
    for (bytes, times) in [
        (1.0, 1.0),
        (32_768.0, 1.0),
        (32_769.0, 2.0),
        (131_072.0, 4.0),
    ] {
        assert!((messages(bytes) - times).abs() < 1e-5, "{bytes}");
    }
}

#[test]
fn beyond_a_billion_a_message_is_cheaper() {
    let prices = figures().prices;
    assert!((prices.messages(1000.0) - 1000.0).abs() < 1e-9);
    assert!((prices.messages(2000.0) - 1800.0).abs() < 1e-9);
}

#[test]
fn a_timeline_costs_a_transaction() {
    let writes = |shape: &Shape| amount(&of(&traffic(), shape), "DynamoDB", "writes");
    let (without, with) = (writes(&bare()), writes(&Shape::reference()));
    // 1.521 M messages: one unit more for the message, two for the head and two for the entry.
    let more = with - without - 5.0 * 1.520_833;
    assert!(more.abs() < 0.001, "{with} {without}");
}

/// A change, and how much more of which line it makes.
type Change = (fn(&mut Shape), &'static str, &'static str, f64);

#[test]
fn what_a_stack_has_costs() {
    let plain = of(&traffic(), &bare());
    let changes: [Change; 6] = [
        // Three units for each of 0.243 M rows put and deleted, one of them new.
        (
            |s| s.connection_indexes = 3.0,
            "DynamoDB",
            "writes",
            0.243_333,
        ),
        // Stored and noted, in the index, too.
        (|s| s.message_indexes = 1.0, "DynamoDB", "writes", 3.041_667),
        (|s| s.authorizer = true, "Lambda", "calls", 0.121_667),
        (|s| s.message_gb = 0.5, "Lambda", "time", 13_307.29),
        (
            |s| s.access_log = true,
            "CloudWatch",
            "logs taken in",
            0.617_458,
        ),
        (|s| s.metrics = 16.0, "CloudWatch", "metrics", 10.0),
    ];
    for (change, service, what, more) in changes {
        let mut shape = bare();
        change(&mut shape);
        let other = of(&traffic(), &shape);
        let off = amount(&other, service, what) - amount(&plain, service, what) - more;
        assert!(off.abs() < more * 1e-4, "{service} {what} {off}");
    }
    let arm = Shape {
        arm: true,
        ..bare()
    };
    let arm = line(&of(&traffic(), &arm), "Lambda", "time")
        .dollars
        .unwrap();
    let x86 = line(&plain, "Lambda", "time").dollars.unwrap();
    assert!((arm / x86 - 0.8).abs() < 1e-4);
}

#[test]
fn the_bound_that_is_met_first_is_on_top() {
    let traffic = Traffic {
        recipients: 5000.0,
        ..traffic()
    };
    let bounds = of(&traffic, &bare()).bounds;
    let first = bounds.iter().find(|bound| bound.with == Grows::Users);
    assert!(first.unwrap().quota.contains("posts"), "{bounds:?}");
}

/// 1,000 people, 50 messages each, five times the mean: 2.8935 messages a second, and four posts of each.
#[test]
fn quotas_by_hand() {
    let estimate = of(&traffic(), &Shape::reference());
    let used = |quota: &str| {
        let found = estimate
            .bounds
            .iter()
            .find(|bound| bound.quota.contains(quota));
        found.unwrap().used.unwrap()
    };
    let by_hand = [
        ("requests and posts", 2.893_519 * 4.0 + 0.231_481),
        ("new connections", 0.231_481),
        ("calls", 2.893_519 + 2.0 * 0.231_481),
        // A head of one unit and an entry of one, twice each.
        ("writes a second to a table", 2.893_519 * 4.0),
        // Three members, four connections a day each, come and gone.
        ("rows of one group", 3.0 * 8.0 / 86_400.0 * 5.0),
        ("timeline", 3.0 * 50.0 * 4.0 / 86_400.0 * 5.0),
    ];
    for (quota, expected) in by_hand {
        assert!(
            (used(quota) - expected).abs() < 1e-4,
            "{quota} {}",
            used(quota)
        );
    }
}

#[test]
fn a_week_of_measurements_becomes_a_month() {
    let week = Measured {
        minutes: 7.0 * 1440.0,
        connects: Some(7_000.0),
        messages: Some(70_000.0),
        calls: None,
        message_bytes: 40_000.0,
        peaks: Peaks {
            connects: Some(60.0),
            messages: Some(600.0),
            ..Peaks::default()
        },
        ..Measured::default()
    };
    let figures = figures();
    let shape = bare();
    let estimate = estimate_of(&week.usage(&figures.quotas), &week.load(), &shape, &figures);
    let month = 43_800.0 / 10_080.0;
    let messages = line(&estimate, "API Gateway", "messages in and out");
    // 40,000 bytes count twice.
    assert!((messages.amount.unwrap() - 0.14 * month).abs() < 1e-9);
    assert_eq!(messages.how, How::Measured);
    let minutes = line(&estimate, "API Gateway", "connection minutes");
    // Two hours each, at most.
    assert!((minutes.amount.unwrap() - 0.84 * month).abs() < 1e-9);
    assert_eq!(minutes.how, How::AtMost);
    let calls = line(&estimate, "Lambda", "calls");
    assert_eq!(
        (calls.amount, calls.dollars, calls.how),
        (None, None, How::Unknown)
    );
    // In the busiest minute 60 connect, one a second of 500; with 600 messages that makes 11 a second of 10,000.
    let grows: Vec<f64> = estimate
        .bounds
        .iter()
        .filter_map(|bound| bound.grows)
        .collect();
    assert!(
        (grows[0] - 500.0).abs() < 1e-6 && (grows[1] - 909.090_909).abs() < 1e-3,
        "{grows:?}"
    );
    let unknown = estimate.bounds.iter().filter(|bound| bound.grows.is_none());
    // Calls, executions, writes, and what is of one group.
    assert_eq!(unknown.count(), 4);
}

#[test]
fn a_plot_is_no_wider_than_the_terminal() {
    let (figures, shape) = (figures(), Shape::reference());
    let usage = Usage::of(&traffic(), &shape, &figures.quotas);
    let load = Load::of(&traffic(), &shape, &figures.quotas);
    for columns in [40, 60, 80, 120] {
        let text = plot(&usage, &load, &shape, &figures, Some(1e3), columns);
        let chart = text.lines().filter(|line| !line.starts_with("  "));
        let widest = chart.chain(text.lines().filter(|line| line.contains(['|', '+'])));
        let widest = widest.map(str::len).max().unwrap();
        assert!(widest <= columns.min(80), "{text}");
        assert!(widest + 4 > columns.min(80), "{text}");
    }
}

#[test]
fn a_plot_fits_and_marks_what_binds() {
    let (figures, shape) = (figures(), Shape::reference());
    let usage = Usage::of(&traffic(), &shape, &figures.quotas);
    let load = Load::of(&traffic(), &shape, &figures.quotas);
    for users in [Some(1000.0), None] {
        let text = plot(&usage, &load, &shape, &figures, users, 80);
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(text.is_ascii(), "{text}");
        for letter in ["A  API Gateway requests", "E  "] {
            assert!(text.contains(letter), "{text}");
        }
        let chart: Vec<&str> = text.lines().filter(|line| line.contains(" |")).collect();
        assert!(chart.iter().any(|line| line.contains('A')), "{text}");
        // Dearer to the right: each star is at least as high as the one before.
        let height = |column: usize| {
            let is_star = |line: &str| line.as_bytes().get(column) == Some(&b'*');
            chart.iter().position(|line| is_star(line))
        };
        let heights: Vec<usize> = (12..78).filter_map(height).collect();
        assert!(heights.len() > 40, "{text}");
        assert!(heights.windows(2).all(|two| two[0] >= two[1]), "{text}");
    }
}

prop_compose! {
    fn any_traffic()(
        users in 1.0..1e6_f64, messages in 0.0..1000.0_f64, recipients in 0.0..1e5_f64,
        hours in 1.0..24.0_f64, bytes in 1.0..131_072.0_f64, months in 0.0..60.0_f64, peak in 1.0..20.0_f64,
    ) -> Traffic {
        Traffic {
            users, messages_per_user_day: messages, recipients, hours_per_user_day: hours,
            message_bytes: bytes, months_kept: months, peak,
        }
    }
}

prop_compose! {
    fn any_shape()(
        timelines in 0..2_u8, indexes in 0..5_u8, shards in 0..100_u8, arm: bool, authorizer: bool, log: bool,
    ) -> Shape {
        Shape {
            timelines: timelines.into(), connection_indexes: indexes.into(), message_indexes: indexes.into(),
            shards: shards.into(), arm, authorizer, access_log: log, ..Shape::reference()
        }
    }
}

proptest! {
    #[test]
    fn the_sum_is_the_sum_and_free_is_a_part(traffic in any_traffic(), shape in any_shape()) {
        let estimate = of(&traffic, &shape);
        let sum: f64 = estimate.lines.iter().filter_map(Line::to_pay).sum();
        prop_assert!((sum - estimate.to_pay()).abs() <= sum.abs() * 1e-9);
        for line in &estimate.lines {
            let dollars = line.dollars.unwrap();
            prop_assert!(dollars.is_finite() && dollars >= 0.0, "{line:?}");
            prop_assert!((0.0..=dollars).contains(&line.free), "{line:?}");
        }
        let known = |bound: &Bound| bound.grows.unwrap_or(f64::INFINITY);
        prop_assert!(estimate.bounds.windows(2).all(|two| known(&two[0]) <= known(&two[1])));
    }

    #[test]
    fn more_of_anything_costs_no_less_and_meets_no_quota_later(
        traffic in any_traffic(), shape in any_shape(), times in 1.0..10.0_f64, which in 0..6_usize,
    ) {
        let mut more = traffic;
        let members = [
            &mut more.users, &mut more.messages_per_user_day, &mut more.recipients,
            &mut more.hours_per_user_day, &mut more.message_bytes, &mut more.months_kept,
        ];
        *members.into_iter().nth(which).unwrap() *= times;
        let (small, big) = (of(&traffic, &shape), of(&more, &shape));
        prop_assert!(big.to_pay() >= small.to_pay() * (1.0 - 1e-9));
        for (small, big) in small.lines.iter().zip(&big.lines) {
            prop_assert!(big.amount.unwrap() >= small.amount.unwrap() * (1.0 - 1e-9), "{small:?} {big:?}");
        }
        for bound in &small.bounds {
            let same = big.bounds.iter().find(|other| other.quota == bound.quota).unwrap();
            prop_assert!(same.used.unwrap() >= bound.used.unwrap() * (1.0 - 1e-9), "{bound:?} {same:?}");
        }
    }

    /// The chart scales a month; the estimate makes it anew.
    #[test]
    fn a_month_scaled_is_a_month_of_more_users(traffic in any_traffic(), shape in any_shape(), times in 0.01..1000.0_f64) {
        let figures = figures();
        let usage = Usage::of(&traffic, &shape, &figures.quotas);
        let load = Load::of(&traffic, &shape, &figures.quotas);
        let scaled = estimate_of(&usage.scaled(times), &load, &shape, &figures);
        let anew = of(&Traffic { users: traffic.users * times, ..traffic }, &shape);
        prop_assert!((scaled.to_pay() - anew.to_pay()).abs() <= anew.to_pay() * 1e-6 + 1e-6);
    }
}
