//! Names that AWS makes up: request ids, connection ids, log streams; and the two ways it writes a time.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A random request or revision id, shaped like a UUID of version 4.
pub(crate) fn uuid() -> String {
    let (a, b) = (fastrand::u64(..), fastrand::u64(..));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | ((b >> 48) & 0x3fff),
        b & 0xffff_ffff_ffff
    )
}

/// The trace of a function call. SDKs send it on with every call that the function makes, so it is made of the
/// request id and names it ([`traced`]).
pub(crate) fn trace(request_id: &str) -> String {
    let hex: String = request_id.chars().filter(|c| *c != '-').collect();
    match (hex.get(..8), hex.get(8..)) {
        (Some(time), Some(rest)) => format!("Root=1-{time}-{rest};Sampled=0"),
        _ => String::new(),
    }
}

/// The request id that a trace was made of.
pub(crate) fn traced(trace: &str) -> Option<String> {
    let root = trace
        .split(';')
        .find_map(|p| p.trim().strip_prefix("Root=1-"))?;
    let (time, rest) = root.split_once('-')?;
    let hex = format!("{time}{rest}");
    if time.len() != 8 || hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let part = |from: usize, to: usize| &hex[from..to];
    Some(format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    ))
}

/// A connection id such as `TXzPWdnOjoECGjA=`: URL-safe base64 of eleven bytes, so it always ends in `=`.
pub(crate) fn connection_id() -> String {
    URL_SAFE.encode(bytes::<11>())
}

/// Whether `id` has the form of a connection id at all.
pub(crate) fn is_connection_id(id: &str) -> bool {
    !id.is_empty() && (URL_SAFE.decode(id).is_ok() || STANDARD.decode(id).is_ok())
}

/// A request or message id of the data plane, such as `TXzPWFkkjoEF92g=`.
pub(crate) fn gateway_id() -> String {
    connection_id()
}

pub(crate) fn hex(digits: usize) -> String {
    std::iter::repeat_with(|| char::from(b"0123456789abcdef"[fastrand::usize(..16)]))
        .take(digits)
        .collect()
}

fn bytes<const N: usize>() -> [u8; N] {
    std::array::from_fn(|_| fastrand::u8(..))
}

/// `19/Feb/2024:07:11:42 +0000`, the form of `requestTime`.
pub(crate) fn clf(millis: u64) -> String {
    format(millis, "%d/%b/%Y:%H:%M:%S +0000")
}

/// `2024-02-19T07:11:42.123Z`.
pub(crate) fn iso(millis: u64) -> String {
    format!(
        "{}.{:03}Z",
        format(millis, "%Y-%m-%dT%H:%M:%S"),
        millis % 1000
    )
}

/// `2024-02-19T07:11:42.123+0000`, the form of Lambda's `LastModified`.
pub(crate) fn last_modified(millis: u64) -> String {
    let seconds = format(millis, "%Y-%m-%dT%H:%M:%S");
    format!("{seconds}.{:03}+0000", millis % 1000)
}

/// `2024/02/19`, the beginning of a function's log stream.
pub(crate) fn date(millis: u64) -> String {
    format(millis, "%Y/%m/%d")
}

fn format(millis: u64, form: &str) -> String {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis)
        .unwrap_or(Timestamp::MAX)
        .to_zoned(TimeZone::UTC)
        .strftime(form)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_aws_writes_them() {
        let millis = 1_708_326_702_123;
        assert_eq!(clf(millis), "19/Feb/2024:07:11:42 +0000");
        assert_eq!(iso(millis), "2024-02-19T07:11:42.123Z");
        assert_eq!(last_modified(millis), "2024-02-19T07:11:42.123+0000");
        assert_eq!(date(millis), "2024/02/19");
    }

    #[test]
    fn a_trace_names_the_call_it_was_made_for() {
        let id = uuid();
        let trace = trace(&id);
        assert_eq!(
            trace.len(),
            "Root=1-58406520-a006649127e371903a2de979;Sampled=0".len()
        );
        assert_eq!(traced(&trace), Some(id.clone()));
        // As an SDK or a library for tracing may hand it on.
        assert_eq!(
            traced(&format!("Parent=53995c3f42cd8ad8; {trace}")),
            Some(id)
        );
        for other in [
            "",
            "Root=1-58406520",
            "Root=1-5840652é-a006649127e371903a2de97",
            "Self=1-0-0",
        ] {
            assert_eq!(traced(other), None, "{other}");
        }
    }

    #[test]
    fn ids_have_aws_forms() {
        let id = connection_id();
        assert_eq!(id.len(), 16);
        assert!(id.ends_with('=') && !id.contains('/'), "{id}");
        assert!(is_connection_id(&id) && !is_connection_id("no such id"));
        let uuid = uuid();
        assert_eq!((uuid.len(), uuid.as_bytes()[14]), (36, b'4'), "{uuid}");
        assert!(matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }
}
