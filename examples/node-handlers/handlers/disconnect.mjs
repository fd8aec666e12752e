// $disconnect: forgets it.

import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({}));

export const handler = async (event) => {
  const { connectionId } = event.requestContext;
  await dynamo.send(new DeleteCommand({ TableName: process.env.CONNECTIONS_TABLE, Key: { connectionId } }));
  return { statusCode: 200 };
};
