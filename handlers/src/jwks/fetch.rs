//! Keys over HTTP: bounded in time and size, without a redirect.

use std::time::Duration;

use tokio::time::sleep;

use super::Fetch;
use crate::fault::Fault;
use crate::http::{Bounds, Http};

/// Large issuers' key sets have some 20 KB.
const BOUNDS: Bounds = Bounds {
    bytes: 256 * 1024,
    time: Duration::from_secs(2),
};

/// A handshake waits for this, so an answer that is lost is asked for once more, and soon.
const TRIES: u32 = 2;
const BETWEEN: Duration = Duration::from_millis(100);

impl Fetch for Http {
    #[expect(
        clippy::disallowed_methods,
        reason = "a function has no clock of its own to wait by"
    )]
    async fn get(&self, url: &str) -> Result<Vec<u8>, Fault> {
        let mut left = TRIES;
        loop {
            left -= 1;
            let (why, may_pass) = match self.get(url, BOUNDS).await {
                Ok(answer) if answer.status().is_success() => {
                    return Ok(answer.into_body().to_vec());
                }
                Ok(answer) => {
                    let status = answer.status();
                    (
                        status.to_string(),
                        status.is_server_error() || status == 429,
                    )
                }
                Err(error) => (error.to_string(), true),
            };
            if left == 0 || !may_pass {
                return Err(Fault::Unavailable(format!("GET {url}: {why}")));
            }
            sleep(BETWEEN).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::stub::{Step, Stub};

    async fn get(steps: &[Step]) -> (Result<Vec<u8>, Fault>, usize) {
        let stub = Stub::start(steps);
        let url = format!("http://{}/keys", stub.address);
        let answer = Fetch::get(&Http::new(None), &url).await;
        (answer, stub.seen().len())
    }

    #[tokio::test]
    async fn a_key_set_is_read_and_an_answer_that_was_lost_asked_for_again() {
        let good = Step::Answer("200 OK", "{}");
        assert_eq!(
            get(std::slice::from_ref(&good)).await,
            (Ok(b"{}".to_vec()), 1)
        );
        assert_eq!(
            get(&[Step::End, good.clone()]).await,
            (Ok(b"{}".to_vec()), 2)
        );
        let busy = Step::Answer("503 Service Unavailable", "");
        assert_eq!(
            get(&[busy.clone(), good.clone()]).await,
            (Ok(b"{}".to_vec()), 2)
        );
        let (answer, asked) = get(&[busy.clone(), busy, good]).await;
        assert!(answer.unwrap_err().to_string().contains("503"));
        assert_eq!(asked, 2);
    }

    #[tokio::test]
    async fn what_is_elsewhere_or_forbidden_is_not_looked_for() {
        for status in ["404 Not Found", "302 Found", "403 Forbidden"] {
            let (answer, asked) =
                get(&[Step::Answer(status, "{}"), Step::Answer("200 OK", "{}")]).await;
            let error = answer.unwrap_err().to_string();
            assert!(error.contains(&status[..3]), "{error}");
            assert_eq!(asked, 1);
        }
    }
}
