// Runs a Node.js function as AWS's own runtime does: loads its handler, fetches events, hands in answers.
//
// In: Lambda's environment with the Runtime API's address. Out: answers and errors in Lambda's words, log lines on
// stdout, where a line break inside of a line is a carriage return. Never: a module that AWS would not have, whatever
// lies around on this machine.

import fs from "node:fs";
import http from "node:http";
import Module, { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { format } from "node:util";
import { isMainThread } from "node:worker_threads";

const env = process.env;
const ROOT = fs.realpathSync(env.LAMBDA_TASK_ROOT);
/** The runtime that the function asks for, whatever the version of this Node.js. */
const GENERATION = Number(/nodejs(\d+)/.exec(env.AWS_EXECUTION_ENV)?.[1] ?? 22);

// Modules: what is in the package, and what AWS's runtime has.

const PROVIDED = /^@(aws-sdk|aws-crypto|aws|smithy)\//;

const isBare = (request) => !/^(\.{0,2}\/|\.{1,2}$|#|[a-z]+:)/i.test(request);
const isOurs = (file) => file === ROOT || file.startsWith(ROOT + path.sep);

/** Found beside the stack file or anywhere else, and so not there on AWS. */
const isForeign = (request, from, found) =>
  isBare(request) && !PROVIDED.test(request) && isOurs(from) && path.isAbsolute(found) && !isOurs(found);

function explain(error, request) {
  const missing = error.code === "MODULE_NOT_FOUND" || error.code === "ERR_MODULE_NOT_FOUND";
  if (missing && PROVIDED.test(request) && !error.message.includes("npm install")) {
    const name = request.split("/", 2).join("/");
    error.message +=
      `\n${name} is part of AWS's runtime and not found on this machine: ` +
      `run \`npm install ${name}\` beside the stack file, or name its node_modules in NODE_PATH`;
  }
  return error;
}

const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, parent, ...rest) {
  const from = parent?.filename ?? "";
  let found;
  try {
    found = resolveFilename.call(this, request, parent, ...rest);
  } catch (error) {
    throw explain(error, request);
  }
  if (isForeign(request, from, found)) {
    const error = new Error(`Cannot find module '${request}'\nRequire stack:\n- ${from}`);
    throw Object.assign(error, { code: "MODULE_NOT_FOUND", requireStack: [from] });
  }
  return found;
};

/** Import as AWS patches it: NODE_PATH counts, too. */
function judged(request, from, resolved) {
  if (isForeign(request, from, resolved.url.startsWith("file:") ? fileURLToPath(resolved.url) : "")) {
    const error = new Error(`Cannot find package '${request}' imported from ${from}`);
    throw Object.assign(error, { code: "ERR_MODULE_NOT_FOUND" });
  }
  return resolved;
}

function elsewhere(request, from, error) {
  if (error.code === "ERR_MODULE_NOT_FOUND" && isBare(request) && env.NODE_PATH) {
    try {
      const url = pathToFileURL(createRequire(path.join(ROOT, "index.js")).resolve(request)).href;
      return judged(request, from, { url, shortCircuit: true });
    } catch {
      // The first error tells more.
    }
  }
  throw explain(error, request);
}

const importer = (context) => (context.parentURL?.startsWith("file:") ? fileURLToPath(context.parentURL) : "");

/** What `module.register` calls, in a thread of its own. */
export async function resolve(request, context, next) {
  const from = importer(context);
  const found = await next(request, context).catch((error) => elsewhere(request, from, error));
  return judged(request, from, found);
}

function resolveHere(request, context, next) {
  const from = importer(context);
  let found;
  try {
    found = next(request, context);
  } catch (error) {
    found = elsewhere(request, from, error);
  }
  return judged(request, from, found);
}

function guardImports() {
  if (Module.registerHooks) Module.registerHooks({ resolve: resolveHere });
  else Module.register?.(import.meta.url);
}

// The handler.

class RuntimeError extends Error {
  constructor(name, message) {
    super(message);
    this.name = `Runtime.${name}`;
  }
}

async function loadHandler(text) {
  if (text.includes("..")) {
    throw new RuntimeError(
      "MalformedHandlerName",
      `'${text}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const [, folder, name, exported] = /^(.*\/)?([^./]*)\.(.+)$/.exec(text) ?? [];
  if (!name) throw new RuntimeError("MalformedHandlerName", "Bad handler");
  const loaded = await loadModule(path.resolve(ROOT, folder ?? ""), name);
  const inside = (module) => exported.split(".").reduce((value, key) => value?.[key], module);
  const handler = inside(loaded) ?? inside(loaded?.default);
  if (!handler) throw new RuntimeError("HandlerNotFound", `${text} is undefined or not exported`);
  if (typeof handler !== "function") throw new RuntimeError("HandlerNotFound", `${text} is not a function`);
  if (GENERATION >= 24 && handler.length >= 3) {
    throw new RuntimeError(
      "CallbackHandlerDeprecated",
      "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.",
    );
  }
  return handler;
}

async function loadModule(folder, name) {
  const require = createRequire(path.join(folder, `${name}.js`));
  const base = path.join(folder, name);
  const isFile = (file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile();
  try {
    if (isFile(base)) return require(base);
    if (isFile(`${base}.js`)) return await (isEsm(folder) ? load(`${base}.js`) : require(`${base}.js`));
    if (isFile(`${base}.mjs`)) return await load(`${base}.mjs`);
    if (isFile(`${base}.cjs`)) return require(`${base}.cjs`);
    return require(fromPackages(require, name));
  } catch (error) {
    if (error instanceof SyntaxError) {
      const wrapped = new RuntimeError("UserCodeSyntaxError", String(error));
      wrapped.stack = error.stack;
      throw wrapped;
    }
    throw error?.code === "MODULE_NOT_FOUND" ? new RuntimeError("ImportModuleError", String(error)) : error;
  }
}

const load = (file) => import(pathToFileURL(file).href);

/** A handler may be a package's, too. */
function fromPackages(require, name) {
  try {
    return require.resolve(name);
  } catch {
    const message = `Cannot find module '${name}'\nRequire stack:\n- /var/runtime/index.mjs`;
    throw Object.assign(new Error(message), { code: "MODULE_NOT_FOUND" });
  }
}

/** Whether the nearest package.json makes `.js` an ES module. */
function isEsm(folder) {
  for (let at = folder; isOurs(at); at = path.dirname(at)) {
    const file = path.join(at, "package.json");
    if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, "utf8")).type === "module";
    if (path.basename(at) === "node_modules") return false;
  }
  return false;
}

// Lines in the log.

const RANKS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const METHODS = { trace: "TRACE", debug: "DEBUG", log: "INFO", info: "INFO", warn: "WARN", error: "ERROR", fatal: "FATAL" };
const IS_JSON = env.AWS_LAMBDA_LOG_FORMAT === "JSON";
const LEAST = IS_JSON ? Math.max(0, RANKS.indexOf(env.AWS_LAMBDA_LOG_LEVEL ?? "INFO")) : 0;
let requestId;

function patchConsole() {
  for (const [method, level] of Object.entries(METHODS)) console[method] = (...args) => write(level, args);
}

function write(level, args) {
  if (RANKS.indexOf(level) < LEAST) return;
  const time = new Date().toISOString();
  const line = IS_JSON
    ? asJson({ timestamp: time, level, requestId }, args)
    : `${time}\t${requestId}\t${level}\t${format(...args)}`;
  process.stdout.write(`${line.replaceAll("\n", "\r")}\n`);
}

function asJson(record, args) {
  if (args.length === 1) {
    try {
      return JSON.stringify({ ...record, message: args[0] }, (_, value) =>
        value instanceof Error ? { ...described(value), ...value } : value,
      );
    } catch {
      return JSON.stringify({ ...record, message: format(args[0]) });
    }
  }
  const error = args.slice(1).find((arg) => arg instanceof Error);
  return JSON.stringify({ ...record, message: format(...args), ...(error && described(error)) });
}

const described = (error) => ({
  errorType: error.constructor?.name ?? "UnknownError",
  errorMessage: error.message,
  stackTrace: lines(error.stack),
});

const lines = (stack) => (typeof stack === "string" ? stack.split("\n") : []);

function logError(what, thrown) {
  const error = thrown instanceof Error ? thrown : new Error(thrown);
  if (IS_JSON) return console.error(what, error);
  const whole = (_, value) =>
    value instanceof Error
      ? { errorType: value.name, errorMessage: value.message, code: value.code, ...value, stack: lines(value.stack) }
      : value;
  let text;
  try {
    text = JSON.stringify(error, whole);
  } catch {
    text = JSON.stringify(answerOf(error));
  }
  console.error(what, `\t${text}`);
}

/** An error as the caller gets it. */
function answerOf(error) {
  if (error instanceof Error) {
    return { errorType: error.name, errorMessage: error.message, trace: lines(error.stack) };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

// The Runtime API.

const [HOST, PORT] = (env.AWS_LAMBDA_RUNTIME_API ?? "").split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

/** One request; when nobody listens any more there is nothing left to do. */
function call(method, where, body, headers = {}) {
  return new Promise((resolve) => {
    const options = { host: HOST, port: PORT, agent, method, path: `/2018-06-01/runtime${where}`, headers };
    const gone = () => process.exit(1);
    const request = http.request(options, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", gone);
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    });
    request.on("error", gone);
    request.end(body);
  });
}

const report = (where, error) => {
  const answer = answerOf(error);
  const headers = { "Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": safe(answer.errorType) };
  return call("POST", where, JSON.stringify(answer), headers);
};

/** What may stand in a header. */
const safe = (text) => String(text).replace(/[^\x20-\x7e]/g, "?");

async function next() {
  const { status, headers, body } = await call("GET", "/invocation/next");
  if (status !== 200) process.exit(0);
  return { headers, event: JSON.parse(body.toString()) };
}

// Calls.

/** Called when nothing is left to do; Node.js would end then. */
let onEmpty = () => {};
/** Where an error that nobody catches goes. */
let onCrash = async (error) => void (await report("/init/error", error));

function listen() {
  process.on("beforeExit", () => onEmpty());
  process.on("uncaughtException", (error) => crash("Uncaught Exception", error, 129));
  process.on("unhandledRejection", (reason, promise) => {
    const error = new RuntimeError("UnhandledPromiseRejection", String(reason));
    crash("Unhandled Promise Rejection", Object.assign(error, { reason, promise }), 128);
  });
}

async function crash(what, error, code) {
  onEmpty = () => {};
  logError(what, error);
  await onCrash(error);
  process.exit(code);
}

function contextOf(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const parsed = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
  return {
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed("lambda-runtime-client-context"),
    identity: parsed("lambda-runtime-cognito-identity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: requestId,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

/** From Node.js 24 on a handler returns its answer, at once or by a promise. */
async function returned(handler, event, context) {
  try {
    return { result: await handler(event, context) };
  } catch (error) {
    return { error, failed: true };
  }
}

/** Until Node.js 22 a promise answers, or a callback, or an event loop that has run empty. */
function called(handler, event, context) {
  return new Promise((settle) => {
    let waits = true;
    const fail = (error, lingers) => settle({ error, failed: true, lingers });
    const answer = (error, result, lingers) =>
      error === undefined || error === null ? settle({ result, lingers }) : fail(error, lingers);
    Object.defineProperty(context, "callbackWaitsForEmptyEventLoop", {
      get: () => waits,
      set: (value) => (waits = value),
      enumerable: true,
    });
    context.done = (error, result) => answer(error, result);
    context.succeed = (result) => answer(null, result);
    context.fail = (error) => fail(error ?? "handled");
    onEmpty = () => settle({ result: null });
    try {
      const result = handler(event, context, (error, value) => answer(error, value, waits));
      if (typeof result?.then === "function") result.then(context.succeed, context.fail);
    } catch (error) {
      fail(error);
    }
  });
}

function serialized(result) {
  try {
    return { body: JSON.stringify(result === undefined ? null : result) ?? "null" };
  } catch {
    const message = "Unable to stringify response body";
    const error = GENERATION >= 24 ? new RuntimeError("JSONStringifyError", message) : new Error(message);
    return { failed: true, error };
  }
}

async function once(handler) {
  const { headers, event } = await next();
  requestId = headers["lambda-runtime-aws-request-id"];
  env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"];
  const where = `/invocation/${requestId}`;
  onCrash = (error) => report(`${where}/error`, error);
  let outcome = await (GENERATION >= 24 ? returned : called)(handler, event, contextOf(headers));
  onEmpty = () => {};
  if (!outcome.failed) outcome = { ...outcome, ...serialized(outcome.result) };
  if (outcome.failed) {
    logError("Invoke Error", outcome.error);
    await report(`${where}/error`, outcome.error);
  } else {
    await call("POST", `${where}/response`, outcome.body, { "Content-Type": "application/json" });
    // The caller has its answer; the next event waits until this one's timers and sockets are done.
    if (outcome.lingers) await new Promise((resolve) => (onEmpty = resolve));
  }
}

async function main() {
  listen();
  guardImports();
  patchConsole();
  let handler;
  try {
    handler = await loadHandler(env._HANDLER ?? "");
  } catch (error) {
    await crash("Uncaught Exception", error, 129);
  }
  for (;;) await once(handler);
}

if (isMainThread) main();
