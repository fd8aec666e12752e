"""Every operation of API Gateway that the local cloud has."""

URI = ("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
       "arn:aws:lambda:us-east-1:000000000000:function:f:live/invocations")
CREDENTIALS = "arn:aws:iam::000000000000:role/r"


def walk(w):
    api = apis(w)
    integration = integrations(w, api)
    authorizers(w, api)
    models(w, api)
    route = routes(w, api, integration)
    deployments(w, api)
    stages(w, api)
    domains(w, api)
    tags(w, api)
    gone(w, api, route, integration)


def apis(w):
    first = {"ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"}
    for name in ("a", "b"):
        w("CreateApi", Name=name, **first)
    made = w("CreateApi", Name="walked", **first, Description="walked", Version="1", DisableExecuteApiEndpoint=True,
             DisableSchemaValidation=True, IpAddressType="dualstack", Tags={"a": "b"},
             ApiKeySelectionExpression="$context.authorizer.usageIdentifierKey")
    for member, value in {"CorsConfiguration": {"AllowOrigins": ["*"]}, "CredentialsArn": CREDENTIALS, "RouteKey": "a",
                          "Target": URI}.items():
        w.refused("CreateApi", "BadRequestException", Name="x", **first, **{member: value})
    api = {"ApiId": made["ApiId"]}
    assert w("GetApi", **api)["Name"] == "walked"
    w.refused("GetApi", "NotFoundException", ApiId="nobody")
    w.pages("GetApis", 3)
    w("UpdateApi", **api, Name="changed", Description="d", Version="2", DisableExecuteApiEndpoint=False,
      DisableSchemaValidation=False, IpAddressType="ipv4", RouteSelectionExpression="$request.body.kind",
      ApiKeySelectionExpression="$request.header.x-api-key")
    for member, value in {"CorsConfiguration": {"AllowOrigins": ["*"]}, "CredentialsArn": CREDENTIALS, "RouteKey": "a",
                          "Target": URI}.items():
        w.refused("UpdateApi", "BadRequestException", **api, **{member: value})
    return api


def integrations(w, api):
    settings = {
        "Description": "d", "IntegrationMethod": "POST", "IntegrationUri": URI, "CredentialsArn": CREDENTIALS,
        "ConnectionType": "INTERNET", "ContentHandlingStrategy": "CONVERT_TO_TEXT", "PassthroughBehavior": "NEVER",
        "PayloadFormatVersion": "1.0", "RequestParameters": {"integration.request.header.a": "'b'"},
        "RequestTemplates": {"$default": "{}"}, "TemplateSelectionExpression": "\\$default", "TimeoutInMillis": 5000,
    }
    made = w("CreateIntegration", **api, IntegrationType="AWS_PROXY", **settings)
    assert made["IntegrationResponseSelectionExpression"] == "${integration.response.statuscode}", made
    one = {**api, "IntegrationId": made["IntegrationId"]}
    for _ in range(2):
        w("CreateIntegration", **api, IntegrationType="MOCK")
    refused = {"IntegrationSubtype": "SQS-SendMessage", "ResponseParameters": {"200": {"overwrite:statuscode": "201"}},
               "ConnectionId": "l"}
    for member, value in refused.items():
        w.refused("CreateIntegration", "BadRequestException", **api, IntegrationType="HTTP_PROXY",
                  IntegrationUri="https://a.example.com", IntegrationMethod="POST", **{member: value})
        w.refused("UpdateIntegration", "BadRequestException", **one, **{member: value})
    w.pages("GetIntegrations", 3, **api)
    w("UpdateIntegration", **one, IntegrationType="AWS_PROXY", **{**settings, "Description": "changed"})
    assert w("GetIntegration", **one)["Description"] == "changed"
    answers = {"ContentHandlingStrategy": "CONVERT_TO_TEXT", "ResponseParameters": {"a": "b"},
               "ResponseTemplates": {"a": "b"}, "TemplateSelectionExpression": "t"}
    for key in ("$default", "/200/", "/4.*/"):
        response = w("CreateIntegrationResponse", **one, IntegrationResponseKey=key, **answers)["IntegrationResponseId"]
    w.refused("CreateIntegrationResponse", "ConflictException", **one, IntegrationResponseKey="/200/")
    paged(w, "GetIntegrationResponses", 3, **one)
    w("UpdateIntegrationResponse", **one, IntegrationResponseId=response, IntegrationResponseKey="/500/", **answers)
    w("GetIntegrationResponse", **one, IntegrationResponseId=response)
    w("DeleteIntegrationResponse", **one, IntegrationResponseId=response)
    w.refused("GetIntegrationResponse", "NotFoundException", **one, IntegrationResponseId=response)
    return one


def paged(w, operation, count, **parameters):
    """A list without a paginator in the model, or with one: three pages of one."""
    if w.client.can_paginate(method(operation)):
        w.pages(operation, count, **parameters)
        return
    found, token = [], {}
    while True:
        page = w(operation, **parameters, MaxResults="1", **token)
        found += page["Items"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert len(found) == count, found


def method(operation):
    from botocore import xform_name

    return xform_name(operation)


def authorizers(w, api):
    settings = {"AuthorizerUri": URI, "AuthorizerCredentialsArn": CREDENTIALS, "IdentityValidationExpression": "x",
                "IdentitySource": ["route.request.querystring.token"]}
    for name in ("a", "b", "c"):
        made = w("CreateAuthorizer", **api, Name=name, AuthorizerType="REQUEST", **settings)
    w.pages("GetAuthorizers", 3, **api)
    one = {**api, "AuthorizerId": made["AuthorizerId"]}
    http = {"AuthorizerPayloadFormatVersion": "2.0", "AuthorizerResultTtlInSeconds": 1, "EnableSimpleResponses": True,
            "JwtConfiguration": {"Issuer": "https://a.example.com"}}
    for member, value in http.items():
        w.refused("CreateAuthorizer", "BadRequestException", **api, Name="d", AuthorizerType="REQUEST", **settings,
                  **{member: value})
        w.refused("UpdateAuthorizer", "BadRequestException", **one, **{member: value})
    w("UpdateAuthorizer", **one, Name="changed", AuthorizerType="REQUEST", **settings)
    assert w("GetAuthorizer", **one)["Name"] == "changed"
    w("DeleteAuthorizer", **one)
    w.refused("DeleteAuthorizer", "NotFoundException", **one)


def models(w, api):
    schema = '{"type":"object","properties":{"text":{"type":"string"}}}'
    for name in ("a", "b", "c"):
        made = w("CreateModel", **api, Name=name, ContentType="application/json", Description=name, Schema=schema)
    w.refused("CreateModel", "ConflictException", **api, Name="a", Schema=schema)
    w.pages("GetModels", 3, **api)
    one = {**api, "ModelId": made["ModelId"]}
    w("UpdateModel", **one, Name="d", ContentType="application/json", Description="d", Schema="{}")
    w("GetModel", **one)
    w("GetModelTemplate", **one)
    w("DeleteModel", **one)
    w.refused("GetModel", "NotFoundException", **one)


def routes(w, api, integration):
    authorizer = w("GetAuthorizers", **api)["Items"][0]["AuthorizerId"]
    target = f"integrations/{integration['IntegrationId']}"
    parameter = "route.request.querystring.token"
    connect = w("CreateRoute", **api, RouteKey="$connect", Target=target, ApiKeyRequired=True, AuthorizationType="CUSTOM",
                AuthorizerId=authorizer, AuthorizationScopes=["s"], ModelSelectionExpression="m", OperationName="o",
                RequestModels={"a": "a"}, RequestParameters={parameter: {"Required": True}},
                RouteResponseSelectionExpression="$default")
    one = {**api, "RouteId": connect["RouteId"]}
    for key in ("send", "leave"):
        w("CreateRoute", **api, RouteKey=key)
    w.refused("CreateRoute", "ConflictException", **api, RouteKey="send")
    w.refused("DeleteAuthorizer", "ConflictException", **api, AuthorizerId=authorizer)
    w.refused("DeleteIntegration", "ConflictException", **integration)
    w.pages("GetRoutes", 3, **api)
    w("DeleteRouteRequestParameter", **one, RequestParameterKey=parameter)
    w("UpdateRoute", **one, RouteKey="$connect", Target=target, ApiKeyRequired=False, AuthorizationType="CUSTOM",
      AuthorizerId=authorizer, AuthorizationScopes=["t"], ModelSelectionExpression="n", OperationName="p",
      RequestModels={"a": "b"}, RequestParameters={parameter: {"Required": False}},
      RouteResponseSelectionExpression="$default")
    assert w("GetRoute", **one)["RequestModels"] == {"a": "b"}
    made = w("CreateRouteResponse", **one, RouteResponseKey="$default", ModelSelectionExpression="m",
             ResponseModels={"a": "a"}, ResponseParameters={parameter: {"Required": True}})
    w.refused("CreateRouteResponse", "ConflictException", **one, RouteResponseKey="$default")
    response = {**one, "RouteResponseId": made["RouteResponseId"]}
    w("UpdateRouteResponse", **response, RouteResponseKey="$default", ModelSelectionExpression="n",
      ResponseModels={"a": "b"}, ResponseParameters={parameter: {"Required": False}})
    w("GetRouteResponse", **response)
    w("GetRouteResponses", **one, MaxResults="1")
    w("DeleteRouteResponse", **response)
    return one


def deployments(w, api):
    w("CreateStage", **api, StageName="early")
    for description in ("a", "b", "c"):
        made = w("CreateDeployment", **api, Description=description, StageName="early")
    w.pages("GetDeployments", 3, **api)
    one = {**api, "DeploymentId": made["DeploymentId"]}
    w("UpdateDeployment", **one, Description="changed")
    assert w("GetDeployment", **one)["Description"] == "changed"
    w.refused("DeleteDeployment", "BadRequestException", **one)
    other = next(d for d in w("GetDeployments", **api)["Items"] if d["DeploymentId"] != made["DeploymentId"])
    w("DeleteDeployment", **api, DeploymentId=other["DeploymentId"])


def stages(w, api):
    deployment = w("GetDeployments", **api)["Items"][0]["DeploymentId"]
    settings = {
        "AccessLogSettings": {"DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:g",
                              "Format": "$context.requestId"},
        "DefaultRouteSettings": {"DataTraceEnabled": True, "DetailedMetricsEnabled": True, "LoggingLevel": "INFO",
                                 "ThrottlingBurstLimit": 5, "ThrottlingRateLimit": 1.5},
        "RouteSettings": {"send": {"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 2.0}},
        "StageVariables": {"a": "b"}, "Description": "d", "ClientCertificateId": "c", "DeploymentId": deployment,
    }
    w("CreateStage", **api, StageName="s", AutoDeploy=False, Tags={"a": "b"}, **settings)
    w.refused("CreateStage", "ConflictException", **api, StageName="s")
    w("CreateStage", **api, StageName="t", AutoDeploy=True)
    w.pages("GetStages", 3, **api)
    one = {**api, "StageName": "s"}
    w("UpdateStage", **one, AutoDeploy=False, **{**settings, "Description": "changed"})
    assert w("GetStage", **one)["Description"] == "changed"
    w("DeleteRouteSettings", **one, RouteKey="send")
    w("DeleteAccessLogSettings", **one)
    w("ResetAuthorizersCache", **one)
    w.refused("GetStage", "NotFoundException", **api, StageName="nobody")


def domains(w, api):
    certificate = [{"CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/a", "EndpointType": "REGIONAL"}]
    mutual = {"TruststoreUri": "s3://a/b", "TruststoreVersion": "1"}
    for name in ("a", "b", "c"):
        w("CreateDomainName", DomainName=f"{name}.example.com", DomainNameConfigurations=certificate, Tags={"a": "b"},
          MutualTlsAuthentication=mutual, RoutingMode="API_MAPPING_ONLY")
    w.pages("GetDomainNames", 3)
    one = {"DomainName": "a.example.com"}
    w("UpdateDomainName", **one, DomainNameConfigurations=certificate, MutualTlsAuthentication=mutual,
      RoutingMode="API_MAPPING_ONLY")
    w("GetDomainName", **one)
    for key in ("v1", "v2", "v3"):
        made = w("CreateApiMapping", **one, **api, Stage="s", ApiMappingKey=key)
    w.refused("CreateApiMapping", "ConflictException", **one, **api, Stage="s", ApiMappingKey="v1")
    paged(w, "GetApiMappings", 3, **one)
    mapping = {**one, "ApiMappingId": made["ApiMappingId"]}
    w("UpdateApiMapping", **mapping, **api, Stage="t", ApiMappingKey="v4")
    w("GetApiMapping", **mapping)
    w.refused("DeleteStage", "BadRequestException", **api, StageName="s")
    w.refused("DeleteApi", "BadRequestException", **api)
    w("DeleteApiMapping", **mapping)
    for name in ("a", "b", "c"):
        w("DeleteDomainName", DomainName=f"{name}.example.com")
    w.refused("GetDomainName", "NotFoundException", **one)


def tags(w, api):
    arn = f"arn:aws:apigateway:us-east-1::/apis/{api['ApiId']}"
    for resource in (arn, f"{arn}/stages/s"):
        w("TagResource", ResourceArn=resource, Tags={"c": "d"})
        w("UntagResource", ResourceArn=resource, TagKeys=["a"])
        assert w("GetTags", ResourceArn=resource)["Tags"] == {"c": "d"}


def gone(w, api, route, integration):
    w("DeleteRoute", **route)
    w("DeleteIntegration", **integration)
    w("DeleteStage", **api, StageName="s")
    w("DeleteApi", **api)
    for other in w("GetApis")["Items"]:
        if other["Name"] in ("a", "b"):
            w("DeleteApi", ApiId=other["ApiId"])
    w.refused("DeleteApi", "NotFoundException", **api)


def walk_account(w):
    role = w("GetAccount")["cloudwatchRoleArn"]
    patch = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
    assert w("UpdateAccount", patchOperations=patch)["cloudwatchRoleArn"] == role
    patch[0]["value"] = role + "-not"
    w.refused("UpdateAccount", "BadRequestException", patchOperations=patch)
