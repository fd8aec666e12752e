//! A domain of one's own, at which the API is reached. AWS knows it under a name of its own, which a DNS record of
//! the domain has to lead to; that record is out of reach here.

use std::time::Duration;

use serde_json::{Value, json};

use aws_sdk_apigatewayv2::operation::get_domain_name::GetDomainNameOutput;
use aws_sdk_apigatewayv2::types::{
    DomainNameConfiguration, DomainNameStatus, EndpointType, SecurityPolicy,
};

use super::tags::{self, Tags};
use super::{Difference, Found, Managed, Scope, Work, api, found, touches};
use crate::cloud::wait::{Poll, until};
use crate::cloud::{Cloud, CloudError, Fault};
use crate::names::{Facts, Kind, MARK, Physical, ResourceId};

#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    pub name: String,
    /// The certificate's ARN.
    pub certificate: String,
    pub tags: Tags,
}

/// WebSocket APIs take nothing else.
const SECURITY: SecurityPolicy = SecurityPolicy::Tls12;

const AT_REST: &str = "AVAILABLE";

/// AWS makes most within a minute, and lets some take long.
const PATIENCE: Duration = Duration::from_mins(30);

pub fn id(name: &str) -> ResourceId {
    ResourceId::new(Kind::Domain, name)
}

/// What a DNS record of the domain has to lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// AWS's own name for the domain.
    pub host: String,
    /// The zone of that name, which Route 53 asks for in an alias.
    pub zone: String,
}

impl Target {
    /// From a domain's physical id.
    pub fn of(at: &Physical) -> Self {
        let (host, zone) = at.id.split_once('/').unwrap_or((&at.id, ""));
        Self {
            host: host.to_owned(),
            zone: zone.to_owned(),
        }
    }
}

impl Managed for Domain {
    const KIND: Kind = Kind::Domain;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn after(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    fn settings(&self, _: &Facts) -> Value {
        settings(&self.certificate, SECURITY.as_str(), AT_REST, &self.tags)
    }

    async fn create(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let made = work
            .cloud
            .call("CreateDomainName", &self.name, || {
                let create = work.cloud.apigateway().create_domain_name();
                create
                    .domain_name(&self.name)
                    .domain_name_configurations(self.configuration())
                    .set_tags(Some(self.tags.clone().into_iter().collect()))
                    .send()
            })
            .await;
        match made {
            // An earlier try whose answer was lost, or somebody else's: names are unique among all accounts.
            Err(error) if error.fault == Fault::Exists => self.is_made(work, error).await?,
            made => drop(made?),
        }
        self.at_rest(work).await
    }

    async fn update(
        &self,
        work: &Work<'_>,
        _: &Physical,
        because: &[Difference],
    ) -> Result<Physical, CloudError> {
        // First the mark: what is changed is the stack's from then on, wherever a kill comes.
        if touches(because, "tags") {
            let arn = work.place.domain_arn(&self.name);
            api::tag(work, &arn, because, &self.tags).await?;
        }
        // No change is taken while another one is under way.
        let at = self.at_rest(work).await?;
        if ["certificate", "security"]
            .iter()
            .all(|field| !touches(because, field))
        {
            return Ok(at);
        }
        work.cloud
            .call("UpdateDomainName", &self.name, || {
                let update = work.cloud.apigateway().update_domain_name();
                update
                    .domain_name(&self.name)
                    .domain_name_configurations(self.configuration())
                    .send()
            })
            .await?;
        self.at_rest(work).await
    }
}

impl Domain {
    fn configuration(&self) -> DomainNameConfiguration {
        DomainNameConfiguration::builder()
            .certificate_arn(&self.certificate)
            .endpoint_type(EndpointType::Regional)
            .security_policy(SECURITY)
            .build()
    }

    /// Whether the domain that is there was made by this very change.
    async fn is_made(&self, work: &Work<'_>, error: CloudError) -> Result<(), CloudError> {
        let domain = get(work.cloud, &self.name).await?;
        let tags = domain.as_ref().and_then(GetDomainNameOutput::tags);
        let stack = tags.and_then(|tags| tags.get(MARK));
        if stack.map(String::as_str) == Some(work.stack.as_str()) {
            return Ok(());
        }
        Err(error)
    }

    async fn at_rest(&self, work: &Work<'_>) -> Result<Physical, CloudError> {
        let cloud = work.cloud;
        until(cloud, "GetDomainName", &self.name, PATIENCE, || async {
            let domain = cloud
                .call_on_new("GetDomainName", &self.name, || {
                    let get = cloud.apigateway().get_domain_name();
                    get.domain_name(&self.name).send()
                })
                .await?;
            let Some(configuration) = configuration(&domain) else {
                return Ok(Poll::Wait("the domain has no configuration yet".to_owned()));
            };
            match configuration.domain_name_status() {
                Some(status) if *status != DomainNameStatus::Available => {
                    stuck(&self.name, status)?;
                    Ok(Poll::Wait(format!("the domain is {status}")))
                }
                _ => Ok(Poll::Ready(physical(configuration))),
            }
        })
        .await
    }
}

/// What does not pass by itself.
fn stuck(name: &str, status: &DomainNameStatus) -> Result<(), CloudError> {
    let why = match status {
        DomainNameStatus::PendingCertificateReimport => {
            "PENDING_CERTIFICATE_REIMPORT: its imported certificate has to be imported again"
        }
        DomainNameStatus::PendingOwnershipVerification => {
            "PENDING_OWNERSHIP_VERIFICATION: AWS wants a second, public certificate as proof of \
             whose the domain is"
        }
        _ => return Ok(()),
    };
    let message = format!("the domain is {why}");
    Err(CloudError::of("GetDomainName", name, Fault::Other, message))
}

fn settings(certificate: &str, security: &str, state: &str, tags: &Tags) -> Value {
    json!({ "certificate": certificate, "security": security, "state": state, "tags": tags })
}

pub(crate) async fn delete(work: &Work<'_>, name: &str) -> Result<(), CloudError> {
    work.cloud
        .call("DeleteDomainName", name, || {
            let delete = work.cloud.apigateway().delete_domain_name();
            delete.domain_name(name).send()
        })
        .await
        .map(drop)
}

async fn get(cloud: &Cloud, name: &str) -> Result<Option<GetDomainNameOutput>, CloudError> {
    let domain = cloud
        .call("GetDomainName", name, || {
            let get = cloud.apigateway().get_domain_name();
            get.domain_name(name).send()
        })
        .await;
    found(domain)
}

/// The domain of this name, whosever it is.
pub(crate) async fn look(
    cloud: &Cloud,
    scope: &Scope,
    name: &str,
) -> Result<Option<Found>, CloudError> {
    let domain = get(cloud, name).await?;
    Ok(domain.map(|domain| object(&domain, scope, name)))
}

fn configuration(domain: &GetDomainNameOutput) -> Option<&DomainNameConfiguration> {
    domain.domain_name_configurations().first()
}

fn physical(configuration: &DomainNameConfiguration) -> Physical {
    let host = configuration.api_gateway_domain_name().unwrap_or_default();
    let zone = configuration.hosted_zone_id().unwrap_or_default();
    Physical::new(format!("{host}/{zone}"))
}

fn object(domain: &GetDomainNameOutput, scope: &Scope, name: &str) -> Found {
    let none = DomainNameConfiguration::builder().build();
    let configuration = configuration(domain).unwrap_or(&none);
    let status = configuration
        .domain_name_status()
        .map_or(AT_REST, DomainNameStatus::as_str);
    let security = configuration
        .security_policy()
        .map_or(SECURITY.as_str(), SecurityPolicy::as_str);
    let tags = tags::own(domain.tags().into_iter().flatten());
    let id = id(name);
    Found {
        ours: scope.has(&id, &tags),
        settings: settings(
            configuration.certificate_arn().unwrap_or_default(),
            security,
            status,
            &tags,
        ),
        at: physical(configuration),
        state: (status != AT_REST).then(|| status.to_owned()),
        id,
    }
}
