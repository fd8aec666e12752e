//! A domain of one's own and what it leads to.

use super::{ANY, Because, Needs, touched};
use crate::names::Physical;
use crate::resource::domain::Domain;
use crate::resource::mapping::Mapping;

impl Needs<'_> {
    pub(super) fn create_domain(&mut self, domain: &Domain) {
        let domains = self.place.gateway_arn("/domainnames");
        self.add(&domains, &["apigateway:POST"]);
        self.made_with_tags(&domains, &path(&domain.name));
        self.wait_for(domain);
        // API Gateway reads certificates by a role of its own, which the first domain of an account makes.
        let role = "/aws-service-role/ops.apigateway.amazonaws.com/";
        let role = self.place.role_arn(role, "AWSServiceRoleForAPIGateway");
        self.maybe(&role, &["iam:CreateServiceLinkedRole"]);
    }

    pub(super) fn update_domain(&mut self, domain: &Domain, because: Because<'_>) {
        self.wait_for(domain);
        if touched(because, &["certificate", "security"]) {
            let arn = self.place.domain_arn(&domain.name);
            self.add(&arn, &["apigateway:PATCH"]);
        }
        self.tag_gateway(&path(&domain.name), because, &domain.tags);
    }

    pub(super) fn remove_domain(&mut self, name: &str) {
        let arn = self.place.domain_arn(name);
        self.add(&arn, &["apigateway:DELETE"]);
    }

    fn wait_for(&mut self, domain: &Domain) {
        let arn = self.place.domain_arn(&domain.name);
        self.add(&arn, &["apigateway:GET"]);
    }

    pub(super) fn create_mapping(&mut self, mapping: &Mapping) {
        let arn = self.mappings(&mapping.domain);
        self.add(&arn, &["apigateway:POST"]);
        // Where an earlier try was carried out and not answered.
        self.maybe(&arn, &["apigateway:GET"]);
        self.remember("apigateway:POST");
    }

    pub(super) fn update_mapping(
        &mut self,
        mapping: &Mapping,
        at: &Physical,
        because: Because<'_>,
    ) {
        if touched(because, &["api", "stage"]) {
            let (_, id) = at.id.split_once('/').unwrap_or(("", ANY));
            let arn = format!("{}/{id}", self.mappings(&mapping.domain));
            self.add(&arn, &["apigateway:PATCH"]);
        }
        if touched(because, &["api", "remembered"]) {
            self.remember("apigateway:POST");
        }
    }

    pub(super) fn remove_mapping(&mut self, at: &Physical) {
        let (domain, id) = at.id.split_once('/').unwrap_or((ANY, ANY));
        let arn = format!("{}/{id}", self.mappings(domain));
        self.add(&arn, &["apigateway:DELETE"]);
        self.remember("apigateway:DELETE");
    }

    fn mappings(&self, domain: &str) -> String {
        self.place
            .gateway_arn(&format!("{}/apimappings", path(domain)))
    }

    /// The API's tags say where it has mappings.
    fn remember(&mut self, verb: &'static str) {
        let tags = self.tags_of(&self.api_path(""));
        self.add(&tags, &[verb]);
    }
}

fn path(domain: &str) -> String {
    format!("/domainnames/{domain}")
}
