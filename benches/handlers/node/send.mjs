// Store first, then deliver, then report: what the shipped `send` does, with the SDK as it comes.
import { randomUUID } from "node:crypto"
import { DeleteItemCommand, GetItemCommand, PutItemCommand, QueryCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb"
import { PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi"
import { AT_ONCE, connections, dynamodb, messages, sockets } from "./clients.mjs"

const INDEX = {
  userId: process.env.CONNECTIONS_INDEX_BY_USER_ID,
  groupId: process.env.CONNECTIONS_INDEX_BY_GROUP_ID,
}

export async function send(event, left) {
  const context = event.requestContext
  const client = sockets(context)
  const message = JSON.parse(event.body)
  const row = await dynamodb.send(
    new GetItemCommand({ TableName: connections, Key: { connectionId: { S: context.connectionId } }, ConsistentRead: true }),
  )
  const sender = row.Item?.userId.S
  if (!sender) return { statusCode: 200 }
  const content = message.content ?? message.message
  const data = { ...message, messageId: message.messageId ?? randomUUID(), senderId: sender, content, message: content }
  delete data.action
  await store({ ...data, timestamp: Date.now(), status: "sent", claimedUntil: Date.now() + left })

  const [attribute, value] = data.groupId ? ["groupId", data.groupId] : ["userId", data.recipientId]
  const [targets, own] = await Promise.all([find(attribute, value), find("userId", sender)])
  const frame = JSON.stringify({ type: "message", data: { ...data, status: "delivered" } })
  const delivered = await broadcast(client, targets, frame)
  if (delivered) await mark(data.messageId, delivered)
  const status = { messageId: data.messageId, status: delivered ? "delivered" : "sent", recipients: delivered }
  await broadcast(client, own, JSON.stringify({ type: "messageStatus", data: status }))
  const { connectionId, routeKey: route, requestId } = context
  const line = { level: "info", route, connectionId, requestId, userId: sender, messageId: data.messageId, recipients: delivered }
  console.log(JSON.stringify(line))
  return { statusCode: 200 }
}

async function store(data) {
  const Item = {}
  for (const [name, value] of Object.entries(data)) {
    if (value !== undefined) Item[name] = typeof value === "number" ? { N: String(value) } : { S: String(value) }
  }
  const ConditionExpression = "attribute_not_exists(messageId)"
  await dynamodb.send(new PutItemCommand({ TableName: messages, Item, ConditionExpression }))
}

/** The message counts as delivered from now on. */
async function mark(messageId, recipients) {
  await dynamodb.send(
    new UpdateItemCommand({
      TableName: messages,
      Key: { messageId: { S: messageId } },
      UpdateExpression: "SET #status = :delivered, #deliveredTo = :recipients",
      ConditionExpression: "#status = :sent",
      ExpressionAttributeNames: { "#status": "status", "#deliveredTo": "deliveredTo" },
      ExpressionAttributeValues: { ":delivered": { S: "delivered" }, ":sent": { S: "sent" }, ":recipients": { N: String(recipients) } },
    }),
  )
}

/** The live connections that an index has for a value, page by page. */
async function find(attribute, value) {
  const now = Date.now() / 1000
  const found = []
  let ExclusiveStartKey
  do {
    const page = await dynamodb.send(
      new QueryCommand({
        TableName: connections,
        IndexName: INDEX[attribute],
        KeyConditionExpression: "#key = :key",
        ExpressionAttributeNames: { "#key": attribute },
        ExpressionAttributeValues: { ":key": { S: value } },
        ExclusiveStartKey,
      }),
    )
    for (const row of page.Items) if (Number(row.ttl.N) > now) found.push(row.connectionId.S)
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey)
  return found
}

/** Posts to so many at once; prunes the row of a connection that is gone. */
async function broadcast(client, targets, frame) {
  const Data = Buffer.from(frame)
  let next = 0
  let delivered = 0
  async function worker() {
    while (next < targets.length) {
      const ConnectionId = targets[next++]
      try {
        await client.send(new PostToConnectionCommand({ ConnectionId, Data }))
        delivered++
      } catch (error) {
        if (error.name !== "GoneException") console.error(JSON.stringify({ level: "error", error: String(error) }))
        else await dynamodb.send(new DeleteItemCommand({ TableName: connections, Key: { connectionId: { S: ConnectionId } } }))
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, targets.length) }, worker))
  return delivered
}
