// sendMessage: stores a message, and posts it to each connection of its recipient, one after the other.

import { randomUUID } from "node:crypto";
import { ApiGatewayManagementApiClient, PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, DynamoDBDocumentClient, PutCommand, QueryCommand } from "@aws-sdk/lib-dynamodb";

const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const { CONNECTIONS_TABLE, MESSAGES_TABLE } = process.env;

const connectionsOf = async (userId) => {
  const found = await dynamo.send(
    new QueryCommand({
      TableName: CONNECTIONS_TABLE,
      IndexName: "userId-index",
      KeyConditionExpression: "userId = :userId",
      ExpressionAttributeValues: { ":userId": userId },
    }),
  );
  return found.Items.map((item) => item.connectionId);
};

export const handler = async (event) => {
  const { connectionId, domainName, stage } = event.requestContext;
  const management = new ApiGatewayManagementApiClient({ endpoint: `https://${domainName}/${stage}` });
  const { action, ...sent } = JSON.parse(event.body);
  const message = { messageId: randomUUID(), timestamp: new Date().toISOString(), ...sent };

  const post = async (id, frame) => {
    try {
      await management.send(new PostToConnectionCommand({ ConnectionId: id, Data: JSON.stringify(frame) }));
      return true;
    } catch (error) {
      if (error.name !== "GoneException") throw error;
      await dynamo.send(new DeleteCommand({ TableName: CONNECTIONS_TABLE, Key: { connectionId: id } }));
      return false;
    }
  };

  await dynamo.send(new PutCommand({ TableName: MESSAGES_TABLE, Item: { ...message, status: "sent" } }));
  let delivered = 0;
  for (const id of await connectionsOf(message.recipientId)) {
    if (await post(id, { type: "message", data: message })) delivered += 1;
  }
  const status = delivered ? "delivered" : "sent";
  await post(connectionId, { type: "messageStatus", data: { messageId: message.messageId, status } });
  return { statusCode: 200 };
};
