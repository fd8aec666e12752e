//! An allowed origin, as a browser spells the one that it comes from.

/// Why an entry of the list could never be met, or would let in too much; and what to write.
pub(super) fn flaw(origin: &str) -> Option<(&'static str, String)> {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return Some((
            "has no scheme",
            format!("write `https://{}`", origin.trim_start_matches('/')),
        ));
    };
    if !matches!(scheme, "https" | "http") {
        return Some(("is neither https nor http", example()));
    }
    if let Some((before, _)) = authority.split_once(['/', '?', '#']) {
        return Some((
            "has something after its host",
            format!("write `{scheme}://{before}`: a browser sends no path"),
        ));
    }
    let (host, port) = authority
        .rsplit_once(':')
        .filter(|(host, _)| !host.ends_with(':') && (!host.contains('[') || host.ends_with(']')))
        .map_or((authority, None), |(host, port)| (host, Some(port)));
    if let Some(port) = port {
        let standard = matches!((scheme, port), ("https", "443") | ("http", "80"));
        if standard {
            return Some((
                "names the port that goes without saying",
                format!("write `{scheme}://{host}`: a browser leaves it away"),
            ));
        }
        if port.parse::<u16>().is_err() {
            return Some(("has a port that is no number", example()));
        }
    }
    if origin.chars().any(|c| c.is_ascii_uppercase()) {
        return Some((
            "has capitals",
            format!("write `{}`: a browser sends none", origin.to_lowercase()),
        ));
    }
    host_flaw(host)
}

fn host_flaw(host: &str) -> Option<(&'static str, String)> {
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if bracketed {
        let inner = host.trim_start_matches('[').trim_end_matches(']');
        let is_address = inner.parse::<std::net::Ipv6Addr>().is_ok();
        return (!is_address).then(|| ("has a host that is no address", example()));
    }
    let mut fixed = host;
    while let Some(rest) = fixed.strip_prefix("*.") {
        fixed = rest;
    }
    let named = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if fixed.contains('*') {
        return Some((
            "has a `*` that is not a whole label in front",
            "write `https://*.example.com`".to_owned(),
        ));
    }
    if !fixed.split('.').all(named) {
        return Some(("has a host that is no name", example()));
    }
    if fixed != host && !fixed.contains('.') {
        return Some((
            "lets in everybody under a top-level name",
            "write `https://*.example.com`".to_owned(),
        ));
    }
    None
}

fn example() -> String {
    "an origin looks like `https://app.example.com` or `http://localhost:3000`".to_owned()
}

#[cfg(test)]
mod tests {
    use super::flaw;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for origin in [
            "https://app.example.com",
            "http://localhost:3000",
            "https://*.example.com",
            "https://*.*.example.com:8443",
            "http://127.0.0.1:8080",
            "http://[::1]:3000",
            "http://[::1]",
        ] {
            assert_eq!(flaw(origin), None, "{origin}");
        }
        for (origin, why) in [
            ("app.example.com", "has no scheme"),
            ("*", "has no scheme"),
            ("wss://app.example.com", "is neither https nor http"),
            ("https://app.example.com/", "has something after its host"),
            (
                "https://app.example.com:443",
                "names the port that goes without saying",
            ),
            ("https://app.example.com:x", "has a port that is no number"),
            ("https://App.example.com", "has capitals"),
            ("https://", "has a host that is no name"),
            ("https://a..b", "has a host that is no name"),
            ("https://me@example.com", "has a host that is no name"),
            ("http://[::zz]", "has a host that is no address"),
            (
                "https://app*.example.com",
                "has a `*` that is not a whole label in front",
            ),
            (
                "https://app.*.example.com",
                "has a `*` that is not a whole label in front",
            ),
            ("https://*.com", "lets in everybody under a top-level name"),
        ] {
            assert_eq!(flaw(origin).map(|(why, _)| why), Some(why), "{origin}");
        }
    }
}
