#!/usr/bin/env python3
"""with_terraform.py ZIP: Terraform's AWS provider against the local cloud, with the stack in terraform/main.tf.

Apply, no drift, change in place, no drift, destroy, nothing left. Where Terraform or the provider is not on the machine, it
says so and ends well: neither is downloaded. MSGAI_TF_PLUGINS names a folder of providers as `terraform init -plugin-dir`
takes it.
"""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import lab
from lab import check, say

HERE = Path(__file__).resolve().parent / "terraform"
PROVIDER = "registry.terraform.io/hashicorp/aws"
# Where Terraform itself looks, and where machines keep such folders.
PLACES = ["~/.terraform.d/plugins", "~/.local/share/terraform/plugins", "/usr/local/share/terraform/plugins",
          "/usr/share/terraform/plugins", "/opt/*"]


def plugins():
    named = os.environ.get("MSGAI_TF_PLUGINS")
    folders = [named] if named else [found for place in PLACES for found in glob.glob(os.path.expanduser(place))]
    return next((folder for folder in folders if (Path(folder) / PROVIDER).is_dir()), None)


class Terraform:
    def __init__(self, folder, endpoint, zip_file):
        kept = {k: v for k, v in lab.environment().items() if not k.startswith("TF_")}
        self.folder = folder
        self.env = {
            **kept, "AWS_ENDPOINT_URL": endpoint, "TF_VAR_zip": str(zip_file), "TF_IN_AUTOMATION": "1",
            "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1",
        }

    def run(self, *words, codes=(0,)):
        done = subprocess.run(["terraform", *words], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=600)
        if done.returncode not in codes:
            raise lab.Failed(f"terraform {' '.join(words)} ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr}")
        return done

    def apply(self, *variables):
        self.run("apply", "-auto-approve", "-input=false", "-no-color", *variables)

    def no_drift(self, *variables):
        done = self.run("plan", "-detailed-exitcode", "-input=false", "-no-color", *variables, codes=(0, 2))
        check(done.returncode == 0, f"Terraform would change what it has just made:\n{done.stdout}")

    def resources(self):
        state = json.loads(self.run("show", "-json").stdout)
        root = state.get("values", {}).get("root_module", {})
        return {r["address"]: r["values"] for r in root.get("resources", [])}


def follow(terraform, endpoint):
    terraform.apply()
    made = terraform.resources()
    say(f"  applied: {len(made)} resources and data")
    terraform.no_drift()
    say("  planned again: no change")
    identity = {name: values.get("id") for name, values in made.items() if "deployment" not in name}
    changes = ["-var=memory=256", "-var=greeting=goodbye", "-var=rate=75.5", '-var=more_routes=["leave"]']
    terraform.apply(*changes)
    terraform.no_drift(*changes)
    changed = terraform.resources()
    kept = {name: values.get("id") for name, values in changed.items() if name in identity}
    check(kept == identity, f"replaced instead of changed: {set(identity.items()) ^ set(kept.items())}")
    seen(endpoint, changed)
    say("  changed in place, planned again: no change")
    # What somebody changes behind its back is what it would change back, and nothing else.
    api = changed["aws_apigatewayv2_api.chat"]["id"]
    lab.client("apigatewayv2", endpoint).update_api(ApiId=api, Description="by hand")
    plan = terraform.run("plan", "-detailed-exitcode", "-input=false", "-no-color", *changes, codes=(2,)).stdout
    check("0 to add, 1 to change, 0 to destroy" in plan, f"the plan after a change by hand:\n{plan}")
    say("  a change by hand is seen")
    terraform.run("destroy", "-auto-approve", "-input=false", "-no-color", *changes)
    check(not terraform.resources(), "something is left in the state")
    gone(endpoint)
    say("  destroyed, and nothing is left")


def seen(endpoint, made):
    """What Terraform changed, as another client sees it."""
    functions, apis = lab.client("lambda", endpoint), lab.client("apigatewayv2", endpoint)
    function = functions.get_function_configuration(FunctionName="by-terraform", Qualifier="live")
    check((function["MemorySize"], function["Description"]) == (256, "goodbye"), f"the function is {function}")
    stage = apis.get_stage(ApiId=made["aws_apigatewayv2_api.chat"]["id"], StageName="production")
    check(stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 75.5, f"the stage is {stage}")
    check(stage["DeploymentId"] == made["aws_apigatewayv2_deployment.now"]["id"], "the stage serves an old deployment")


def gone(endpoint):
    client = lab.client
    names = [a["Name"] for a in client("apigatewayv2", endpoint).get_apis()["Items"]]
    names += [f["FunctionName"] for f in client("lambda", endpoint).list_functions()["Functions"]]
    names += client("dynamodb", endpoint).list_tables()["TableNames"]
    names += [r["RoleName"] for r in client("iam", endpoint).list_roles()["Roles"]]
    names += [p["PolicyName"] for p in client("iam", endpoint).list_policies(Scope="Local")["Policies"]]
    names += [g["logGroupName"] for g in client("logs", endpoint).describe_log_groups()["logGroups"]]
    left = [name for name in names if "by-terraform" in name]
    check(not left, f"left after destroy: {left}")
    domains = client("apigatewayv2", endpoint).get_domain_names()["Items"]
    check(not domains, f"left after destroy: {domains}")


def main():
    zip_file = Path(sys.argv[1]).resolve()
    if shutil.which("terraform") is None:
        say("skipped: terraform is not on this machine")
        return
    folder = plugins()
    if folder is None:
        say(f"skipped: no folder with the provider {PROVIDER}; MSGAI_TF_PLUGINS names one")
        return
    with lab.dev(zip_file, "-v") as (endpoint, _), tempfile.TemporaryDirectory(prefix="msgai-terraform-") as scratch:
        shutil.copy(HERE / "main.tf", scratch)
        terraform = Terraform(scratch, endpoint, zip_file)
        terraform.run("init", "-no-color", f"-plugin-dir={folder}")
        say(f"Terraform against {endpoint}")
        follow(terraform, endpoint)


lab.script(main)
