//! A value as one segment of a path. Connection ids end in `=`, and aliases begin with `:`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub(super) fn segment(value: &str) -> PercentEncode<'_> {
    utf8_percent_encode(value, KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_path_may_hold_stays() {
        assert_eq!(segment("TXzP-_.~=").to_string(), "TXzP-_.~%3D");
        assert_eq!(segment("a/b:live?%").to_string(), "a%2Fb%3Alive%3F%25");
    }
}
