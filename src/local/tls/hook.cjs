// Loaded before a function's own code. Connections to the hosts of AWS that the local cloud serves are turned round
// to it; their names, and so the certificates that are asked for, stay as they are. Nothing else is changed.
"use strict";

const { syncBuiltinESMExports } = require("node:module");
const tls = require("node:tls");

const hosts = /^(iam|sts|(@SERVICES@|[^.]+\.execute-api)\.[^.]+)\.amazonaws\.com$/i;
const connect = tls.connect;

tls.connect = function (...given) {
  const at = given.findIndex((one) => one !== null && typeof one === "object");
  const options = at < 0 ? {} : given[at];
  // As `connect(options)` or as `connect(port, host, options)`.
  const named = at !== 0 && typeof given[1] === "string" ? given[1] : options.host;
  // A socket that exists already leads to where its maker wanted.
  if (options.socket || !hosts.test(named ?? "")) {
    return connect.apply(this, given);
  }
  const turned = { ...options, servername: options.servername || named, host: "127.0.0.1", port: @PORT@ };
  const done = given.find((one) => typeof one === "function");
  return connect.call(this, turned, done);
};

// For code that says `import { connect } from "node:tls"`.
syncBuiltinESMExports();
