use super::*;

fn traffic() -> Traffic {
    Traffic {
        users: 1000.0,
        messages_per_user_day: 50.0,
        recipients: 2.0,
        hours_per_user_day: 8.0,
        message_bytes: 500.0,
        timelines: 0.0,
        peak: 5.0,
    }
}

fn amount(estimate: &Estimate, what: &str) -> f64 {
    let line = estimate.lines.iter().find(|line| line.what == what);
    line.unwrap().amount
}

#[test]
fn a_small_chat_by_hand() {
    let estimate = estimate(&traffic(), &figures());
    let is_about = |what: &str, expected: f64| (amount(&estimate, what) - expected).abs() < 0.001;
    // 1,000 people × 50 × 30.417 days: 1.521 M in, twice that to recipients, once to say so.
    assert!(is_about("messages in and out", 6.0833));
    assert!(is_about("connection minutes", 14.6));
    // Four connections of two hours a day, each opened and closed.
    assert!(is_about("calls", 1.5208 + 0.2433));
    assert!((5.0..30.0).contains(&estimate.dollars), "{estimate:?}");
}

#[test]
fn what_grows_costs_more_and_is_nearer_to_its_quotas() {
    let figures = figures();
    let small = estimate(&traffic(), &figures);
    let changes: [fn(&mut Traffic); 5] = [
        |t| t.users *= 10.0,
        |t| t.messages_per_user_day *= 10.0,
        |t| t.recipients *= 10.0,
        |t| t.hours_per_user_day *= 2.0,
        |t| t.message_bytes *= 100.0,
    ];
    for change in changes {
        let mut traffic = traffic();
        change(&mut traffic);
        let big = estimate(&traffic, &figures);
        assert!(big.dollars > small.dollars);
        assert!(big.bounds[0].grows <= small.bounds[0].grows);
    }
}

#[test]
fn beyond_a_billion_a_message_is_cheaper() {
    let prices = figures().prices;
    assert!((prices.messages(1000.0) - 1000.0).abs() < 1e-9);
    assert!((prices.messages(2000.0) - 1800.0).abs() < 1e-9);
}

#[test]
fn the_bound_that_is_met_first_is_on_top() {
    let mut traffic = traffic();
    traffic.recipients = 5000.0;
    let bounds = bounds(&traffic, &figures().quotas);
    assert!(bounds[0].quota.contains("posts"), "{bounds:?}");
    assert!(bounds.windows(2).all(|two| two[0].grows <= two[1].grows));
}

#[test]
fn a_timeline_costs_a_transaction() {
    let figures = figures();
    let without = amount(&estimate(&traffic(), &figures), "writes");
    let with = Traffic {
        timelines: 1.0,
        ..traffic()
    };
    let with = amount(&estimate(&with, &figures), "writes");
    // 1.521 M messages: one unit more for the message, two for the head and two for the entry.
    assert!(
        (with - without - 5.0 * 1.5208).abs() < 0.001,
        "{with} {without}"
    );
}
