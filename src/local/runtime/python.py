"""Runs a Python function as AWS's own runtime does: loads its handler, fetches events, hands in answers.

In: Lambda's environment with the Runtime API's address. Out: answers and errors in Lambda's words, log lines on
stdout, where a line break inside of a line is a carriage return. Never: a module that AWS would not have, whatever
this machine's Python has installed.
"""

import decimal
import http.client
import importlib
import importlib.machinery
import json
import logging
import os
import re
import sys
import time
import traceback

ROOT = os.environ["LAMBDA_TASK_ROOT"]
IS_JSON = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
RUNTIME = os.environ.get("AWS_EXECUTION_ENV", "")

# What AWS's runtime has besides the standard library.
PROVIDED = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3", "simplejson"}
PIP = {"dateutil": "python-dateutil"}

request_id = None


class Fault(Exception):
    """A failure that has a name of Lambda's own."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = "Runtime." + kind
        self.message = message
        self.trace = trace or []


# Modules: what is in the package, and what AWS's runtime has.


class Provided:
    """Finds AWS's own among this machine's installed packages, and nothing else."""

    def __init__(self, folders):
        self.folders = folders

    def find_spec(self, name, path=None, target=None):
        if path is not None or name not in PROVIDED:
            return None
        return importlib.machinery.PathFinder.find_spec(name, self.folders, target)


def guard_imports():
    installed = [p for p in sys.path if os.path.basename(p) in ("site-packages", "dist-packages")]
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [ROOT] + [p for p in sys.path if p not in installed and p not in (here, ROOT)]
    standard = ("BuiltinImporter", "FrozenImporter", "PathFinder", "WindowsRegistryFinder")
    sys.meta_path[:] = [f for f in sys.meta_path if getattr(f, "__name__", "") in standard]
    sys.meta_path.append(Provided(installed))
    # The package's folder cannot be written to on AWS.
    sys.dont_write_bytecode = True


def unable(module, error):
    text = "Unable to import module '{}': {}".format(module, error)
    name = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and name in PROVIDED:
        text += "; it is part of AWS's runtime and not installed for this machine's {}: run `{} -m pip install {}`".format(
            "Python %d.%d" % sys.version_info[:2], sys.executable, PIP.get(name, name)
        )
    return text


def load_handler(text):
    try:
        module, function = text.rsplit(".", 1)
    except ValueError as error:
        raise Fault("MalformedHandlerName", "Bad handler '{}': {}".format(text, error)) from None
    if module.split(".")[0] in sys.builtin_module_names:
        raise Fault("BuiltInModuleConflict", "Cannot use built-in module {} as a handler module".format(module))
    try:
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise Fault("ImportModuleError", unable(module, error)) from None
    except SyntaxError as error:
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
        raise Fault("UserCodeSyntaxError", "Syntax error in module '{}': {}".format(module, error), trace) from None
    try:
        return getattr(loaded, function)
    except AttributeError:
        raise Fault("HandlerNotFound", "Handler '{}' missing on module '{}'".format(function, module)) from None


# Lines in the log.


def say(line):
    sys.stdout.write(line.rstrip("\n").replace("\n", "\r") + "\n")
    sys.stdout.flush()


class Handler(logging.Handler):
    def emit(self, record):
        record.aws_request_id = request_id or ""
        say(self.format(record))


class JsonFormatter(logging.Formatter):
    OWN = set(vars(logging.makeLogRecord({}))) | {"aws_request_id", "message", "taskName"}

    def format(self, record):
        kind, error, trace = record.exc_info or (None, None, None)
        whole = {
            "timestamp": now(record.created),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "stackTrace": traceback.format_tb(trace) if kind else None,
            "errorType": kind.__name__ if kind else None,
            "errorMessage": str(error) if kind else None,
            "requestId": record.aws_request_id,
            "location": "%s:%s:%s" % (record.pathname, record.funcName, record.lineno) if kind else None,
        }
        extra = {k: v for k, v in vars(record).items() if k not in self.OWN and k not in whole}
        shown = {k: v for k, v in {**whole, **extra}.items() if v is not None}
        return json.dumps(shown, ensure_ascii=False, default=str)


def now(seconds):
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return "%s.%03dZ" % (whole, seconds % 1 * 1000)


def set_up_logging():
    logging.Formatter.converter = time.gmtime
    text = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    handler = Handler()
    handler.setFormatter(JsonFormatter() if IS_JSON else logging.Formatter(text, "%Y-%m-%dT%H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    if IS_JSON:
        level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "INFO")
        root.setLevel({"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "CRITICAL"}.get(level, level))


def log_error(error):
    if IS_JSON:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        say(json.dumps({"timestamp": stamp, "level": "ERROR", **error}, ensure_ascii=False))
        return
    lines = ["[ERROR] {}: {}".format(error["errorType"], error["errorMessage"]), "Traceback (most recent call last):"]
    for part in error["stackTrace"]:
        lines += [re.sub("^ +", lambda spaces: "\u00a0" * len(spaces[0]), line) for line in part.splitlines()]
    say("\n".join(lines))


def described(error):
    """An error as the caller gets it."""
    if isinstance(error, Fault):
        kind, message, trace = error.kind, error.message, error.trace
    else:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
        kind, message, trace = type(error).__name__, str(error), traceback.format_list(frames)
    return {"errorMessage": message, "errorType": kind, "requestId": request_id or "", "stackTrace": trace}


# Values.


class Encoder(json.JSONEncoder):
    def default(self, o):
        if isinstance(o, decimal.Decimal):
            return int(o) if o.is_finite() and o == o.to_integral_value() else float(o)
        return super().default(o)


def answer_of(result):
    if isinstance(result, bytes):
        return result
    try:
        newer = re.fullmatch(r"AWS_Lambda_python3\.(\d+)", RUNTIME)
        ascii_only = bool(newer) and int(newer[1]) < 12
        return json.dumps(result, cls=Encoder, ensure_ascii=ascii_only).encode()
    except Exception as error:
        raise Fault("MarshalError", "Unable to marshal response: {}".format(error)) from None


def event_of(body):
    try:
        return json.loads(body)
    except Exception as error:
        raise Fault("UnmarshalError", "Unable to unmarshal input: {}".format(error)) from None


class Part:
    """What a client's context is read as: members that may be missing."""

    def __init__(self, given, names):
        for name in names:
            setattr(self, name, given.get(name))


class Context:
    def __init__(self, headers):
        self.aws_request_id = request_id
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.identity = Part({}, ["cognito_identity_id", "cognito_identity_pool_id"])
        self.client_context = None
        given = headers["Lambda-Runtime-Client-Context"]
        if given:
            self.client_context = Part(json.loads(given), ["custom", "env", "client"])
            names = ["installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"]
            client = self.client_context.client
            self.client_context.client = Part(client, names) if client else None
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


# The Runtime API.


class Api:
    def __init__(self):
        self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(self, method, where, body=None, headers=None):
        """One request; when nobody listens any more there is nothing left to do."""
        try:
            self.connection.request(method, "/2018-06-01/runtime" + where, body, headers or {})
            response = self.connection.getresponse()
            return response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException):
            os._exit(1)

    def report(self, where, error):
        kind = re.sub(r"[^\x20-\x7e]", "?", error["errorType"])
        headers = {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": kind}
        self.call("POST", where, json.dumps(error).encode(), headers)


def once(api, handler):
    global request_id
    status, headers, body = api.call("GET", "/invocation/next")
    if status != 200:
        sys.exit(0)
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"] or ""
    where = "/invocation/" + request_id
    try:
        answer = answer_of(handler(event_of(body), Context(headers)))
    except Exception as error:
        told = described(error)
        log_error(told)
        api.report(where + "/error", told)
    else:
        api.call("POST", where + "/response", answer, {"Content-Type": "application/json"})
    sys.stdout.flush()


def main():
    # A line is in the log when it is written, not when the process ends.
    sys.stdout.reconfigure(encoding="utf-8", line_buffering=True, write_through=True)
    sys.stderr.reconfigure(encoding="utf-8", line_buffering=True, write_through=True)
    guard_imports()
    api = Api()
    set_up_logging()
    try:
        handler = load_handler(os.environ.get("_HANDLER", ""))
    except Exception as error:
        told = described(error)
        log_error(told)
        api.report("/init/error", told)
        sys.exit(1)
    while True:
        once(api, handler)


main()
