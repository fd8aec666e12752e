//! Why a connection ended, or never was: in words, and with what to do about it.
//!
//! In: a close code of a server, or the status of a refused handshake. Out: what it means on API Gateway, what to try next,
//! and whether connecting again can help.

/// What a close code means, and what it means on API Gateway where that says more.
pub(super) fn meaning(code: u16) -> &'static str {
    match code {
        1000 => "closed normally",
        1001 => "going away: idle for 10 minutes, open for 2 hours, or the stage is gone",
        1002 => "protocol error",
        1003 => "unacceptable data: API Gateway takes text frames only",
        1005 => "closed without a code",
        1006 => "cut off without a close",
        1007 => "a text frame that is not UTF-8",
        1008 => "policy violation",
        1009 => "too big: a message may have 128 KB, a frame 32 KB",
        1010 => "a missing extension",
        1011 => "server error",
        1012 => "the server restarts",
        1013 => "try again later",
        1014 => "a bad gateway in between",
        1015 => "TLS failed",
        3000..=4999 => "the application's own code",
        _ => "unknown",
    }
}

/// What to do about a close that nobody wanted.
pub(super) fn advice(code: u16) -> Option<&'static str> {
    Some(match code {
        1000 | 1005 => {
            "the other side ended it: something deleted this connection, or the server closed all of them"
        }
        1001 => {
            "connect again; something sent within every 10 minutes keeps an idle connection, nothing keeps one beyond 2 hours"
        }
        1003 => "send text: what is binary goes as base64 in JSON",
        1006 => {
            "the network or the server is gone; `msgai status` says whether the stack still runs"
        }
        1007 => "send UTF-8",
        1008 => "the server refused what was sent or who sent it; `msgai logs` may say why",
        1009 => "send less: store what is large elsewhere, S3 for one, and send where to find it",
        1011 => "`msgai logs` shows what the functions wrote when it happened",
        1012..=1014 => "connect again in a moment",
        4000..=4999 => "what it means only the application's author knows",
        _ => return None,
    })
}

/// Whether a new connection can do better than one that ended so: what the server decided, it would decide again.
pub(super) fn is_passing(code: u16) -> bool {
    matches!(code, 1001..=1003 | 1006 | 1007 | 1009 | 1011..=1014)
}

/// Who on API Gateway answers a handshake with this status, and why.
pub(super) fn reason(status: u16) -> Option<&'static str> {
    Some(match status {
        400 => "the $connect function found the request wrong, such as without a userId",
        401 => "there was no token, or the authorizer did not believe it",
        403 => {
            "the authorizer or the $connect function denied it, the stage's name is wrong, or the stage has no deployment"
        }
        404 => "nothing is served at this address",
        426 => "the address is right, but what was asked for was no WebSocket",
        429 => "throttled: more new connections than the stage or the account allows",
        500 => "the authorizer or the $connect function failed, or API Gateway may not call it",
        502 => "the $connect function failed, or answered without a statusCode",
        503 => "the service is not available",
        504 => "the $connect function took too long",
        _ => return None,
    })
}

/// What to do about a handshake that was refused.
pub(super) fn remedy(status: u16) -> Option<&'static str> {
    Some(match status {
        400 => "say who you are with `--user NAME`, and `--group` with a name that the table takes",
        401 => {
            "give a token that is still good with `--token` or MSGAI_TOKEN; locally `msgai token --local --user NAME` makes one"
        }
        403 => {
            "`msgai outputs` has the right URL, `msgai status` says whether the stage is deployed, `msgai logs` who denied it"
        }
        404 | 426 => "`msgai outputs` has the right URL",
        429 => "connect more slowly, or raise `api.throttle` in the stack file",
        500 | 502 | 504 => "`msgai logs --since 5m` shows what the functions wrote",
        503 => "try again in a moment",
        _ => return None,
    })
}

/// Whether the same handshake may be let in a moment later.
pub(super) fn may_pass(status: u16) -> bool {
    status == 429 || status >= 500
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_decided_is_not_tried_again() {
        for (code, again) in [
            (1000, false),
            (1001, true),
            (1005, false),
            (1006, true),
            (1008, false),
            (1009, true),
            (1012, true),
            (1015, false),
            (4001, false),
        ] {
            assert_eq!(is_passing(code), again, "{code}");
        }
        for (status, again) in [
            (400, false),
            (401, false),
            (403, false),
            (429, true),
            (502, true),
        ] {
            assert_eq!(may_pass(status), again, "{status}");
        }
    }

    /// A hint for what nobody can explain would be invented.
    #[test]
    fn what_has_a_remedy_has_a_reason() {
        for status in 300..600 {
            assert!(
                remedy(status).is_none() || reason(status).is_some(),
                "{status}"
            );
        }
        for code in 1000..5000 {
            assert!(
                advice(code).is_none() || meaning(code) != "unknown",
                "{code}"
            );
        }
    }
}
