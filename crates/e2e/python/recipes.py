"""The recipes of docs/testing.md do what they say: their code is taken out of the page and run."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import yaml
from weirtest import WEIR, main, same

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../docs/testing.md")


def code():
    """The pieces of code of the page, by the name of their file."""
    with open(PAGE) as page:
        found = re.findall(r"^```(\w+) file=(\S+)\n(.*?)^```$", page.read(), re.MULTILINE | re.DOTALL)
    return {name: text for _, name, text in found}


def environment(folder):
    """`weir` on the path, none of this machine's settings of AWS."""
    if not os.path.exists(f"{folder}/weir"):
        os.symlink(os.path.abspath(WEIR), f"{folder}/weir")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "WEIR"))}
    return kept | {"PATH": f"{folder}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}", "TMPDIR": folder}


def run(folder, *command, **more):
    done = subprocess.run(command, cwd=folder, env=environment(folder) | more, capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_piece_is_known(_):
    same(sorted(code()), ["conftest.py", "state.sh", "test_network.py", "weir.rs", "weir.sh", "weir_test.go", "workflow.yml"])


def test_a_shell(_):
    with tempfile.TemporaryDirectory() as folder:
        lines = run(folder, "bash", "-c", code()["weir.sh"] + code()["state.sh"]).splitlines()
        same(lines[0], "listening on http://127.0.0.1:" + lines[0].rsplit(":", 1)[1])
        same(lines[1], "10.0.0.0/16")
        assert lines[-1].startswith("vpc-"), lines
        same(os.listdir(folder), ["weir"], "nothing is left")


def test_pytest(_):
    with tempfile.TemporaryDirectory() as folder:
        for name in ("conftest.py", "test_network.py"):
            with open(f"{folder}/{name}", "w") as file:
                file.write(code()[name])
        said = run(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
        assert "2 passed" in said, said


def test_rust(_):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/weir.rs", "w") as file:
            file.write(code()["weir.rs"])
        run(folder, shutil.which("rustc"), "--edition", "2024", "--test", "weir.rs", "-o", "tests", "-Dwarnings")
        said = run(folder, "./tests")
        assert "1 passed" in said, said


def test_github_actions(_):
    workflow = yaml.safe_load(code()["workflow.yml"])
    steps = {step["name"]: step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step}
    with tempfile.TemporaryDirectory() as folder:
        # As the runner does it: variables that a step has written are set for the next.
        variables = f"{folder}/variables"
        script = f'{steps["Start Weir"]}\nset -a; . "{variables}"; set +a\n{steps["Test"]}\nkill %1; wait %1'
        said = run(folder, "bash", "-em", "-c", script, RUNNER_TEMP=folder, GITHUB_ENV=variables)
        assert "10.0.0.0/16" in said, said


if __name__ == "__main__":
    main(daemon="none", parallel=2)
