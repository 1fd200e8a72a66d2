"""A Python client that openapi-python-client makes of the document, which must be all of it, can be imported, and works."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests


def generate(document, folder):
    path = folder / "openapi.json"
    path.write_text(json.dumps(document))
    config = folder / "config.yml"
    # What it makes is not read by anybody, so it need not be formatted.
    config.write_text("post_hooks: []\n")
    program = Path(sys.executable).with_name("openapi-python-client")
    run = subprocess.run(
        [program, "generate", "--path", path, "--config", config, "--meta", "none", "--fail-on-warning"]
        + ["--output-path", folder / "generated"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"


@pytest.mark.parametrize("server", [{}], indirect=True)
def test_a_client_that_is_generated_can_be_used(server, tmp_path, monkeypatch):
    document = requests.get(f"{server.url}/api/openapi.json", timeout=10).json()
    generate(document, tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    # Each operation is a module; one that cannot be generated would be left out.
    modules = {path.stem: path for path in (tmp_path / "generated" / "api").glob("*/*.py") if path.stem != "__init__"}
    operations = [operation for item in document["paths"].values() for operation in item.values() if "operationId" in operation]
    assert len(modules) == len(operations)
    for path in modules.values():
        importlib.import_module(".".join(path.relative_to(tmp_path).with_suffix("").parts))

    generated = importlib.import_module("generated")
    create = importlib.import_module("generated.api.tasks.create_task")
    read = importlib.import_module("generated.api.tasks.get_task")
    health = importlib.import_module("generated.api.operations.health")
    models = importlib.import_module("generated.models")
    client = generated.Client(base_url=server.url)
    created = create.sync("p", client=client, body=models.NewTask(title="Paint"))
    assert created.ok and created.data.title == "Paint"
    assert read.sync("p", created.data.id, client=client).title == "Paint"
    assert read.sync("p", "none", client=client).code == "not_found"
    assert health.sync(client=client).status == "healthy"
