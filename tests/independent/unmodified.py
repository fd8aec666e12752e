"""Handlers that know nothing of the local cloud: they post to the URLs that AWS's documentation has them build.

Each is a function of the local cloud that posts with its own SDK to an `https://` endpoint given in code, which no
variable of an SDK can change.
"""

import asyncio
import io
import json
import shutil
import sys
import zipfile

import foreign
import lab
from lab import check

NAME = "unmodified"
STAGE = "production"

# What both functions do with an event: the endpoint that the message asks for, the connection, and what to say.
PYTHON = """#!{python}
import json, os, sys, urllib.request
sys.path[:0] = {path}
import boto3

BASE = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"


def handler(event):
    at = event["requestContext"]
    if at["routeKey"] == "$connect":
        return {{"statusCode": 200}}
    host = {{
        "domainName": at["domainName"],
        "apiId": f"{{at['apiId']}}.execute-api.{{os.environ['AWS_REGION']}}.amazonaws.com",
    }}[json.loads(event["body"])["host"]]
    client = boto3.client("apigatewaymanagementapi", endpoint_url=f"https://{{host}}/{{at['stage']}}")
    client.post_to_connection(ConnectionId=at["connectionId"], Data=event["body"].encode())
    return {{"statusCode": 200}}


while True:
    with urllib.request.urlopen(BASE + "next") as asked:
        request, event = asked.headers["Lambda-Runtime-Aws-Request-Id"], json.load(asked)
    try:
        end, answer = "response", handler(event)
    except Exception as error:
        end, answer = "error", {{"errorType": type(error).__name__, "errorMessage": str(error)}}
        print(error, flush=True)
    urllib.request.urlopen(BASE + request + "/" + end, json.dumps(answer).encode()).close()
"""

NODE = """#!{node}
const {{ ApiGatewayManagementApiClient, PostToConnectionCommand }} = require({package});

const base = `http://${{process.env.AWS_LAMBDA_RUNTIME_API}}/2018-06-01/runtime/invocation/`;

async function handler(event) {{
  const at = event.requestContext;
  if (at.routeKey === "$connect") return {{ statusCode: 200 }};
  const host = {{
    domainName: at.domainName,
    apiId: `${{at.apiId}}.execute-api.${{process.env.AWS_REGION}}.amazonaws.com`,
  }}[JSON.parse(event.body).host];
  const client = new ApiGatewayManagementApiClient({{ endpoint: `https://${{host}}/${{at.stage}}` }});
  await client.send(new PostToConnectionCommand({{ ConnectionId: at.connectionId, Data: event.body }}));
  return {{ statusCode: 200 }};
}}

async function main() {{
  for (;;) {{
    const asked = await fetch(base + "next");
    const [request, event] = [asked.headers.get("lambda-runtime-aws-request-id"), await asked.json()];
    const [end, answer] = await handler(event).then(
      (answer) => ["response", answer],
      (error) => ["error", {{ errorType: error.name, errorMessage: error.message }}],
    );
    if (end === "error") console.log(answer);
    await fetch(base + request + "/" + end, {{ method: "POST", body: JSON.stringify(answer) }});
  }}
}}
main();
"""


def bootstraps(modules):
    """The program of each function, by its language."""
    package = str(modules / "node_modules/@aws-sdk/client-apigatewaymanagementapi")
    site = [path for path in sys.path if "site-packages" in path]
    return {
        "python": PYTHON.format(python=sys.executable, path=site),
        "node": NODE.format(node=shutil.which("node"), package=json.dumps(package)),
    }


def zipped(text):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o755 << 16
        archive.writestr(info, text)
    return data.getvalue()


def deployed(endpoint, language, program):
    """An API whose one function is this program; gives the id of the API, and removes both afterwards."""
    name = f"{NAME}-{language}"
    iam, functions = lab.client("iam", endpoint), lab.client("lambda", endpoint)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=foreign.TRUST)["Role"]["Arn"]
    allowed = [{"Effect": "Allow", "Action": "execute-api:ManageConnections", "Resource": "*"}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    iam.put_role_policy(RoleName=name, PolicyName="post", PolicyDocument=policy)
    arn = functions.create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role, Timeout=30,
        Code={"ZipFile": zipped(program)})["FunctionArn"]
    functions.add_permission(FunctionName=name, StatementId="gateway", Action="lambda:InvokeFunction",
                             Principal="apigateway.amazonaws.com")
    gateway = lab.client("apigatewayv2", endpoint)
    api = gateway.create_api(Name=name, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")[
        "ApiId"]
    uri = f"arn:aws:apigateway:{lab.REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
    target = gateway.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationMethod="POST",
                                        IntegrationUri=uri)["IntegrationId"]
    for key in ("$connect", "$default"):
        gateway.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{target}")
    gateway.create_stage(ApiId=api, StageName=STAGE)
    gateway.create_deployment(ApiId=api, StageName=STAGE)

    def remove():
        gateway.delete_api(ApiId=api)
        functions.delete_function(FunctionName=name)
        iam.delete_role_policy(RoleName=name, PolicyName="post")
        iam.delete_role(RoleName=name)

    return api, remove


async def talk(url, language):
    import websockets

    async with websockets.connect(url) as socket:
        for host in ("domainName", "apiId"):
            said = json.dumps({"host": host, "from": language})
            await socket.send(said)
            heard = json.loads(await asyncio.wait_for(socket.recv(), 60))
            check(heard == json.loads(said), f"{language}, https://{{{host}}}: {heard}")


def everything(endpoint, modules):
    for language, program in bootstraps(modules).items():
        api, remove = deployed(endpoint, language, program)
        base = endpoint.replace("http", "ws", 1)
        asyncio.run(talk(f"{base}/_aws/execute-api/{api}/{STAGE}", language))
        remove()
