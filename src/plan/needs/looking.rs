//! What is called beside a plan's own calls: the look at what there is, the lock and the history, limits.

use std::collections::BTreeSet;

use super::{ANY, Need, Needs};
use crate::names::{Facts, LIVE, Place, StackId};
use crate::resource::{Desired, Resource};

/// What looking at a stack calls, and keeping its lock and its history in this table.
pub fn of_looking(
    stack: &StackId,
    place: &Place,
    desired: &Desired,
    ledger: &str,
) -> BTreeSet<Need> {
    let facts = Facts::new();
    let mut needs = Needs::new(stack, place, &facts);
    needs.whole(desired);
    needs.ledger(ledger);
    needs.limits();
    needs.all
}

/// The same of whoever only looks, as the job of a pull request does: nothing of it writes.
pub fn of_reading(
    stack: &StackId,
    place: &Place,
    desired: &Desired,
    ledger: &str,
) -> BTreeSet<Need> {
    let facts = Facts::new();
    let mut needs = Needs::new(stack, place, &facts);
    needs.whole(desired);
    let history = ["dynamodb:GetItem", "dynamodb:Query"];
    needs.add(&place.table_arn(ledger), &history);
    needs.all
}

impl Needs<'_> {
    fn whole(&mut self, desired: &Desired) {
        self.search();
        for resource in desired.resources.values() {
            self.look(resource);
        }
        if let Some(name) = &desired.used_domain {
            self.look_at_domain(name);
        }
        for table in desired.referenced.keys() {
            let arn = self.place.table_arn(table);
            self.add(&arn, &["dynamodb:DescribeTable"]);
        }
    }

    /// Where nobody knows yet what is there: these are asked of all objects or of none.
    fn search(&mut self) {
        self.add(ANY, &["tag:GetResources", "iam:ListRoles"]);
        // What `status` says of the last hour.
        self.maybe(ANY, &["cloudwatch:GetMetricData"]);
        let groups = format!("{}:{ANY}", self.place.log_group_arn(""));
        self.add(&groups, &["logs:DescribeLogGroups"]);
        for path in ["/apis", &format!("/apis/{ANY}")] {
            let arn = self.place.gateway_arn(path);
            self.add(&arn, &["apigateway:GET"]);
        }
    }

    fn look(&mut self, resource: &Resource) {
        match resource {
            Resource::Role(role) => {
                let arn = self.role_arn(&role.name);
                self.add(&arn, &["iam:GetRole", "iam:GetRolePolicy"]);
                // IAM cannot know the path of a role that is not there yet.
                let absent = self.place.role_arn("/", &role.name);
                self.add(&absent, &["iam:GetRole"]);
            }
            Resource::LogGroup(group) => {
                let (arn, _) = self.log_group(&group.name);
                // Of this and of tables, where the tagging service does not know them yet.
                self.maybe(&arn, &["logs:ListTagsForResource"]);
            }
            Resource::Table(table) => {
                let arn = self.place.table_arn(&table.name);
                let calls = [
                    "dynamodb:DescribeTable",
                    "dynamodb:DescribeTimeToLive",
                    "dynamodb:DescribeContinuousBackups",
                ];
                self.add(&arn, &calls);
                self.maybe(&arn, &["dynamodb:ListTagsOfResource"]);
            }
            Resource::Function(function) => {
                let arn = self.place.function_arn(&function.name);
                self.add(&arn, &["lambda:GetFunction"]);
                // Where releases are looked through.
                self.maybe(&arn, &["lambda:ListAliases"]);
                let alias = format!("{arn}:{LIVE}");
                self.add(&alias, &["lambda:GetFunction", "lambda:GetPolicy"]);
            }
            Resource::Stage(stage) if stage.logs.is_some() => {
                let account = self.place.gateway_arn("/account");
                self.add(&account, &["apigateway:GET"]);
            }
            Resource::Domain(domain) => self.look_at_domain(&domain.name),
            _ => {}
        }
    }

    /// The domain and the page of its mappings.
    fn look_at_domain(&mut self, name: &str) {
        let arn = self.place.domain_arn(name);
        self.add(&arn, &["apigateway:GET"]);
        self.add(&format!("{arn}/apimappings"), &["apigateway:GET"]);
    }

    /// The table of locks and histories is made by whoever is first.
    fn ledger(&mut self, table: &str) {
        let arn = self.place.table_arn(table);
        let calls = [
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        ];
        self.add(&arn, &calls);
        let made = [
            "dynamodb:CreateTable",
            "dynamodb:DescribeTable",
            "dynamodb:ListTagsOfResource",
            "dynamodb:TagResource",
        ];
        self.maybe(&arn, &made);
    }

    /// Asked before the first write; who may not ask is told later, by AWS.
    fn limits(&mut self) {
        let calls = ["lambda:GetAccountSettings", "iam:GetAccountSummary"];
        self.maybe(ANY, &calls);
    }
}
