// $connect: remembers who is connected.

import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, PutCommand } from "@aws-sdk/lib-dynamodb";

const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({}));

export const handler = async (event) => {
  const { connectionId, connectedAt } = event.requestContext;
  const userId = event.queryStringParameters?.userId;
  if (!userId) return { statusCode: 400, body: "userId is required" };

  await dynamo.send(
    new PutCommand({
      TableName: process.env.CONNECTIONS_TABLE,
      Item: { connectionId, userId, connectedAt, ttl: Math.floor(connectedAt / 1000) + 24 * 60 * 60 },
    }),
  );
  console.log("connected", connectionId);
  return { statusCode: 200 };
};
