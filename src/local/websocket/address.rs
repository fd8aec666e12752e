//! Which API and stage a URL means.

use percent_encoding::percent_decode_str;

use super::apis_with_stage;
use crate::local::World;
use crate::local::apigateway::Served;

/// Below a stage, the path of its connections.
pub(crate) const CALLBACK: &str = "@connections";

const PREFIX: [&str; 2] = ["_aws", "execute-api"];

/// Before a domain of one's own in a path, for clients whose name server does not lead here.
const DOMAINS: &str = "/_aws/domains/";

/// A URL's API, where it names one, and the rest of its path, decoded.
#[derive(Debug, PartialEq)]
pub(crate) struct Address {
    pub(crate) api_id: Option<String>,
    pub(crate) path: Vec<String>,
    /// The domain of one's own by which it was reached.
    pub(crate) domain: Option<String>,
    /// By a path of the local cloud's own, which AWS does not have.
    by_path: bool,
}

impl Address {
    /// Where nothing is.
    fn nowhere() -> Self {
        Self {
            api_id: Some(String::new()),
            path: Vec::new(),
            domain: None,
            by_path: false,
        }
    }

    /// From `/_aws/execute-api/{api}/…`, from a host `{api}.execute-api.…`, or from a bare path.
    pub(crate) fn of(host: &str, path: &str) -> Self {
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let mut parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(decode)
            .collect();
        if parts.len() > PREFIX.len() && parts.iter().zip(PREFIX).all(|(a, b)| a == b) {
            let path = parts.split_off(PREFIX.len() + 1);
            let api_id = parts.pop();
            return Self {
                api_id,
                path,
                domain: None,
                by_path: true,
            };
        }
        let api_id = host
            .split_once(".execute-api.")
            .map(|(api, _)| api.to_ascii_lowercase());
        Self {
            api_id,
            path: parts,
            domain: None,
            by_path: false,
        }
    }

    /// As [`Address::of`], and through the mappings of domains of one's own, behind which a stage has any name.
    pub(crate) fn at(world: &World, host: &str, path: &str) -> Self {
        let named = named(path);
        let (host, path) = named.unwrap_or((host, path));
        let address = Self::of(host, path);
        let name = host.split(':').next().unwrap_or_default();
        if !world.apigateway.has_domain(name) {
            return if named.is_some() {
                Self::nowhere()
            } else {
                address
            };
        }
        let callback = address.path.iter().position(|part| part == CALLBACK);
        let (key, rest) = address
            .path
            .split_at(callback.unwrap_or(address.path.len()));
        // What is not mapped is nowhere, also where a stage would have that name.
        let Some((api_id, stage)) = world.apigateway.mapped(name, &key.join("/")) else {
            return Self::nowhere();
        };
        Self {
            api_id: Some(api_id),
            path: [&[stage], rest].concat(),
            domain: Some(name.to_ascii_lowercase()),
            by_path: false,
        }
    }

    /// Whether the API, the stage or the connection that it names is this account's.
    pub(crate) fn is_in(&self, world: &World) -> bool {
        match (&self.api_id, self.path.as_slice()) {
            (Some(api_id), _) => world.apigateway.has_api(api_id),
            (None, [.., mark, id]) if mark == CALLBACK => world.sockets.get(id).is_some(),
            (None, [stage, ..]) => !apis_with_stage(world, stage).is_empty(),
            (None, []) => false,
        }
    }

    /// Whether it leads to the stage: an API's own endpoint can be disabled.
    pub(crate) fn reaches(&self, served: &Served) -> bool {
        self.domain.is_some() || !served.hidden
    }

    /// Whether it leads to the stage's connections. Functions are told one address for all APIs, which knows nothing of
    /// disabled ones: on AWS they would have been told the domain.
    pub(crate) fn posts(&self, served: &Served) -> bool {
        self.by_path || self.reaches(served)
    }

    /// The one API and stage that a socket's URL means. A bare `/{stage}` is the oldest API's that has it: one more must
    /// not take its clients away.
    pub(super) fn stage(&self, world: &World) -> Option<(String, String)> {
        let [stage] = self.path.as_slice() else {
            return None;
        };
        let api_id = match &self.api_id {
            Some(api_id) => api_id.clone(),
            None => apis_with_stage(world, stage).into_iter().next()?,
        };
        Some((api_id, stage.clone()))
    }
}

/// The domain that a path names, and the path below it.
fn named(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(DOMAINS)?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_names_the_api_and_the_path() {
        for (host, path, api_id, rest) in [
            (
                "127.0.0.1:4",
                "/_aws/execute-api/a1/prod",
                Some("a1"),
                vec!["prod"],
            ),
            (
                "a1.execute-api.localhost:4",
                "/prod",
                Some("a1"),
                vec!["prod"],
            ),
            ("127.0.0.1", "/prod/", None, vec!["prod"]),
            (
                "localhost",
                "/prod/%40connections/L0%3D",
                None,
                vec!["prod", "@connections", "L0="],
            ),
        ] {
            let address = Address::of(host, path);
            assert_eq!(address.api_id.as_deref(), api_id, "{host}{path}");
            assert_eq!(address.path, rest, "{host}{path}");
        }
    }
}
