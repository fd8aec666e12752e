//! msgai: one file, one command, one WebSocket chat on AWS.
//!
//! `stack.yaml` says what should be; the cloud says what is; the difference is a value; doing it is a separate step.
//!
//! ```text
//! stack.yaml ──load──▶ Stack ──┐
//!                              ├─describe──▶ Desired ──┐
//! handlers/ ──package──▶ zips ─┘                       ├─plan──▶ Plan ──guard──▶ apply ──▶ Applied
//! AWS or local ◀───────── Cloud ──observe──▶ Observed ─┘    │                      │ events
//!                                                           └─render              └─▶ Reporter
//! ```
//!
//! It flows one way, and no step calls an earlier one:
//!
//! 1. [`stack`] reads the file, or tells every problem in it with its place. [`package`] finds or builds code.
//! 2. [`describe`] says what the file means in an account: every resource, every default, every permission.
//! 3. [`observe`] asks each kind in [`resource`] what exists and is ours. It never writes.
//! 4. [`plan`] compares and orders. It is pure: no clock, no call, no environment; same inputs, same bytes out.
//! 5. [`preflight`] asks, before the first write, what the caller may do and which limits would be hit.
//! 6. [`apply`](mod@apply) walks the plan, as much at once as it allows, and tells a [`report`]er. It decides nothing and undoes
//!    nothing: the next deploy goes on from what it finds.
//! 7. [`release`] removes versions and deployments that nobody needs to go back to.
//!
//! [`ledger`] keeps two runs of one stack apart and remembers what runs did; it is never asked what exists.
//!
//! There is no state file. Ownership is a deterministic name and a mark on the object ([`names`]).
//!
//! The seam is HTTP: [`cloud`] holds the SDK's clients, sorts their errors into faults, and repeats by fault. They talk
//! to AWS, or to [`local`], which is AWS from its own side of the wire and knows nothing of all this. `msgai dev` is
//! the line above, aimed at `local`, and again on every change of a file.
//!
//! [`command`] has one verb a file, [`cli`] their flags, [`error`] what a person reads when one fails, and [`talk`] the
//! WebSocket clients of `connect` and `dev --play`.
//!
//! What may depend on what is a table in `tests/layers.rs`; why, and what must stay true, is in `ARCHITECTURE.md`.

pub mod adopt;
pub mod apply;
pub mod cli;
pub mod cloud;
pub mod command;
pub mod cost;
pub mod describe;
pub mod error;
pub mod ledger;
pub mod local;
pub mod names;
pub mod observe;
pub mod package;
pub mod plan;
pub mod preflight;
pub mod release;
pub mod report;
pub mod resource;
pub mod stack;
pub mod talk;
