//! Who may use the console, and what its pages may do.
//!
//! The listener is loopback and every Host is this machine's. What is left are pages of others in the same browser:
//! they may link to the console, and neither read it, nor make it do anything, nor put it into a frame.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Nothing from elsewhere, nothing inline; `'self'` covers a stage's WebSocket on the same port.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(header::HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        header::HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// Every answer of the console carries the same protection.
pub(super) async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// Lets in the console's own page, and clients that are no browsers.
pub(super) async fn own_page_only(request: Request, next: Next) -> Response {
    match foreign(request.headers()) {
        None => next.run(request).await,
        Some(why) => {
            let text = format!("the console answers its own page only: {why}\n");
            (StatusCode::FORBIDDEN, text).into_response()
        }
    }
}

/// Why a request is another page's; a browser says so in one of two headers, which no page can set.
fn foreign(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| {
        headers
            .get(name)
            .map(|v| v.to_str().unwrap_or("unreadable"))
    };
    if let Some(site) = text("sec-fetch-site")
        && !matches!(site, "same-origin" | "none")
    {
        return Some(format!("this request is {site}"));
    }
    let origin = text("origin")?;
    let host = text("host").unwrap_or_default();
    let own = origin
        .split_once("://")
        .is_some_and(|(_, named)| named == host);
    (!own).then(|| format!("this request is from {origin}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests_support::request;

    #[test]
    fn only_the_own_page_is_let_in() {
        let cases: [(&[(&str, &str)], bool); 9] = [
            (&[], true),
            (&[("origin", "http://127.0.0.1:4747")], true),
            (&[("origin", "https://127.0.0.1:4747")], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("origin", "http://127.0.0.1:3000")], false),
            (&[("origin", "null"), ("sec-fetch-site", "none")], false),
        ];
        for (headers, let_in) in cases {
            let headers = [&[("host", "127.0.0.1:4747")], headers].concat();
            let request = request("GET", "/_msgai/state", &headers);
            assert_eq!(foreign(request.headers()).is_none(), let_in, "{headers:?}");
        }
    }
}
