import { PutItemCommand } from "@aws-sdk/client-dynamodb"
import { connections, dynamodb } from "./clients.mjs"

const DAY = 24 * 60 * 60

export async function connect(event) {
  const { connectionId, connectedAt, routeKey, requestId } = event.requestContext
  const { userId, groupId } = event.queryStringParameters ?? {}
  if (!userId || userId.length > 2048) return { statusCode: 400, body: "userId is missing" }
  const Item = {
    connectionId: { S: connectionId },
    userId: { S: userId },
    connectedAt: { N: String(connectedAt) },
    ttl: { N: String(Math.floor(connectedAt / 1000) + DAY) },
  }
  if (groupId) Item.groupId = { S: groupId }
  await dynamodb.send(new PutItemCommand({ TableName: connections, Item }))
  console.log(JSON.stringify({ level: "info", route: routeKey, connectionId, requestId, userId, outcome: "connected" }))
  return { statusCode: 200 }
}
