"""Every operation of Lambda that the local cloud has."""

import base64
import hashlib
import json

import foreign
import lab

NAME = "walked"
ROLE = "walked-functions"


def walk(w):
    iam = lab.client("iam", w.endpoint)
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=foreign.TRUST)["Role"]["Arn"]
    code = w.zip.read_bytes()
    made(w, role, code)
    changed(w, role, code)
    versions(w, code)
    aliases(w)
    permissions(w)
    beside(w)
    called(w)
    gone(w)
    iam.delete_role(RoleName=ROLE)


SETTINGS = {
    "Description": "walked", "Timeout": 9, "MemorySize": 256, "Handler": "bootstrap", "Runtime": "provided.al2023",
    "Environment": {"Variables": {"AA": "1"}}, "TracingConfig": {"Mode": "Active"}, "EphemeralStorage": {"Size": 1024},
    "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/a",
    "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"},
    "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN", "LogGroup": "/walked"},
}


def made(w, role, code):
    w("CreateFunction", FunctionName=NAME, Role=role, Code={"ZipFile": code}, Publish=False, PackageType="Zip",
      Architectures=["x86_64"], Tags={"a": "b"}, **SETTINGS)
    for name in ("walked-b", "walked-c"):
        w("CreateFunction", FunctionName=name, Role=role, Code={"ZipFile": code}, Runtime="provided.al2023",
          Handler="bootstrap")
    again = {"FunctionName": NAME, "Role": role, "Code": {"ZipFile": code}, "Runtime": "provided.al2023", "Handler": "b"}
    w.refused("CreateFunction", "ResourceConflictException", **again)
    other = {**again, "FunctionName": "other"}
    for member, value in {
        "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"],
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        "FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-00000000000000000",
                               "LocalMountPath": "/mnt/a"}],
        "ImageConfig": {"Command": ["a"]}, "SnapStart": {"ApplyOn": "PublishedVersions"},
        "CodeSigningConfigArn": "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-00000000000000000",
        "CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": "arn:aws:lambda:us-east-1:000000000000:capacity-provider:c"}},
        "DurableConfig": {"ExecutionTimeout": 60}, "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"},
        "PublishTo": "LATEST_PUBLISHED",
    }.items():
        w.refused("CreateFunction", "InvalidParameterValueException", **other, **{member: value})
    found = w("GetFunction", FunctionName=NAME)
    assert found["Tags"] == {"a": "b"} and found["Configuration"]["State"] == "Active", found
    assert w("GetFunctionConfiguration", FunctionName=NAME, Qualifier="$LATEST")["MemorySize"] == 256
    w("GetFunction", FunctionName=f"arn:aws:lambda:us-east-1:000000000000:function:{NAME}", Qualifier="$LATEST")
    w.refused("GetFunction", "ResourceNotFoundException", FunctionName="nobody")
    w.pages("ListFunctions", 3)
    everything = w("ListFunctions", FunctionVersion="ALL")["Functions"]
    assert any(f["FunctionArn"].endswith(":$LATEST") for f in everything), everything
    assert not w("ListEventSourceMappings", FunctionName=NAME)["EventSourceMappings"]
    w("GetFunctionCodeSigningConfig", FunctionName=NAME)


def changed(w, role, code):
    was = w("GetFunctionConfiguration", FunctionName=NAME)
    w.refused("UpdateFunctionConfiguration", "PreconditionFailedException", FunctionName=NAME, RevisionId="other")
    now = w("UpdateFunctionConfiguration", FunctionName=NAME, Role=role, RevisionId=was["RevisionId"],
            **{**SETTINGS, "Description": "changed", "Timeout": 10})
    for member, value in {
        "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"],
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        "FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-00000000000000000",
                               "LocalMountPath": "/mnt/a"}],
        "ImageConfig": {"Command": ["a"]}, "SnapStart": {"ApplyOn": "PublishedVersions"},
        "CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": "arn:aws:lambda:us-east-1:000000000000:capacity-provider:c"}},
        "DurableConfig": {"ExecutionTimeout": 60},
    }.items():
        w.refused("UpdateFunctionConfiguration", "InvalidParameterValueException", FunctionName=NAME, **{member: value})
    dry = w("UpdateFunctionCode", FunctionName=NAME, ZipFile=code, DryRun=True, Publish=False, Architectures=["arm64"],
            RevisionId=now["RevisionId"])
    assert dry["Architectures"] == ["arm64"], dry
    assert w("GetFunctionConfiguration", FunctionName=NAME)["Architectures"] == ["x86_64"]
    w.refused("UpdateFunctionCode", "InvalidParameterValueException", FunctionName=NAME, S3Bucket="bucket", S3Key="k",
              S3ObjectVersion="v")
    w.refused("UpdateFunctionCode", "InvalidParameterValueException", FunctionName=NAME, ImageUri="a/b:c")
    w.refused("UpdateFunctionCode", "InvalidParameterValueException", FunctionName=NAME, ZipFile=code,
              SourceKMSKeyArn="arn:aws:kms:us-east-1:000000000000:key/a")
    w.refused("UpdateFunctionCode", "InvalidParameterValueException", FunctionName=NAME, ZipFile=code,
              PublishTo="LATEST_PUBLISHED")


def versions(w, code):
    digest = base64.b64encode(hashlib.sha256(code).digest()).decode()
    w.refused("PublishVersion", "InvalidParameterValueException", FunctionName=NAME, PublishTo="LATEST_PUBLISHED")
    for n in range(3):
        latest = w("UpdateFunctionConfiguration", FunctionName=NAME, Timeout=20 + n)
        made = w("PublishVersion", FunctionName=NAME, CodeSha256=digest, Description=str(n), RevisionId=latest["RevisionId"])
        assert (made["Version"], made["Timeout"]) == (str(n + 1), 20 + n), made
    w.refused("PublishVersion", "PreconditionFailedException", FunctionName=NAME, RevisionId="other")
    w.pages("ListVersionsByFunction", 4, FunctionName=NAME)
    w("DeleteFunction", FunctionName=NAME, Qualifier="3")


def aliases(w):
    for name in ("live", "one", "two"):
        w("CreateAlias", FunctionName=NAME, Name=name, FunctionVersion="1", Description=name,
          RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    w.refused("CreateAlias", "ResourceConflictException", FunctionName=NAME, Name="live", FunctionVersion="1")
    w.refused("DeleteFunction", "ResourceConflictException", FunctionName=NAME, Qualifier="1")
    w.pages("ListAliases", 3, FunctionName=NAME)
    assert not w("ListAliases", FunctionName=NAME, FunctionVersion="2")["Aliases"]
    alias = w("GetAlias", FunctionName=NAME, Name="live")
    w("UpdateAlias", FunctionName=NAME, Name="live", FunctionVersion="2", Description="d", RevisionId=alias["RevisionId"],
      RoutingConfig={"AdditionalVersionWeights": {"1": 0.25}})
    w.refused("UpdateAlias", "PreconditionFailedException", FunctionName=NAME, Name="live", RevisionId=alias["RevisionId"])
    w("DeleteAlias", FunctionName=NAME, Name="two")
    w.refused("GetAlias", "ResourceNotFoundException", FunctionName=NAME, Name="two")


def permissions(w):
    w.refused("GetPolicy", "ResourceNotFoundException", FunctionName=NAME)
    w("AddPermission", FunctionName=NAME, Qualifier="live", StatementId="api", Action="lambda:InvokeFunction",
      Principal="apigateway.amazonaws.com", SourceAccount="000000000000",
      SourceArn="arn:aws:execute-api:us-east-1:000000000000:a/*")
    again = {"StatementId": "api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    w.refused("AddPermission", "ResourceConflictException", FunctionName=NAME, Qualifier="live", **again)
    policy = w("GetPolicy", FunctionName=NAME, Qualifier="live")
    assert json.loads(policy["Policy"])["Statement"][0]["Resource"].endswith(f":{NAME}:live"), policy
    w("AddPermission", FunctionName=NAME, Qualifier="live", StatementId="org", Action="lambda:InvokeFunction",
      Principal="*", PrincipalOrgID="o-1234567890", EventSourceToken="t", RevisionId=policy["RevisionId"])
    w("AddPermission", FunctionName=NAME, StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*",
      FunctionUrlAuthType="NONE", InvokedViaFunctionUrl=False)
    policy = w("GetPolicy", FunctionName=NAME, Qualifier="live")
    w("RemovePermission", FunctionName=NAME, Qualifier="live", StatementId="api", RevisionId=policy["RevisionId"])
    w.refused("RemovePermission", "ResourceNotFoundException", FunctionName=NAME, Qualifier="live", StatementId="api")


def beside(w):
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{NAME}"
    w("TagResource", Resource=arn, Tags={"c": "d"})
    w("UntagResource", Resource=arn, TagKeys=["a"])
    assert w("ListTags", Resource=arn)["Tags"] == {"c": "d"}
    w("PutFunctionConcurrency", FunctionName=NAME, ReservedConcurrentExecutions=5)
    assert w("GetFunctionConcurrency", FunctionName=NAME)["ReservedConcurrentExecutions"] == 5
    w.refused("PutFunctionConcurrency", "InvalidParameterValueException", FunctionName=NAME,
              ReservedConcurrentExecutions=1000)
    w("DeleteFunctionConcurrency", FunctionName=NAME)
    assert "ReservedConcurrentExecutions" not in w("GetFunctionConcurrency", FunctionName=NAME)
    for qualifier in ("$LATEST", "1", "live"):
        w("PutFunctionEventInvokeConfig", FunctionName=NAME, Qualifier=qualifier, MaximumRetryAttempts=1,
          MaximumEventAgeInSeconds=60)
    w("UpdateFunctionEventInvokeConfig", FunctionName=NAME, Qualifier="live", MaximumRetryAttempts=0,
      MaximumEventAgeInSeconds=70)
    to = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:q"}}
    for operation in ("PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig"):
        w.refused(operation, "InvalidParameterValueException", FunctionName=NAME, DestinationConfig=to)
    w.pages("ListFunctionEventInvokeConfigs", 3, FunctionName=NAME)
    w("GetFunctionEventInvokeConfig", FunctionName=NAME, Qualifier="live")
    w("DeleteFunctionEventInvokeConfig", FunctionName=NAME, Qualifier="live")
    w.refused("GetFunctionEventInvokeConfig", "ResourceNotFoundException", FunctionName=NAME, Qualifier="live")
    assert w("GetAccountSettings")["AccountUsage"]["FunctionCount"] >= 3


def called(w):
    """The shipped handlers, whose functions are deployed beside these."""
    from with_boto3 import connect_event

    context = base64.b64encode(b'{"custom":{"a":"b"}}').decode()
    payload = json.dumps(connect_event(None)).encode()
    shipped = {"FunctionName": "websocket-connect-dev", "Qualifier": "live", "Payload": payload}
    answer = w("Invoke", **shipped, InvocationType="RequestResponse", LogType="Tail", ClientContext=context)
    assert json.load(answer["Payload"])["statusCode"] == 400 and answer["ExecutedVersion"] == "1", answer
    assert b"REPORT" in base64.b64decode(answer["LogResult"]), answer
    assert w("Invoke", **shipped, InvocationType="Event")["StatusCode"] == 202
    assert w("Invoke", **shipped, InvocationType="DryRun")["StatusCode"] == 204
    w.refused("Invoke", "ResourceNotFoundException", FunctionName="nobody")
    for member in ("TenantId", "DurableExecutionName"):
        w.refused("Invoke", "InvalidParameterValueException", FunctionName="websocket-connect-dev", **{member: "a"})
    w.refused("Invoke", "InvalidRequestContentException", FunctionName="websocket-connect-dev", Payload=b"{")


def gone(w):
    for name in (NAME, "walked-b", "walked-c"):
        w("DeleteFunction", FunctionName=name)
    w.refused("DeleteFunction", "ResourceNotFoundException", FunctionName=NAME)
