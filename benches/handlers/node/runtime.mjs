// Lambda's Runtime API, as little of it as a handler needs: less than the managed runtime does, so a lower bound of Node.js.
import http from "node:http"

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":")
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime/${path}`, agent }, (answer) => {
      const parts = []
      answer.on("data", (part) => parts.push(part))
      answer.on("end", () => resolve({ headers: answer.headers, text: Buffer.concat(parts).toString() }))
      answer.on("error", reject)
    })
    request.on("error", reject)
    request.end(body)
  })
}

export async function serve(handler) {
  for (;;) {
    const { headers, text } = await ask("GET", "invocation/next")
    const id = headers["lambda-runtime-aws-request-id"]
    const left = Number(headers["lambda-runtime-deadline-ms"]) - Date.now()
    try {
      const answer = await handler(JSON.parse(text), left)
      await ask("POST", `invocation/${id}/response`, JSON.stringify(answer))
    } catch (error) {
      const body = JSON.stringify({ errorMessage: String(error), errorType: error.name, stackTrace: [] })
      await ask("POST", `invocation/${id}/error`, body)
    }
  }
}
