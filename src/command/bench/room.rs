//! Whether this process may open so many sockets.

use crate::error::Error;

/// Files that are open besides: streams, the runtime's own, libraries.
#[cfg(unix)]
const OTHERS: u64 = 64;

/// Raises the limit as far as it goes, and refuses what is beyond.
#[cfg(unix)]
pub(super) fn for_sockets(clients: u32) -> Result<(), Error> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    // Where there is no such limit, nothing is beyond it.
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return Ok(());
    };
    let wanted = u64::from(clients) + OTHERS;
    if soft >= wanted {
        return Ok(());
    }
    if hard >= wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() {
        return Ok(());
    }
    let most = hard.max(soft).saturating_sub(OTHERS);
    Err(Error::usage(format!(
        "{clients} clients need {wanted} open files, and this process may have {}",
        hard.max(soft)
    ))
    .hint(format!(
        "take {most} clients at most, or raise the limit: `ulimit -Hn` shows it"
    )))
}

#[cfg(not(unix))]
pub(super) fn for_sockets(_clients: u32) -> Result<(), Error> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_does_not_allow_is_refused_before_anything_is_opened() {
        use nix::sys::resource::{Resource, getrlimit};
        for_sockets(2).unwrap();
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let Ok(beyond) = u32::try_from(hard) else {
            return;
        };
        let error = for_sockets(beyond).unwrap_err();
        assert!(error.message.contains("this process may have"), "{error}");
    }
}
