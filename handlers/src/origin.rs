//! Pages that may connect from a browser.
//!
//! WebSocket handshakes are not covered by CORS: any page may open one in the name of whoever looks at it. A browser
//! says which page it is, and no script can make it say another. What is no browser says nothing, or anything.

/// Allowed origins; none listed means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Reads a list as the environment has it, with commas between.
    pub fn parse(list: &str) -> Self {
        let all = list.split(',').map(str::trim).filter(|one| !one.is_empty());
        Self(all.map(str::to_ascii_lowercase).collect())
    }

    /// Whether a handshake with this header may go on. Without one it does not come from a page.
    pub fn admit(&self, origin: Option<&str>) -> bool {
        match origin {
            None => true,
            Some(_) if self.0.is_empty() => true,
            Some(origin) => {
                let origin = origin.to_ascii_lowercase();
                self.0.iter().any(|allowed| covers(allowed, &origin))
            }
        }
    }
}

/// The same scheme, port and labels; a `*` in front stands for one label.
fn covers(allowed: &str, origin: &str) -> bool {
    if allowed == origin {
        return true;
    }
    let (Some((scheme, host)), Some((theirs, other))) =
        (allowed.split_once("://"), origin.split_once("://"))
    else {
        return false;
    };
    let mut host = host;
    let mut other = other;
    while let Some(rest) = host.strip_prefix("*.") {
        let Some((label, behind)) = other.split_once('.') else {
            return false;
        };
        let is_label = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if label.is_empty() || !label.chars().all(is_label) {
            return false;
        }
        (host, other) = (rest, behind);
    }
    scheme == theirs && host == other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(list: &str, origin: &str) -> bool {
        Origins::parse(list).admit(Some(origin))
    }

    #[test]
    fn without_a_list_every_page_may() {
        assert!(admits("", "https://evil.example"));
        assert!(Origins::default().admit(None));
        assert!(Origins::parse("https://a.example").admit(None));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let list = "https://app.example.com, http://localhost:3000";
        for origin in [
            "https://app.example.com",
            "HTTPS://App.Example.com",
            "http://localhost:3000",
        ] {
            assert!(admits(list, origin), "{origin}");
        }
        for origin in [
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.com",
            "https://app.example.com/",
            "https://evil.com/https://app.example.com",
            "https://example.com",
            "https://x.app.example.com",
            "http://localhost",
            "http://localhost:30000",
            "app.example.com",
            "null",
            "file://",
            "",
            "https://app.example.com, https://evil.com",
        ] {
            assert!(!admits(list, origin), "{origin}");
        }
    }

    #[test]
    fn a_star_is_one_label() {
        let list = "https://*.example.com,https://*.*.deep.example:8443";
        for origin in ["https://a.example.com", "https://a.b.deep.example:8443"] {
            assert!(admits(list, origin), "{origin}");
        }
        for origin in [
            "https://example.com",
            "https://.example.com",
            "https://a.b.example.com",
            "https://aexample.com",
            "https://evil.com/.example.com",
            "https://evil.com?.example.com",
            "https://user@.example.com",
            "http://a.example.com",
            "https://a.example.com:8443",
            "https://a.deep.example:8443",
            "https://a.b.deep.example",
        ] {
            assert!(!admits(list, origin), "{origin}");
        }
    }
}
