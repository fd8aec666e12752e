//! The engine follows an expression by recursion, some kilobytes of stack a level, and a thread that runs out of stack
//! ends the process. What may go deep gets a stack that the longest expression cannot fill.

use std::thread;

use tokio::runtime::Handle;

use crate::local::refusal::Refusal;

use super::error;

/// Levels that any thread has room for; the engine has been seen to overflow 2 MB at 280.
const SHALLOW: usize = 100;

/// An expression has at most 4 KB, a statement 8: one level a byte, 7 KB a level in a debug build. It is reserved, and
/// taken as it is used.
const STACK: usize = 128 * 1024 * 1024;

/// Runs `work` on this body with stack enough for it.
pub(super) fn with_room<T: Send>(
    body: &[u8],
    work: impl FnOnce() -> Result<T, Refusal> + Send,
) -> Result<T, Refusal> {
    if levels(body) <= SHALLOW {
        return work();
    }
    // Which time it is, a paused runtime alone knows.
    let runtime = Handle::try_current().ok();
    let work = || {
        let _inside = runtime.as_ref().map(Handle::enter);
        work()
    };
    thread::scope(|scope| {
        let deep = thread::Builder::new().stack_size(STACK);
        let deep = deep.spawn_scoped(scope, work).map_err(|e| internal(&e))?;
        deep.join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// How many levels the expressions of a body can have at the very most: each needs a bracket, a dot or a word of its
/// own, or an escape that may stand for one.
fn levels(body: &[u8]) -> usize {
    let marks = body
        .iter()
        .filter(|byte| matches!(byte, b'(' | b'[' | b'{' | b'<' | b'.' | b'\\'));
    let words = body.windows(3).filter(|three| {
        three.eq_ignore_ascii_case(b"not")
            || three.eq_ignore_ascii_case(b"and")
            || three[..2].eq_ignore_ascii_case(b"or")
    });
    marks.count() + words.count()
}

fn internal(why: &std::io::Error) -> Refusal {
    Refusal::new(500, error("InternalServerError"), why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_leaves_a_mark() {
        for one in [
            "(", "NOT ", "not\\t", " aNd b", "a.b", "[0]", "\\u0028", "OR ",
        ] {
            let many = one.repeat(50);
            assert!(levels(many.as_bytes()) >= 50, "{one}");
        }
        let chat = br#"{"TableName":"chat-messages","Item":{"id":{"S":"1"},"text":{"S":"hello"}},
            "ConditionExpression":"attribute_not_exists(id)"}"#;
        assert!(levels(chat) <= SHALLOW, "an ordinary call costs no thread");
    }
}
