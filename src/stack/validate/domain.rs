//! The domain of one's own, and the certificate that it is served with.

use super::super::DomainDef;
use super::super::domain::certificate_place;
use super::super::limits;
use super::super::problem::{Path, Problem};
use super::{Checks, at};

const NAME_HINT: &str =
    "letters, digits and `-`, with dots between, such as `chat.example.org`; no `wss://`, no path";

impl Checks<'_> {
    pub(super) fn domain(&mut self, domain: &DomainDef) {
        let here = at(["api", "domain"]);
        self.domain_name(here.clone().key("name"), &domain.name);
        if let Some(key) = &domain.key {
            self.mapping_key(here.clone().key("key"), key);
        }
        if let Some(certificate) = &domain.certificate {
            self.certificate(&here.key("certificate"), certificate);
        }
    }

    fn domain_name(&mut self, here: Path, name: &str) {
        if name.starts_with("*.") {
            let message = format!("`{name}` stands for many names, and clients need one URL");
            self.push(
                Problem::error(here, message)
                    .hint("name one of them; a certificate may be for all of them"),
            );
        } else if name.to_ascii_lowercase() != name && is_host(&name.to_ascii_lowercase()) {
            let message = format!("domain `{name}` has capitals, which API Gateway does not take");
            let hint = format!("write `{}`", name.to_ascii_lowercase());
            self.push(Problem::error(here, message).hint(hint));
        } else if !is_host(name) {
            let message = format!("`{name}` is not a domain's name");
            self.push(Problem::error(here, message).hint(NAME_HINT));
        } else if name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn") {
            let message = format!("`{name}` is AWS's own, and needs no `domain`");
            let hint = "leave `domain` away: the API has its `execute-api` address without it";
            self.push(Problem::error(here, message).hint(hint));
        }
    }

    fn mapping_key(&mut self, here: Path, key: &str) {
        if key.is_empty() {
            let problem = Problem::error(here, "the domain's key is empty");
            self.push(problem.hint("leave `key` away for a URL that is the domain alone"));
        } else if key.contains('/') {
            let message = format!("`{key}` has more than one part, and a WebSocket's key has one");
            self.push(
                Problem::error(here, message).hint("write the part alone, without any slash"),
            );
        } else if let Some(wrong) = key.chars().find(|c| !limits::is_mapping_key_character(*c)) {
            let message = format!("the domain's key cannot have {wrong:?}");
            let hint = "it takes letters, digits and `$-_.+!*'()`";
            self.push(Problem::error(here, message).hint(hint));
        } else if key.len() > limits::MAPPING_KEY {
            let message = format!(
                "the domain's key has at most {} characters",
                limits::MAPPING_KEY
            );
            self.error(here, message);
        }
    }

    fn certificate(&mut self, here: &Path, arn: &str) {
        let Some((_, region, account)) = certificate_place(arn) else {
            let message = format!("`{arn}` is not a certificate's ARN");
            let hint = "`aws acm list-certificates` lists them: \
                        `arn:aws:acm:REGION:ACCOUNT:certificate/ID`";
            self.push(Problem::error(here.clone(), message).hint(hint));
            return;
        };
        if let Some(want) = self.stack.region.as_deref().filter(|want| *want != region) {
            let message = format!("the certificate is in {region}, and the stack in {want}");
            let hint = format!("API Gateway takes one of its own Region: request one in {want}");
            self.push(Problem::error(here.clone(), message).hint(hint));
        }
        if let Some(want) = self
            .stack
            .account
            .as_deref()
            .filter(|want| *want != account)
        {
            let message = format!("the certificate is account {account}'s, and the stack {want}'s");
            let hint = "request or import one in the stack's account";
            self.push(Problem::error(here.clone(), message).hint(hint));
        }
    }
}

/// At least two labels, as DNS takes them.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_address = last.chars().all(|c| c.is_ascii_digit());
    name.len() <= limits::DOMAIN_NAME
        && name.contains('.')
        && name.split('.').all(label)
        && !is_address
}
