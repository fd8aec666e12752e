# A chat as Terraform's users write it: what msgai would deploy, and every neighbouring resource that such stacks have.
# with_terraform.py applies it to a local cloud, whose address is in AWS_ENDPOINT_URL.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  default_tags {
    tags = { made-by = "terraform" }
  }
}

variable "zip" {
  type = string
}

# Changed in the second apply; everything here is changed in place.
variable "memory" {
  type    = number
  default = 128
}

variable "greeting" {
  type    = string
  default = "hello"
}

variable "rate" {
  type    = number
  default = 50
}

variable "more_routes" {
  type    = set(string)
  default = []
}

data "aws_caller_identity" "me" {}
data "aws_region" "here" {}
data "aws_partition" "this" {}

locals {
  name    = "by-terraform"
  account = data.aws_caller_identity.me.account_id
  region  = data.aws_region.here.name
  routes  = setunion(["$connect", "$disconnect", "$default", "send"], var.more_routes)
}

# Tables --------------------------------------------------------------------------------------------------------------

resource "aws_dynamodb_table" "connections" {
  name                        = "${local.name}-connections"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "connectionId"
  deletion_protection_enabled = false
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"

  attribute {
    name = "connectionId"
    type = "S"
  }
  attribute {
    name = "userId"
    type = "S"
  }
  attribute {
    name = "joinedAt"
    type = "N"
  }

  global_secondary_index {
    name            = "by-user"
    hash_key        = "userId"
    range_key       = "joinedAt"
    projection_type = "KEYS_ONLY"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  tags = { greeting = var.greeting }
}

resource "aws_dynamodb_table" "counted" {
  name           = "${local.name}-counted"
  billing_mode   = "PROVISIONED"
  read_capacity  = 5
  write_capacity = 5
  hash_key       = "id"
  range_key      = "at"

  attribute {
    name = "id"
    type = "S"
  }
  attribute {
    name = "at"
    type = "N"
  }

  server_side_encryption {
    enabled = true
  }
}

# Roles ---------------------------------------------------------------------------------------------------------------

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "handler" {
  name                 = "${local.name}-handler"
  path                 = "/chat/"
  description          = "what the chat's functions may do, ${var.greeting}"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 7200
}

resource "aws_iam_role_policy" "table" {
  name = "table"
  role = aws_iam_role.handler.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:Query"]
      Resource = [aws_dynamodb_table.connections.arn, "${aws_dynamodb_table.connections.arn}/index/*"]
    }]
  })
}

resource "aws_iam_policy" "post" {
  name        = "${local.name}-post"
  path        = "/chat/"
  description = "posts to connections"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "execute-api:ManageConnections"
      Resource = "arn:${data.aws_partition.this.partition}:execute-api:${local.region}:${local.account}:${aws_apigatewayv2_api.chat.id}/*"
      Sid      = title(var.greeting)
    }]
  })
}

resource "aws_iam_role_policy_attachment" "post" {
  role       = aws_iam_role.handler.name
  policy_arn = aws_iam_policy.post.arn
}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.handler.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

# Functions -----------------------------------------------------------------------------------------------------------

resource "aws_cloudwatch_log_group" "handler" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = 14
}

resource "aws_lambda_function" "handler" {
  function_name                  = local.name
  description                    = var.greeting
  role                           = aws_iam_role.handler.arn
  filename                       = var.zip
  source_code_hash               = filebase64sha256(var.zip)
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = ["x86_64"]
  memory_size                    = var.memory
  timeout                        = 10
  publish                        = true
  reserved_concurrent_executions = 20

  environment {
    variables = {
      TABLE    = aws_dynamodb_table.connections.name
      GREETING = var.greeting
    }
  }
  ephemeral_storage {
    size = 1024
  }
  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "WARN"
    log_group             = aws_cloudwatch_log_group.handler.name
  }
  tracing_config {
    mode = "Active"
  }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "what the API calls"
  function_name    = aws_lambda_function.handler.function_name
  function_version = aws_lambda_function.handler.version
}

resource "aws_lambda_function_event_invoke_config" "live" {
  function_name                = aws_lambda_function.handler.function_name
  qualifier                    = aws_lambda_alias.live.name
  maximum_retry_attempts       = 1
  maximum_event_age_in_seconds = 600
}

resource "aws_lambda_permission" "api" {
  statement_id   = "api"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.handler.function_name
  qualifier      = aws_lambda_alias.live.name
  principal      = "apigateway.amazonaws.com"
  source_arn     = "${aws_apigatewayv2_api.chat.execution_arn}/*"
  source_account = local.account
}

# API -----------------------------------------------------------------------------------------------------------------

resource "aws_apigatewayv2_api" "chat" {
  name                         = local.name
  description                  = var.greeting
  version                      = "1.0"
  protocol_type                = "WEBSOCKET"
  route_selection_expression   = "$request.body.action"
  disable_execute_api_endpoint = false
}

resource "aws_apigatewayv2_authorizer" "asked" {
  api_id           = aws_apigatewayv2_api.chat.id
  name             = "asked"
  authorizer_type  = "REQUEST"
  authorizer_uri   = aws_lambda_alias.live.invoke_arn
  identity_sources = ["route.request.querystring.token"]
}

resource "aws_apigatewayv2_model" "message" {
  api_id       = aws_apigatewayv2_api.chat.id
  name         = "message"
  description  = var.greeting
  content_type = "application/json"
  schema       = jsonencode({ "$schema" = "http://json-schema.org/draft-04/schema#", title = "message", type = "object" })
}

resource "aws_apigatewayv2_integration" "handler" {
  api_id             = aws_apigatewayv2_api.chat.id
  integration_type   = "AWS_PROXY"
  integration_method = "POST"
  integration_uri    = aws_lambda_alias.live.invoke_arn
  description        = var.greeting
}

resource "aws_apigatewayv2_integration" "mock" {
  api_id                        = aws_apigatewayv2_api.chat.id
  integration_type              = "MOCK"
  template_selection_expression = "\\$default"
  request_templates             = { "$default" = "{\"statusCode\": 200}" }
}

resource "aws_apigatewayv2_integration_response" "mock" {
  api_id                        = aws_apigatewayv2_api.chat.id
  integration_id                = aws_apigatewayv2_integration.mock.id
  integration_response_key      = "/200/"
  response_templates            = { "application/json" = var.greeting }
  template_selection_expression = "$default"
}

resource "aws_apigatewayv2_route" "of" {
  for_each           = local.routes
  api_id             = aws_apigatewayv2_api.chat.id
  route_key          = each.value
  target             = "integrations/${aws_apigatewayv2_integration.handler.id}"
  authorization_type = each.value == "$connect" ? "CUSTOM" : "NONE"
  authorizer_id      = each.value == "$connect" ? aws_apigatewayv2_authorizer.asked.id : null
  operation_name     = each.value == "send" ? var.greeting : null
  request_models     = each.value == "send" ? { "application/json" = aws_apigatewayv2_model.message.name } : null

  model_selection_expression          = each.value == "send" ? "application/json" : null
  route_response_selection_expression = each.value == "send" ? "$default" : null

  dynamic "request_parameter" {
    for_each = each.value == "$connect" ? [1] : []
    content {
      request_parameter_key = "route.request.querystring.token"
      required              = true
    }
  }
}

resource "aws_apigatewayv2_route_response" "send" {
  api_id             = aws_apigatewayv2_api.chat.id
  route_id           = aws_apigatewayv2_route.of["send"].id
  route_response_key = "$default"
  response_models    = { "application/json" = aws_apigatewayv2_model.message.name }
}

resource "aws_apigatewayv2_deployment" "now" {
  api_id      = aws_apigatewayv2_api.chat.id
  description = var.greeting
  triggers    = { routes = jsonencode(local.routes) }
  depends_on  = [aws_apigatewayv2_route.of, aws_apigatewayv2_route_response.send, aws_apigatewayv2_integration_response.mock]

  lifecycle {
    create_before_destroy = true
  }
}

data "aws_iam_policy_document" "gateway" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["apigateway.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "gateway" {
  name               = "${local.name}-gateway"
  assume_role_policy = data.aws_iam_policy_document.gateway.json
}

resource "aws_iam_role_policy_attachment" "gateway" {
  role       = aws_iam_role.gateway.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

resource "aws_api_gateway_account" "account" {
  cloudwatch_role_arn = aws_iam_role.gateway.arn
  depends_on          = [aws_iam_role_policy_attachment.gateway]
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/chat/${local.name}"
  retention_in_days = 30
  tags              = { greeting = var.greeting }
}

resource "aws_apigatewayv2_stage" "production" {
  api_id          = aws_apigatewayv2_api.chat.id
  name            = "production"
  description     = var.greeting
  deployment_id   = aws_apigatewayv2_deployment.now.id
  stage_variables = { greeting = var.greeting }
  depends_on      = [aws_api_gateway_account.account]

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = "$context.requestId $context.status"
  }

  default_route_settings {
    throttling_burst_limit = 100
    throttling_rate_limit  = var.rate
    logging_level          = "ERROR"
  }

  route_settings {
    route_key              = "send"
    throttling_burst_limit = 20
    throttling_rate_limit  = 10
    logging_level          = "OFF"
  }
}

resource "aws_apigatewayv2_domain_name" "chat" {
  domain_name = "chat.example.com"
  domain_name_configuration {
    certificate_arn = "arn:aws:acm:${local.region}:${local.account}:certificate/00000000-0000-4000-8000-000000000000"
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "chat" {
  api_id          = aws_apigatewayv2_api.chat.id
  domain_name     = aws_apigatewayv2_domain_name.chat.id
  stage           = aws_apigatewayv2_stage.production.id
  api_mapping_key = "v1"
}

output "endpoint" {
  value = aws_apigatewayv2_stage.production.invoke_url
}
