"""The handlers of a chat as a script deploys them: one file for three functions, boto3, tables by variables."""

import json
import os
import time

import boto3

ROUTE = "{route}"
tables = boto3.resource("dynamodb", endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))
connections = tables.Table(os.environ["CONNECTIONS_TABLE"])
messages = tables.Table(os.environ["MESSAGES_TABLE"])


def management(at):
    base = os.environ.get("AWS_ENDPOINT_URL")
    url = f"{base}/_aws/execute-api/{at['apiId']}/{at['stage']}" if base else f"https://{at['domainName']}/{at['stage']}"
    return boto3.client("apigatewaymanagementapi", endpoint_url=url)


def handler(event, _):
    at = event["requestContext"]
    key = {"connectionId": at["connectionId"]}
    if ROUTE == "connect":
        user = (event.get("queryStringParameters") or {}).get("userId", "nobody")
        connections.put_item(Item={**key, "userId": user, "ttl": int(time.time()) + 86400})
    elif ROUTE == "disconnect":
        connections.delete_item(Key=key)
    else:
        body = json.loads(event["body"])
        messages.put_item(Item={"channelId": body["to"], "messageId": at["requestId"], "content": body["content"]})
        found = connections.query(IndexName="userId-index", KeyConditionExpression="userId = :u",
                                  ExpressionAttributeValues={":u": body["to"]})
        for item in found["Items"]:
            management(at).post_to_connection(ConnectionId=item["connectionId"], Data=body["content"].encode())
    return {"statusCode": 200}
