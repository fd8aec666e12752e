//! A stack file from what runs: an API made by hand, by a script, by CloudFormation, or by msgai itself.
//!
//! In: an API's id, or a CloudFormation stack's name. Out: the text of a stack file, the code of its functions, and
//! notes on what the file has no word for. `read.rs` asks the cloud, `write.rs` makes text of the answers and asks nobody.
//! Never: a write to the cloud, or a secret in the file. Taking over is `deploy`'s, and asked for there.

mod keys;
mod policy;
mod read;
mod secret;
mod system;
mod write;
mod yaml;

pub use read::{Missing, Which, read};
pub use system::{Fate, Note, System};
pub use write::{Code, Secret, Written, write};
