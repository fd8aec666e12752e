// The SDK's clients, made once, with one pool of connections each, as its documentation advises.
import https from "node:https"
import http from "node:http"
import { DynamoDBClient } from "@aws-sdk/client-dynamodb"
import { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi"

export const AT_ONCE = 64

const pools = {
  httpAgent: new http.Agent({ keepAlive: true, maxSockets: AT_ONCE }),
  httpsAgent: new https.Agent({ keepAlive: true, maxSockets: AT_ONCE }),
}

export const dynamodb = new DynamoDBClient({ requestHandler: pools })

let management
export function sockets({ domainName, stage }) {
  const endpoint = process.env.MANAGEMENT_ENDPOINT || `https://${domainName}/${stage}`
  management ??= new ApiGatewayManagementApiClient({ endpoint, requestHandler: pools })
  return management
}

export const connections = process.env.CONNECTIONS_TABLE
export const messages = process.env.MESSAGES_TABLE
