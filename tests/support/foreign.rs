//! Objects that no stack of ours made, beside it in the same account.

use aws_sdk_apigatewayv2::types::{IntegrationType, ProtocolType};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};

use super::sdk::{Sdk, TRUST};

const URI: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:their-function/invocations";

impl Sdk {
    /// One of everything. An API may have the same name as ours; the others cannot.
    pub(crate) async fn make_foreign(&self, api_name: &str) {
        let role = self.make_role("their-role", TRUST).await;
        let put = self.iam.put_role_policy().role_name("their-role");
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
        let put = put.policy_name("theirs").policy_document(document);
        put.send().await.unwrap();
        self.make_function("their-function", &role).await;
        self.make_table("their-table", "id").await;
        let group = self.logs.create_log_group();
        let group = group.log_group_name("/aws/lambda/their-function");
        group.send().await.unwrap();
        self.make_api(api_name, None).await;
    }

    pub(crate) async fn make_function(&self, name: &str, role: &str) {
        let zip = super::code(200).zip;
        let code = FunctionCode::builder().zip_file(Blob::new(zip.as_slice()));
        let create = self.lambda.create_function().function_name(name);
        let create = create.role(role).runtime(Runtime::Providedal2023);
        let create = create.handler("bootstrap").code(code.build());
        create.send().await.unwrap();
    }

    pub(crate) async fn make_table(&self, name: &str, key: &str) {
        let attribute = AttributeDefinition::builder()
            .attribute_name(key)
            .attribute_type(ScalarAttributeType::S);
        let schema = KeySchemaElement::builder()
            .attribute_name(key)
            .key_type(KeyType::Hash);
        let create = self.dynamodb.create_table().table_name(name);
        let create = create.billing_mode(BillingMode::PayPerRequest);
        let create = create.attribute_definitions(attribute.build().unwrap());
        let create = create.key_schema(schema.build().unwrap());
        create.send().await.unwrap();
    }

    /// An API with a route and a stage; `mark` makes it look like a stack's.
    pub(crate) async fn make_api(&self, name: &str, mark: Option<&str>) -> String {
        let create = self.apigateway.create_api().name(name);
        let create = create.protocol_type(ProtocolType::Websocket);
        let mut create = create.route_selection_expression("$request.body.action");
        if let Some(stack) = mark {
            create = create.tags("msgai:stack", stack);
        }
        let api = create.send().await.unwrap().api_id.unwrap();
        let integration = self.apigateway.create_integration().api_id(&api);
        let integration = integration.integration_type(IntegrationType::AwsProxy);
        let integration = integration.integration_method("POST").integration_uri(URI);
        let integration = integration.send().await.unwrap().integration_id.unwrap();
        let route = self.apigateway.create_route().api_id(&api);
        let route = route.route_key("$connect");
        let route = route.target(format!("integrations/{integration}"));
        route.send().await.unwrap();
        let stage = self.apigateway.create_stage().api_id(&api);
        stage.stage_name("production").send().await.unwrap();
        api
    }
}
