#!/usr/bin/env python3
"""schema.py: whether editors and msgai agree about stack files.

Other people's validator (jsonschema) and YAML reader (PyYAML) hold the printed schema against draft-07, every stack file of the
repository against the schema, and every mistake of tests/mistakes: what the schema refuses msgai must refuse, too, and of
mistakes in keys and kinds of value most must be marked by an editor already.
"""

import json
import re
import subprocess

import jsonschema
import lab
import yaml
from lab import check, say

# Where YAML 1.1 of editors and 1.2 of msgai differ, or where the text is no YAML for either.
MISTAKES = lab.ROOT / "tests/mistakes/stack"


class Text(yaml.SafeLoader):
    """YAML as editors' servers read it: dates and `yes` are text, as in YAML 1.2."""


Text.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Text.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def described(schema, path="schema"):
    """Every key and every word of a choice has a description."""
    for name, value in schema.get("properties", {}).items():
        check("description" in json.dumps(value) or "$ref" in json.dumps(value), f"{path}.{name} has no description")
    for name, value in schema.get("definitions", {}).items():
        described(value, name)
        for choice in value.get("oneOf", []):
            check("description" in choice or "enum" in choice, f"{name}: {choice} has no description")


def examples(schema, root, path="schema"):
    """Every example is one that the schema takes."""
    if isinstance(schema, dict):
        for example in schema.get("examples", []):
            wrong = list(jsonschema.Draft7Validator({**root, **only(schema)}).iter_errors(example))
            check(not wrong, f"{path}: the example {example!r} is refused: {wrong and wrong[0].message}")
        for key, value in schema.items():
            if key not in ("examples", "default"):
                examples(value, root, f"{path}.{key}")
    elif isinstance(schema, list):
        for position, value in enumerate(schema):
            examples(value, root, f"{path}[{position}]")


def only(schema):
    return {key: value for key, value in schema.items() if key != "examples"}


def files():
    kept = subprocess.run(["git", "ls-files", "*.yaml"], cwd=lab.ROOT, check=True, capture_output=True, text=True)
    return [lab.ROOT / name for name in kept.stdout.split() if name.split("/")[-1] == "stack.yaml" and "/wrong/" not in name]


def msgai(*words):
    return subprocess.run([lab.MSGAI, *words], env=lab.environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL)


def main():
    schema = json.loads(msgai("schema").stdout)
    jsonschema.Draft7Validator.check_schema(schema)
    described(schema)
    examples(schema, {"definitions": schema["definitions"]})
    validator = jsonschema.Draft7Validator(schema)
    stacks = files()
    check(len(stacks) >= 5, f"only {len(stacks)} stack files")
    for path in stacks:
        wrong = [error.message for error in validator.iter_errors(yaml.load(path.read_text(), Text))]
        check(not wrong, f"{path}: {wrong[:1]}")
    say(f"  draft-07, described, with examples that hold; {len(stacks)} stack files fit")

    marked, of = 0, 0
    for path in sorted(MISTAKES.glob("*.yaml")):
        answer = path.with_suffix(".txt").read_text()
        try:
            document = yaml.load(path.read_text(encoding="utf-8-sig"), Text)
        except (yaml.YAMLError, UnicodeDecodeError):
            continue
        refused = bool(list(validator.iter_errors(document)))
        check(not refused or "error: " in answer, f"{path.name}: an editor marks what msgai takes")
        if "is not a key of" in answer or " must be " in answer or " needs `" in answer:
            of += 1
            marked += refused
    check(marked >= of * 9 // 10, f"an editor marks only {marked} of {of} mistakes in keys and kinds")
    say(f"  an editor marks {marked} of {of} mistakes in keys and kinds of value, and nothing that msgai takes")


lab.script(main)
