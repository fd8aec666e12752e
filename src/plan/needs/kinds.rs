//! The kinds whose calls depend on what exactly is made or changed.

use std::collections::BTreeSet;

use super::{ANY, Because, Needs, touched};
use crate::names::Physical;
use crate::resource::function::Function;
use crate::resource::log_group::LogGroup;
use crate::resource::members;
use crate::resource::role::Role;
use crate::resource::stage::Stage;
use crate::resource::table::Table;

impl Needs<'_> {
    pub(super) fn update_role(&mut self, role: &Role, at: &Physical, because: Because<'_>) {
        let arn = at.id.as_str();
        if touched(because, &["description"]) {
            self.add(arn, &["iam:UpdateRole"]);
        }
        if touched(because, &["trust"]) {
            self.add(arn, &["iam:UpdateAssumeRolePolicy"]);
        }
        if touched(because, &["boundary"]) {
            if role.boundary.is_some() || because.is_none() {
                self.add(arn, &["iam:PutRolePermissionsBoundary"]);
            }
            if role.boundary.is_none() || because.is_none() {
                self.add(arn, &["iam:DeleteRolePermissionsBoundary"]);
            }
        }
        self.tag(arn, because, &role.tags, ["iam:TagRole", "iam:UntagRole"]);
    }

    pub(super) fn retention(&mut self, group: &LogGroup, inside: &str) {
        let action = match group.retention {
            Some(_) => "logs:PutRetentionPolicy",
            None => "logs:DeleteRetentionPolicy",
        };
        self.add(inside, &[action]);
    }

    pub(super) fn create_table(&mut self, table: &Table) {
        let arn = self.place.table_arn(&table.name);
        let always = ["dynamodb:CreateTable", "dynamodb:DescribeTable"];
        self.add(&arn, &always);
        self.add(&arn, &["dynamodb:TagResource"]);
        if table.ttl.is_some() {
            self.add(&arn, &["dynamodb:UpdateTimeToLive"]);
        }
        if table.recovery {
            self.add(&arn, &["dynamodb:UpdateContinuousBackups"]);
        }
        self.key(table);
    }

    pub(super) fn update_table(&mut self, table: &Table, because: Because<'_>) {
        let arn = self.place.table_arn(&table.name);
        let looks = ["dynamodb:ListTagsOfResource", "dynamodb:DescribeTable"];
        self.add(&arn, &looks);
        if touched(because, &["protection", "billing", "encryption", "indexes"]) {
            self.add(&arn, &["dynamodb:UpdateTable"]);
        }
        if touched(because, &["encryption"]) {
            self.key(table);
        }
        if touched(because, &["recovery"]) {
            self.add(&arn, &["dynamodb:UpdateContinuousBackups"]);
        }
        if touched(because, &["ttl"]) {
            self.add(&arn, &["dynamodb:UpdateTimeToLive"]);
        }
        let names = ["dynamodb:TagResource", "dynamodb:UntagResource"];
        self.tag(&arn, because, &table.tags, names);
    }

    /// A key of one's own, whose own policy says who may use it.
    fn key(&mut self, table: &Table) {
        if table.encryption.starts_with("arn:") {
            let actions = [
                "kms:CreateGrant",
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
            ];
            self.maybe(&table.encryption, &actions);
        }
    }

    pub(super) fn create_function(&mut self, function: &Function) {
        let arn = self.place.function_arn(&function.name);
        let always = ["lambda:CreateFunction", "lambda:GetFunction"];
        self.add(&arn, &always);
        self.add(&arn, &["lambda:TagResource"]);
        self.pass_role(function);
        if function.concurrency.is_some() {
            self.add(&arn, &["lambda:PutFunctionConcurrency"]);
        }
    }

    pub(super) fn update_function(&mut self, function: &Function, because: Because<'_>) {
        let arn = self.place.function_arn(&function.name);
        let configuration = [
            "description",
            "environment",
            "handler",
            "memory",
            "role",
            "runtime",
            "timeout",
        ];
        if touched(because, &configuration) {
            let calls = ["lambda:UpdateFunctionConfiguration", "lambda:GetFunction"];
            self.add(&arn, &calls);
            self.pass_role(function);
        }
        if touched(because, &["code", "architecture"]) {
            let calls = ["lambda:UpdateFunctionCode", "lambda:GetFunction"];
            self.add(&arn, &calls);
        }
        if touched(because, &["concurrency"]) {
            if function.concurrency.is_some() || because.is_none() {
                self.add(&arn, &["lambda:PutFunctionConcurrency"]);
            }
            if function.concurrency.is_none() || because.is_none() {
                self.add(&arn, &["lambda:DeleteFunctionConcurrency"]);
            }
        }
        let names = ["lambda:TagResource", "lambda:UntagResource"];
        self.tag(&arn, because, &function.tags, names);
    }

    /// To give a function its role is to act as that role: IAM asks for it apart.
    fn pass_role(&mut self, function: &Function) {
        let arn = match (
            function.role.resolve(self.facts),
            function.role.needs().next(),
        ) {
            (Ok(arn), _) => arn,
            (Err(_), Some(role)) => self.role_arn(&role.name),
            (Err(id), None) => self.role_arn(&id.name),
        };
        self.add(&arn, &["iam:PassRole"]);
    }

    pub(super) fn update_stage(&mut self, stage: &Stage, because: Because<'_>) {
        let path = format!("/stages/{}", stage.name);
        let gone = because.map_or_else(
            || BTreeSet::from([ANY.to_owned()]),
            |because| members(because, "routes"),
        );
        for key in gone
            .iter()
            .filter(|key| !stage.route_throttles.contains_key(*key))
        {
            let settings = format!("{path}/routesettings/{key}");
            self.gateway(&settings, "apigateway:DELETE");
        }
        if because.is_none() || stage.logs.is_none() && touched(because, &["logs"]) {
            self.gateway(&format!("{path}/accesslogsettings"), "apigateway:DELETE");
        }
        let fields = [
            "auto_deploy",
            "throttle",
            "routes",
            "metrics",
            "variables",
            "logs",
        ];
        if touched(because, &fields) {
            self.gateway(&path, "apigateway:PATCH");
        }
        self.tag_gateway(&self.api_path(&path), because, &stage.tags);
    }

    pub(super) fn deploy(&mut self, stage: &str) {
        self.gateway("/deployments", "apigateway:POST");
        self.gateway(&format!("/deployments/{ANY}"), "apigateway:GET");
        let path = self.api_path(&format!("/stages/{stage}"));
        let arn = self.place.gateway_arn(&path);
        self.add(&arn, &["apigateway:GET"]);
        // Where CreateDeployment did not bind the stage, as AWS says that it does.
        self.maybe(&arn, &["apigateway:PATCH"]);
    }
}
