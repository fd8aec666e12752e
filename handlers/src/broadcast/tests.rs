//! One frame to many: every page, every shard, every fate of a post.

use std::time::Duration;

use super::*;
use crate::double::{Double, NOW, block_on};

fn call() -> Call {
    Call::new(NOW, "fresh", Duration::from_secs(10))
}

fn group() -> [Audience; 1] {
    [Audience::Group("ward-3".into())]
}

#[test]
fn every_page_is_read_and_every_live_connection_served_once() {
    let double = Double::new();
    for n in 0..201 {
        double.connect(&format!("c{n}"), &format!("u{n}"), Some("ward-3"));
    }
    double.expire("c7");
    let tally = block_on(broadcast(&double, &double, &group(), b"{}", &call()));
    assert_eq!(tally.delivered, 200);
    assert_eq!(double.frames("c7").len(), 0);
    assert_eq!(double.frames("c200").len(), 1);
    assert!(double.most_posts_at_once() <= POSTS_AT_ONCE);
    assert!(double.most_posts_at_once() > 1);
}

#[test]
fn overlapping_audiences_are_one() {
    let double = Double::new();
    double.connect("c", "alice", Some("ward-3"));
    let both = [Audience::User("alice".into()), group()[0].clone()];
    let tally = block_on(broadcast(&double, &double, &both, b"{}", &call()));
    assert_eq!(tally.delivered, 1);
    assert_eq!(double.frames("c").len(), 1);
}

#[test]
fn gone_connections_are_pruned_and_failing_ones_are_not() {
    let double = Double::new();
    double.connect("here", "alice", Some("ward-3"));
    double.connect("gone", "bob", Some("ward-3"));
    double.connect("slow", "eve", Some("ward-3"));
    double.vanish("gone");
    double.fail_posts_to("slow");
    let tally = block_on(broadcast(&double, &double, &group(), b"{}", &call()));
    assert_eq!((tally.delivered, tally.failed), (1, 1));
    assert_eq!(tally.gone, BTreeSet::from(["gone".to_owned()]));
    assert!(tally.fault.unwrap().contains("PostToConnection"));
    assert!(!double.has_row("gone"));
    assert!(double.has_row("slow"));
}

/// `$connect` has written the row, and API Gateway has not yet let the client in: a post is answered as if it were gone.
#[test]
fn a_connection_that_is_still_opening_keeps_its_row() {
    let double = Double::new();
    double.connect("gone", "bob", Some("ward-3"));
    double.vanish("gone");
    double.begin("opening", "bob", Some("ward-3"));
    let tally = block_on(broadcast(&double, &double, &group(), b"{}", &call()));
    assert_eq!((tally.delivered, tally.gone.len()), (0, 2));
    assert!(double.has_row("opening"));
    assert!(!double.has_row("gone"));
}

#[test]
fn many_that_are_gone_are_pruned_in_batches() {
    let double = Double::new();
    for n in 0..60 {
        let id = format!("c{n}");
        double.connect(&id, "bob", Some("ward-3"));
        if n % 2 == 0 {
            double.vanish(&id);
        }
    }
    let tally = block_on(broadcast(&double, &double, &group(), b"{}", &call()));
    assert_eq!((tally.delivered, tally.gone.len()), (30, 30));
    assert!((0..60).all(|n| double.has_row(&format!("c{n}")) == (n % 2 == 1)));
    assert_eq!(double.prunes(), 2);
}

#[test]
fn a_group_in_shards_is_served_whole_and_once() {
    let double = Double::new().with_shards(7);
    for n in 0..100 {
        double.connect(&format!("c{n}"), &format!("u{n}"), Some("ward-3"));
        double.connect(&format!("d{n}"), &format!("u{n}"), Some("ward-4"));
    }
    let tally = block_on(broadcast(&double, &double, &group(), b"{}", &call()));
    assert_eq!((tally.delivered, tally.is_partial), (100, false));
    assert!((0..100).all(|n| double.frames(&format!("c{n}")).len() == 1));
    assert!((0..100).all(|n| double.frames(&format!("d{n}")).is_empty()));
    let (found, fault) = block_on(live(&double, &group(), &call()));
    assert_eq!((found.len(), fault), (100, None));
}

/// More busy clients than places: whoever takes the frame at once does not wait for them.
#[test]
fn the_busy_wait_without_holding_up_the_others() {
    let double = Double::new();
    for n in 0..200 {
        let id = format!("c{n:03}");
        double.connect(&id, "bob", Some("ward-3"));
        if n < 100 {
            double.keep_busy(&id, 2);
        }
    }
    double.keep_busy("c000", usize::MAX);
    let tally = block_on(broadcast(&double, &double, &group(), b"{}", &call()));
    assert_eq!((tally.delivered, tally.failed), (199, 1));
    assert_eq!(tally.retried, 99 * 2 + 5);
    assert!(tally.fault.unwrap().contains("busy"));
    assert!(!tally.is_partial, "it is there, and was asked");
    let order = double.order();
    let first_busy = order.iter().position(|id| id.as_str() < "c100").unwrap();
    assert_eq!(first_busy, 100, "{order:?}");
}

#[test]
fn a_connection_that_hangs_does_not_hold_the_rest_for_ever() {
    let double = Double::new();
    double.connect("hangs", "alice", Some("ward-3"));
    double.connect("here", "bob", Some("ward-3"));
    double.hang_posts_to("hangs");
    let call = Call::new(NOW, "fresh", Duration::from_secs(1));
    let tally = block_on(broadcast(&double, &double, &group(), b"{}", &call));
    assert_eq!((tally.delivered, tally.failed), (1, 1));
    assert!(!tally.is_partial, "everybody was found");
    assert!(tally.fault.unwrap().contains("time"));
}

#[test]
fn a_failed_lookup_is_told_and_the_others_go_on() {
    let double = Double::new();
    double.connect("a", "alice", None);
    double.connect("b", "bob", None);
    double.fail_queries_for("alice");
    let both = [Audience::User("alice".into()), Audience::User("bob".into())];
    let tally = block_on(broadcast(&double, &double, &both, b"{}", &call()));
    assert_eq!(tally.delivered, 1);
    assert!(tally.is_partial);
    assert!(tally.fault.unwrap().contains("Query"));
    let (found, fault) = block_on(live(&double, &both, &call()));
    assert_eq!(found, BTreeSet::from(["b".to_owned()]));
    assert!(fault.is_some());
}
