"""The OpenAPI document against its standard, and the server against its document: a stock fuzzer (schemathesis) finds no
5xx, no status that is not documented, and no answer that is not as described."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from openapi_spec_validator import validate

SECRET = "a secret of thirty-two characters"
# What somebody may do at once is not what is tested here.
UNLIMITED = {
    name: "none"
    for name in ("COMMAND_RATE", "READ_RATE", "USER_COMMAND_RATE", "USER_READ_RATE", "SIGNAL_RATE", "USER_SIGNAL_RATE")
}
REQUIRED = UNLIMITED | {"AUTH_REQUIRED": "true", "AUTH_SECRET": SECRET, "AUTH_PROJECTS_CLAIM": "projects"}
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "allow_header_conformance",
]
# Nobody waits for events that do not come.
CONFIG = """
[generation]
database = "none"

[parameters]
"query.wait" = 0
"""
# An answer that goes on for ever is no case for a fuzzer.
STREAMS = ["--exclude-path", "/api/events"]
SEED = os.environ.get("FUZZ_SEED", "1")
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "15")


def token(roles):
    def encode(part):
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    now = int(time.time())
    claims = {"sub": "ann", "iat": now, "exp": now + 3600, "projects": roles}
    signed = b".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
    return (signed + b"." + encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256))).decode()


def fuzz(url, directory, *options):
    config = directory / "schemathesis.toml"
    config.write_text(CONFIG)
    program = Path(sys.executable).with_name("schemathesis")
    run = subprocess.run(
        [program, "--config-file", config, "run", f"{url}/api/openapi.json", "--checks", ",".join(CHECKS)]
        + ["--seed", SEED, "--no-color", "--continue-on-failure", *STREAMS, *options],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, f"FUZZ_SEED={SEED}\n{run.stdout}\n{run.stderr}"
    assert "generated" in run.stdout, run.stdout


@pytest.mark.parametrize("server", [UNLIMITED], indirect=True)
def test_the_document_is_openapi(server):
    validate(requests.get(f"{server.url}/api/openapi.json", timeout=10).json())


@pytest.mark.parametrize("server", [UNLIMITED], indirect=True)
def test_whatever_is_sent_is_answered_as_documented(server, tmp_path):
    fuzz(server.url, tmp_path, "--phases", "coverage,fuzzing", "--max-examples", EXAMPLES)


@pytest.mark.parametrize("server", [UNLIMITED], indirect=True)
def test_one_request_after_the_other_is_answered_as_documented(server, tmp_path):
    # What is not as the document says is sent above: here it keeps the fuzzer from building headers.
    fuzz(server.url, tmp_path, "--phases", "stateful", "--mode", "positive", "--max-examples", EXAMPLES)


@pytest.mark.parametrize("server", [REQUIRED], indirect=True)
@pytest.mark.parametrize("roles", [None, {}, {"*": "viewer"}, {"*": "owner"}], ids=["nobody", "stranger", "viewer", "owner"])
def test_whoever_asks_is_answered_as_documented(server, tmp_path, roles):
    shown = [] if roles is None else ["--header", f"Authorization: Bearer {token(roles)}"]
    fuzz(server.url, tmp_path, "--phases", "fuzzing", "--max-examples", "5", *shown)
