"""The README's curl examples of REST, as written."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def blocks():
    section = README.read_text().split("\n## REST\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_the_examples_of_rest_work(server):
    first, loop, repeated = blocks()
    assert "while" in loop
    script = "\n".join([first, repeated]).replace("http://localhost:8002", server.url)
    # Each answer on a line of its own; one that is a refusal ends the script.
    script = script.replace("curl ", "curl --silent --show-error --fail --write-out '\\n' ")
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]}
    )
    assert run.returncode == 0, run.stderr
    answers = [json.loads(line) for line in run.stdout.splitlines() if line]
    created, task, done, found, events, painted, batch = answers
    assert created["data"]["id"] == "shop" and task["data"]["title"] == "Paint the door"
    assert done["data"]["status"] == "done"
    assert [item["id"] for item in found["items"]] == ["t1"]
    assert [event["event"] for event in events["events"]] == ["task:updated", "task:status_changed"]
    assert painted["version"] == 3
    assert [result["ok"] for result in batch["results"]] == [True, True]
