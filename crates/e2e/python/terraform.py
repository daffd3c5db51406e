"""Terraform and its AWS provider, unmodified: the network of `examples/terraform` comes, works, is as described, and goes.

It needs `terraform` and a copy of the provider on this machine, in the layout of a mirror.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from three_tier import APP, SHARED, flow_logs, left, traffic
from weirtest import Daemon, Lab, main, same

EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "examples" / "terraform"
COVERAGE = pathlib.Path(__file__).resolve().parents[1] / "terraform"
PROVIDER = "registry.terraform.io/hashicorp/aws"

# What the provider logs of an answer that it will have to ask for again, or that Weir has not got.
UNWANTED = re.compile(
    r"http\.response\.status_code=5\d\d|<Code>(?:InvalidAction|UnknownParameter|UnsupportedOperation|NotImplemented)<"
)


def mirror():
    """A folder that holds the provider, or none: the places that Terraform looks into by itself, and /opt."""
    home = pathlib.Path.home()
    data = [pathlib.Path(path) for path in os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")]
    places = [home / ".terraform.d/plugins", home / ".local/share/terraform/plugins"]
    places += [folder / "terraform/plugins" for folder in data]
    places += [pathlib.Path(os.environ["TF_PLUGIN_CACHE_DIR"])] if "TF_PLUGIN_CACHE_DIR" in os.environ else []
    places += sorted(pathlib.Path("/opt").glob("*")) if pathlib.Path("/opt").is_dir() else []
    return next((place for place in places if (place / PROVIDER).is_dir()), None)


class Terraform:
    """A copy of a configuration, against a daemon."""

    def __init__(self, daemon, configuration, plugins, folder):
        self.folder = pathlib.Path(folder)
        for file in configuration.glob("*.tf"):
            shutil.copy(file, self.folder)
        settings = self.folder / "settings.tfrc"
        settings.write_text(
            f'provider_installation {{\n  filesystem_mirror {{\n    path = "{plugins}"\n  }}\n}}\n'
        )
        self.log = self.folder / "provider.log"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_"))}
        self.environment = inherited | {
            "AWS_ENDPOINT_URL": daemon.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "TF_LOG_PATH": str(self.log),
            "TF_LOG_PROVIDER": "DEBUG",
        }

    def run(self, command, *options, expect=0):
        done = subprocess.run(
            ["terraform", command, *options], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180,
        )
        if done.returncode != expect:
            raise AssertionError(f"terraform {command}: {done.returncode}, not {expect}\n{done.stdout[-6000:]}")
        return done.stdout

    def init(self):
        self.run("init", "-no-color")

    def apply(self):
        self.run("apply", "-no-color", "-auto-approve", "-parallelism=30")

    def unchanged(self):
        """Terraform finds what it made: exit status 2 would mean that it wants to change something."""
        self.run("plan", "-no-color", "-detailed-exitcode", "-parallelism=30")

    def destroy(self):
        self.run("destroy", "-no-color", "-auto-approve", "-parallelism=30")
        same(self.run("state", "list"), "", "what is left in Terraform's state")

    def output(self, name):
        return json.loads(self.run("output", "-json", name))

    def check_log(self):
        """Weir has refused nothing that it should know, and has made nobody try again."""
        with open(self.log, errors="replace") as log:
            unwanted = [line for line in log if UNWANTED.search(line)]
        same([line[:600] for line in unwanted[:3]], [], f"{len(unwanted)} answers")


def test_the_example_comes_works_and_goes(_):
    with Daemon() as daemon, tempfile.TemporaryDirectory() as folder:
        app, shared = Lab(daemon, APP), Lab(daemon, SHARED)
        terraform = Terraform(daemon, EXAMPLE, mirror(), folder)
        terraform.init()
        terraform.apply()
        terraform.unchanged()
        made = {name: terraform.output(name) for name in ("instances", "addresses", "flow_logs")}
        traffic(app, shared, made)
        flow_logs(app, made)
        # Traffic has changed nothing that Terraform looks at.
        terraform.destroy()
        for lab in app, shared:
            same(left(lab), {}, f"what account {lab.account} still has")
        terraform.check_log()


def test_every_other_kind_of_resource(_):
    with Daemon() as daemon, tempfile.TemporaryDirectory() as folder:
        terraform = Terraform(daemon, COVERAGE, mirror(), folder)
        terraform.init()
        terraform.apply()
        terraform.unchanged()
        # A rule of a security group changes in place.
        terraform.run("apply", "-no-color", "-auto-approve", "-var=port=444", "-parallelism=30")
        terraform.run("plan", "-no-color", "-detailed-exitcode", "-var=port=444", "-parallelism=30")
        terraform.destroy()
        # Terraform lets go of the default VPC and its subnets, and deletes nothing of them.
        same(left(Lab(daemon, "333333333333")), {}, "what the account still has")
        terraform.check_log()


def lacking():
    if not shutil.which("terraform"):
        return "`terraform`"
    return None if mirror() else f"a mirror with {PROVIDER}"


if __name__ == "__main__":
    if missing := lacking():
        print(f"SKIPPED: terraform.py needs {missing}", file=sys.stderr)
        sys.exit(0)
    main(daemon="none")
