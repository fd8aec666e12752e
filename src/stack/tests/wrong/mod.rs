//! Files with one thing wrong: what is said, and where.
//!
//! A case is what the good file has, what stands there instead, and everything that must be said:
//! `line:column severity: message / hint`.

mod adopt;
mod api;
mod auth;
mod domain;
mod functions;
mod tables;
mod text;

use super::{complaints, spoilt};

type Case = (&'static str, &'static str, &'static [&'static str]);

fn check(cases: &[Case]) {
    let mut wrong = Vec::new();
    for (from, to, expected) in cases {
        let said = complaints(&spoilt(from, to), None, &|_| None);
        if said != *expected {
            wrong.push(format!(
                "{to:?}\n  expected {expected:#?}\n  and got {said:#?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
