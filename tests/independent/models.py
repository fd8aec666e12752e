#!/usr/bin/env python3
"""models.py ZIP [SERVICE...]: the local cloud against botocore's service models, operation by operation.

operations.json is the one list of what is served. For each operation in it: the model's method and path reach it, its answer
has the model's status, members and types, each member of its input is honoured, refused or listed as ignored with the reason,
its refusals are known to the model, and its lists come in pages. Every other operation of these services is refused as unknown.
"""

import datetime
import json
import re
import sys
from pathlib import Path

import lab
import shapes
from lab import check, say
from walks import apis, functions, logs, roles, tables, tags

HERE = Path(__file__).resolve().parent
LISTED = json.loads((HERE / "operations.json").read_text())
# As the services are called in the lines of `dev -v`.
TOLD = {"apigatewayv2": "apigateway", "resourcegroupstaggingapi": "tagging", "dynamodbstreams": "dynamodb"}
UNKNOWN = ("UnknownOperationException", "InvalidAction")
# One that ends with 9 exists in no walk.
ARN = "arn:aws:lambda:us-east-1:000000000000:function:nobody9"


class Walk:
    """A client that looks at each answer, and remembers what was asked with what."""

    def __init__(self, service, endpoint, zip_file):
        from botocore.config import Config

        self.service, self.endpoint, self.zip = service, endpoint, Path(zip_file)
        self.listed = LISTED[service]
        self.client = lab.client(service, endpoint, Config(
            retries={"total_max_attempts": 1}, inject_host_prefix=False, parameter_validation=True))
        self.model = self.client.meta.service_model
        self.protocol = self.model.metadata["protocol"]
        self.honoured, self.refusals, self.paged, self.asked, self.faults = {}, {}, set(), [], []
        self.client.meta.events.register("response-received", self._received)

    def _received(self, response_dict, **_):
        self.raw = response_dict

    def _ask(self, operation, parameters):
        model = self.model.operation_model(operation)
        self.raw = None
        self.asked.append(operation)
        try:
            return model, getattr(self.client, method(operation))(**parameters), None
        except self.client.exceptions.ClientError as error:
            return model, None, error

    def __call__(self, operation, **parameters):
        model, answer, error = self._ask(operation, parameters)
        if error is not None:
            raise lab.Failed(f"{self.service}: {error}\n  asked with {parameters}")
        self.honoured.setdefault(operation, set()).update(parameters)
        if operation not in self.listed.get("unlike", {}):
            self._look(operation, lambda: shapes.answer(self.protocol, model, self.raw))
        self._echo(model, parameters, answer)
        return answer

    def refused(self, operation, code, **parameters):
        model, _, error = self._ask(operation, parameters)
        if error is None:
            self.faults.append(f"{operation}: not refused with {code}: {parameters}")
            return
        self.refusals.setdefault(operation, set()).update(parameters)
        given = error.response["Error"]["Code"]
        if given != code:
            self.faults.append(f"{operation}: refused with {error}, not {code}")
        self._look(operation, lambda: shapes.refusal(self.protocol, self.model, model, given, self.raw))

    def pages(self, operation, count, **parameters):
        """A list of at least `count` items, one on a page."""
        paginator = self.client.get_paginator(method(operation))
        self.paged.add(operation)
        # Some lists leave the size of a page to AWS.
        sized = paginator._limit_key is not None
        config = {"PageSize": 1} if sized else {}
        found, pages = [], 0
        model = self.model.operation_model(operation)
        for page in paginator.paginate(**parameters, PaginationConfig=config):
            self.asked.append(operation)
            self._look(operation, lambda: shapes.answer(self.protocol, model, self.raw))
            items = [item for key in paginator.result_keys for item in listed(page, key.expression)]
            check(len(items) <= 1 or not sized, f"{operation}: {len(items)} items on a page of one")
            found += [json.dumps(item, sort_keys=True, default=str) for item in items]
            pages += 1
            check(pages < 200, f"{operation}: its pages never end")
        if len(found) < count or len(set(found)) != len(found):
            several = f"{len(found)} items in pages of one, {len(set(found))} of them different"
            self.faults.append(f"{operation}: {several}, not {count}")
        words = {paginator._limit_key, *paginator._input_token} if pages > 1 else {paginator._limit_key}
        self.honoured.setdefault(operation, set()).update(words, parameters)

    def _look(self, operation, how):
        try:
            how()
        except (shapes.Wrong, ValueError) as wrong:
            self.faults.append(f"{operation}: {wrong}")

    def _echo(self, model, parameters, answer):
        """What was set comes back: at once, where the answer has a member of that name."""
        if not re.match("Create|Update|Put", model.name) or model.output_shape is None:
            return
        told = set(self.listed.get("differs", {}))
        for name, value in parameters.items():
            both = name in model.output_shape.members and model.input_shape.members[name] == model.output_shape.members[name]
            same = model.input_shape.members[name].name == getattr(model.output_shape.members.get(name), "name", None)
            if (both or same) and f"{model.name}.{name}" not in told and answer.get(name) != value:
                self.faults.append(f"{model.name}: `{name}` was set to {value!r} and comes back as {answer.get(name)!r}")

    # After the walk ---------------------------------------------------------------------------------------------------

    def accounts(self):
        """Every listed operation was asked for with every member of its input that is not listed otherwise."""
        ignored, refused = self.listed.get("ignored", {}), self.listed.get("refused", {})
        for name in [*ignored, *refused]:
            operation, member = name.split(".")
            known = operation == "*" or (operation in self.listed["operations"] and member in self._input(operation))
            check(known, f"{self.service}: `{name}` is listed and is no member of an operation that is served")
        for operation in self.listed["operations"]:
            if operation in self.listed.get("empty", {}):
                # There is never anything to find, so that being refused is all there is.
                self.honoured[operation] = self.refusals.get(operation, set())
            if operation not in self.honoured:
                self.faults.append(f"{operation}: listed, and no walk asks for it")
                continue
            words = set()
            if self.client.can_paginate(method(operation)) and operation not in self.paged:
                paginator = self.client.get_paginator(method(operation))
                words = {paginator._limit_key, *paginator._input_token}
                if operation not in self.listed.get("unpaged", {}):
                    self.faults.append(f"{operation}: its pages are not walked")
            for member in sorted(self._input(operation) - words):
                self._account(operation, member, ignored, refused)

    def _input(self, operation):
        shape = self.model.operation_model(operation).input_shape
        return set(shape.members) if shape else set()

    def _account(self, operation, member, ignored, refused):
        said = [f"{operation}.{member}", f"*.{member}"]
        if member in self.honoured[operation]:
            if any(one in refused for one in said[:1]):
                self.faults.append(f"{operation}: `{member}` is listed as refused, and is not")
        elif any(one in refused for one in said):
            if said[0] in refused and member not in self.refusals.get(operation, ()):
                self.faults.append(f"{operation}: `{member}` is listed as refused, and no walk has tried")
        elif not any(one in ignored for one in said):
            self.faults.append(f"{operation}: nobody asks with `{member}`, and it is not listed as ignored or refused")

    def strangers(self):
        """Every operation of the model: unknown, if and only if it is not listed."""
        for operation in self.model.operation_names:
            model = self.model.operation_model(operation)
            if model.auth_type == "none":
                # Such calls carry no signature, and the local cloud asks for one.
                continue
            parameters = {n: dummy(model.input_shape.members[n], n) for n in model.input_shape.required_members} \
                if model.input_shape else {}
            _, _, error = self._ask(operation, parameters)
            code = error.response["Error"]["Code"] if error else None
            if operation in self.listed["operations"]:
                if code in UNKNOWN:
                    self.faults.append(f"{operation}: listed, and refused as unknown")
            else:
                self.asked.pop()
                if code not in UNKNOWN:
                    self.faults.append(f"{operation}: not listed, and answered: {error or 'well'}")

    def routed(self, told):
        """The local cloud took each call for the operation that it was."""
        for i, (asked, seen) in enumerate(zip(self.asked, told)):
            if asked != seen:
                self.faults.append(f"call {i} was {asked} and was taken for {seen}")
                return
        if len(told) != len(self.asked):
            self.faults.append(f"{len(self.asked)} calls were made, and {len(told)} were taken for one of this service")


def listed(page, key):
    items = page.get(key) or []
    # What a page counts stands beside what it lists.
    return items if isinstance(items, list) else []


def method(operation):
    from botocore import xform_name

    return xform_name(operation)


def dummy(shape, name):
    """A value that the model takes, of something that is not there."""
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_tagged_union", False):
            first = next(iter(shape.members))
            return {first: dummy(shape.members[first], first)}
        return {n: dummy(shape.members[n], n) for n in shape.required_members}
    if kind == "list":
        return [dummy(shape.member, name)] * max(1, shape.metadata.get("min", 1))
    if kind == "map":
        return {"nobody9": dummy(shape.value, name)}
    if kind == "string":
        if shape.enum:
            return shape.enum[0]
        return ARN if re.search("(?i)arn$|^resource", name) else "nobody9".ljust(shape.metadata.get("min", 0), "9")
    if kind == "timestamp":
        return datetime.datetime(2024, 1, 1)
    return {"boolean": False, "blob": b"{}"}.get(kind, max(1, shape.metadata.get("min", 1)))


def calls(log, before, walk):
    """The listed operations that `dev -v` told of a service, in order."""
    told = re.findall(rf"^(?:[0-9:.]+ +)?call +{TOLD.get(walk.service, walk.service)}\.(\S+) ", log.read_text()[before:], re.MULTILINE)
    return [operation for operation in told if operation in walk.listed["operations"]]


WALKS = {
    "iam": roles.walk, "sts": roles.walk_sts, "lambda": functions.walk, "apigatewayv2": apis.walk,
    "apigateway": apis.walk_account, "dynamodb": tables.walk, "dynamodbstreams": tables.walk_streams,
    "logs": logs.walk, "resourcegroupstaggingapi": tags.walk,
}


def one(service, endpoint, zip_file):
    log = lab.LAB / "logs/dev.log"
    walk = Walk(service, endpoint, zip_file)
    before = len(log.read_text())
    WALKS[service](walk)
    walk.accounts()
    walk.strangers()
    # What happened is printed beside the answers, not before them.
    lab.until(lambda: len(calls(log, before, walk)) >= len(walk.asked), f"{service}: calls are missing in {log}")
    walk.routed(calls(log, before, walk))
    say(f"  {service}: {len(walk.listed['operations'])} operations, {len(walk.asked)} calls, {len(walk.faults)} faults")
    return [f"{service}: {fault}" for fault in walk.faults]


def main():
    check(set(WALKS) == set(LISTED), f"walks and lists of services differ: {set(WALKS) ^ set(LISTED)}")
    zip_file = Path(sys.argv[1]).resolve()
    faults = []
    with lab.dev(zip_file, "-v") as (endpoint, _):
        say(f"the models against {endpoint}")
        for service in sys.argv[2:] or WALKS:
            faults += one(service, endpoint, zip_file)
    check(not faults, f"{len(faults)} faults:\n  " + "\n  ".join(dict.fromkeys(faults)))


lab.script(main)
