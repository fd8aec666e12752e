"""What can become of a run: every fault at every call that it makes, as rules of the lab's proxy."""

from collections import Counter
from dataclasses import dataclass, field

import lab

# A refused call as each service says it; AWS's own words.
CONFLICTS = {
    "apigatewayv2": ("ConflictException",
                     "Unable to complete operation due to concurrent modification. Please try again later."),
    "lambda": ("ResourceConflictException",
               "The operation cannot be performed at this time. An update is in progress for resource: a function"),
}
# Longer than msgai waits for one call.
FOREVER_S = 600
# Another run of the same stack begins so many milliseconds after the first.
TWO = "two at once"
UNLOCKED, WAITED_OUT, LEDGER_LOST = "killed, lock broken", "killed, lock waited out", "killed, ledger lost"
KILLED = ("killed before", "killed after", UNLOCKED, WAITED_OUT, LEDGER_LOST)


@dataclass(frozen=True)
class Point:
    """One run that goes wrong in one way."""

    scenario: str
    fate: str
    # The call that it happens to, or the seed of a run in which much happens.
    at: str
    # What the proxy is told, beyond its start-up configuration.
    patch: dict = field(hash=False)

    def __str__(self):
        return f"{self.scenario}/{self.fate}/{self.at}"


def points(scenario, calls):
    """All points of a scenario, given the calls of an undisturbed run of it."""
    writes = sum(call["kind"] == "write" for call in calls)
    yield from _kills(scenario, len(calls))
    yield from _answers(scenario, writes)
    yield from _refusals(scenario, calls)
    yield from _whole(scenario)


def _rule(action, match, nth, **more):
    return {"faults": [{"match": match, "nth": nth, "action": action, **more}]}


def _kills(scenario, calls):
    before, after = KILLED[:2]
    for nth in range(1, calls + 1):
        yield Point(scenario, before, str(nth), _rule("kill", {}, nth, when="before"))
        yield Point(scenario, after, str(nth), _rule("kill", {}, nth, when="after"))
    # Half a minute each is waited where a run that died elsewhere still holds the lock.
    for fate, points in ((UNLOCKED, 8), (LEDGER_LOST, 8), (WAITED_OUT, 2)):
        for part in range(1, points + 1):
            nth = calls * part // (points + 1)
            yield Point(scenario, fate, str(nth), _rule("kill", {}, nth, when="after"))


def _answers(scenario, writes):
    """A write whose answer does not say what became of it."""
    write = {"kind": "write"}
    for nth in range(1, writes + 1):
        yield Point(scenario, "done, 500", str(nth), _rule("ambiguous", write, nth))
        yield Point(scenario, "done, reset", str(nth), _rule("ambiguous", write, nth, then="reset"))
        yield Point(scenario, "not done, 500", str(nth), _rule("error", write, nth))
        yield Point(scenario, "silence, reset", str(nth), _rule("timeout", write, nth, delay_s=0.5))


def hung(scenario, calls):
    """One of each sort of write, never answered: msgai's own time-out ends it, after a minute each."""
    for operation in sorted({call["operation"] for call in calls if call["kind"] == "write"}):
        match = {"operation": operation}
        yield Point(scenario, "never answered", operation, _rule("timeout", match, 1, delay_s=FOREVER_S))


def _refusals(scenario, calls):
    """Every call throttled once, and every write refused once because of another one."""
    for service, of_it in sorted(Counter(call["service"] for call in calls).items()):
        status, code, message = lab.awslab().THROTTLE.get(service, (400, "ThrottlingException", "Rate exceeded"))
        for nth in range(1, of_it + 1):
            yield Point(scenario, "throttled", f"{service} {nth}", _rule(
                "error", {"service": service}, nth, status=status, code=code, message=message))
    for service, (code, message) in CONFLICTS.items():
        of_it = sum(call["service"] == service and call["kind"] == "write" for call in calls)
        for nth in range(1, of_it + 1):
            yield Point(scenario, "conflict", f"{service} {nth}", _rule(
                "error", {"service": service, "kind": "write"}, nth, status=409, code=code, message=message))


def _whole(scenario):
    """Runs in which much goes wrong."""
    for seed in range(1, 6):
        yield Point(scenario, "30 % conflicts", str(seed), {
            "seed": seed, "async": {"apigw_conflict_p": 0.3, "lambda_conflict_p": 0.3}, "faults": _often(0.3)})
        write = {"kind": "write"}
        yield Point(scenario, "30 % of writes fail", str(seed), {"seed": seed, "faults": [
            {"match": write, "p": 0.1, "action": "ambiguous"},
            {"match": write, "p": 0.1, "action": "ambiguous", "then": "reset"},
            {"match": write, "p": 0.1, "action": "error", "status": 503}]})
    for ms in (0, 20, 40, 60, 80, 120, 160, 200, 300, 400):
        yield Point(scenario, TWO, str(ms), {})
    for seed in (1, 2):
        yield Point(scenario, "AWS's rates", str(seed), {"seed": seed, "rate_limits": lab.awslab().AWS_QUOTAS})


def _often(p):
    return [{"match": {"service": service, "kind": "write"}, "p": p, "action": "error", "status": 409, "code": code,
             "message": message} for service, (code, message) in CONFLICTS.items()]


def aimed(point, pid_file):
    """The same point, killing the process of this pid file."""
    faults = [{**rule, "pid_file": str(pid_file)} if rule["action"] == "kill" else rule
              for rule in point.patch.get("faults", [])]
    return Point(point.scenario, point.fate, point.at, {**point.patch, "faults": faults})
