// client.mjs ENDPOINT ZIP: the AWS SDK for JavaScript against the local cloud, as a web developer would use it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import * as Management from "@aws-sdk/client-apigatewaymanagementapi";
import * as Api from "@aws-sdk/client-apigatewayv2";
import * as Logs from "@aws-sdk/client-cloudwatch-logs";
import * as Db from "@aws-sdk/client-dynamodb";
import * as Iam from "@aws-sdk/client-iam";
import * as Lambda from "@aws-sdk/client-lambda";
import * as Sts from "@aws-sdk/client-sts";
import WebSocket from "ws";

const [endpoint, zip] = process.argv.slice(2);
const config = {
  endpoint,
  region: "us-east-1",
  maxAttempts: 1,
  credentials: { accessKeyId: "testing", secretAccessKey: "testing" },
};
const name = "from-js";

const refused = (promise, code) => assert.rejects(promise, (error) => error.name === code);

async function identity() {
  const sts = new Sts.STS(config);
  assert.equal((await sts.getCallerIdentity({})).Account, "000000000000");
}

async function role() {
  const iam = new Iam.IAM(config);
  const Service = "lambda.amazonaws.com";
  const Statement = [{ Effect: "Allow", Principal: { Service }, Action: "sts:AssumeRole" }];
  const AssumeRolePolicyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
  const made = await iam.createRole({ RoleName: name, AssumeRolePolicyDocument });
  await refused(iam.createRole({ RoleName: name, AssumeRolePolicyDocument }), "EntityAlreadyExistsException");
  const names = [];
  for await (const page of Iam.paginateListRoles({ client: iam, pageSize: 1 }, {})) {
    names.push(...page.Roles.map((one) => one.RoleName));
  }
  assert.ok(names.includes(name), `roles: ${names}`);
  return [made.Role.Arn, () => iam.deleteRole({ RoleName: name })];
}

async function table() {
  const db = new Db.DynamoDB(config);
  const TableName = name;
  await db.createTable({
    TableName,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
  });
  await Db.waitUntilTableExists({ client: db, minDelay: 1, maxWaitTime: 30 }, { TableName });
  for (let n = 0; n < 5; n += 1) {
    await db.putItem({ TableName, Item: { id: { S: `${n}` }, bytes: { B: new Uint8Array([n]) } } });
  }
  const pages = [];
  for await (const page of Db.paginateScan({ client: db, pageSize: 2 }, { TableName })) {
    pages.push(page.Items.length);
  }
  assert.deepEqual(pages.slice(0, 3), [2, 2, 1]);
  const read = await db.getItem({ TableName, Key: { id: { S: "3" } } });
  assert.deepEqual(read.Item.bytes.B, new Uint8Array([3]));
  await refused(
    db.putItem({ TableName, Item: { id: { S: "3" } }, ConditionExpression: "attribute_not_exists(id)" }),
    "ConditionalCheckFailedException",
  );
  await db.deleteTable({ TableName });
  await Db.waitUntilTableNotExists({ client: db, minDelay: 1, maxWaitTime: 30 }, { TableName });
}

async function logs() {
  const client = new Logs.CloudWatchLogs(config);
  const logGroupName = name;
  const logStreamName = "stream";
  await client.createLogGroup({ logGroupName });
  await client.createLogStream({ logGroupName, logStreamName });
  const logEvents = [{ timestamp: Date.now(), message: "from JavaScript" }];
  await client.putLogEvents({ logGroupName, logStreamName, logEvents });
  const read = await client.getLogEvents({ logGroupName, logStreamName, startFromHead: true });
  assert.deepEqual(read.events.map((event) => event.message), ["from JavaScript"]);
  await client.deleteLogGroup({ logGroupName });
}

async function lambda(Role) {
  const client = new Lambda.Lambda(config);
  const FunctionName = name;
  await client.createFunction({
    FunctionName,
    Role,
    Runtime: "provided.al2023",
    Handler: "disconnect",
    Code: { ZipFile: await readFile(zip) },
    Environment: { Variables: { CONNECTIONS_TABLE: "Connections-dev" } },
  });
  await Lambda.waitUntilFunctionActiveV2({ client, minDelay: 1, maxWaitTime: 30 }, { FunctionName });
  const requestContext = {
    routeKey: "$disconnect", eventType: "DISCONNECT", connectionId: "nobody=", requestId: "r",
    stage: "production", domainName: "localhost", apiId: "none", connectedAt: 1,
  };
  const answer = await client.invoke({ FunctionName, Payload: JSON.stringify({ requestContext }) });
  assert.equal(answer.FunctionError, undefined);
  assert.equal(JSON.parse(Buffer.from(answer.Payload)).statusCode, 200);
  await client.deleteFunction({ FunctionName });
  await refused(client.getFunction({ FunctionName }), "ResourceNotFoundException");
}

async function api() {
  const client = new Api.ApiGatewayV2(config);
  const select = "$request.body.action";
  const { ApiId } = await client.createApi({ Name: name, ProtocolType: "WEBSOCKET", RouteSelectionExpression: select });
  await client.createRoute({ ApiId, RouteKey: "one" });
  await refused(client.createRoute({ ApiId, RouteKey: "one" }), "ConflictException");
  const { DeploymentId } = await client.createDeployment({ ApiId });
  await client.createStage({ ApiId, StageName: "s", DeploymentId });
  await client.updateStage({ ApiId, StageName: "s", Description: "changed" });
  assert.equal((await client.getStage({ ApiId, StageName: "s" })).Description, "changed");
  await client.deleteApi({ ApiId });
  await refused(client.getApi({ ApiId }), "NotFoundException");
}

const opened = (socket) => new Promise((done, failed) => socket.once("open", done).once("error", failed));
const closed = (socket) => new Promise((done) => socket.once("close", done));

/** Frames wait in a list until somebody asks for the next one. */
function frames(socket) {
  const [waiting, wanted] = [[], []];
  socket.on("message", (data) => {
    const frame = JSON.parse(data);
    wanted.length ? wanted.shift()(frame) : waiting.push(frame);
  });
  return () => new Promise((done) => (waiting.length ? done(waiting.shift()) : wanted.push(done)));
}

async function chat() {
  const url = `${endpoint.replace("http", "ws")}/production`;
  const [john, jane] = ["john", "jane"].map((user) => new WebSocket(`${url}?userId=${user}`));
  const [ofJohn, ofJane] = [frames(john), frames(jane)];
  await Promise.all([opened(john), opened(jane)]);
  john.send(JSON.stringify({ action: "sendMessage", recipientId: "jane", content: "hi" }));
  assert.equal((await ofJane()).data.content, "hi");
  assert.equal((await ofJohn()).data.status, "delivered");

  const db = new Db.DynamoDB(config);
  const { Items } = await db.scan({ TableName: "Connections-dev" });
  const ConnectionId = Items.find((row) => row.userId.S === "jane").connectionId.S;
  const management = new Management.ApiGatewayManagementApi({ ...config, endpoint: `${endpoint}/production` });
  await management.postToConnection({ ConnectionId, Data: JSON.stringify({ from: "JavaScript" }) });
  assert.deepEqual(await ofJane(), { from: "JavaScript" });
  const bye = [closed(john), closed(jane)];
  john.close();
  await management.deleteConnection({ ConnectionId });
  await Promise.all(bye);
  await refused(management.postToConnection({ ConnectionId, Data: "late" }), "GoneException");
}

await identity();
const [arn, removeRole] = await role();
await table();
await logs();
await lambda(arn);
await api();
await removeRole();
await chat();
