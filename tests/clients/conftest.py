"""Runs the real binary for one test: in a directory of its own, on a free port, on the embedded default database."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

DEADLINE_S = 15
LOOK_EVERY_S = 0.005
BINARY = os.environ.get("BOARDCAST_BIN") or Path(__file__).parents[2] / "target/debug/boardcast"


def eventually(probe, what):
    """Looks until `probe` answers something truthy, and answers that."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := probe()):
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(LOOK_EVERY_S)
    return found


class Server:
    """One server process; a restart keeps directory and port, so that a client can find its way back."""

    def __init__(self, directory, env):
        self._directory = directory
        self._env = env
        self._log = directory / "server.log"
        self._process = None
        self._port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self._port}"

    def start(self):
        # Not the whole environment: a developer's DATABASE_URL is no place for tests.
        env = {"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(self._port), "LOG_FORMAT": "json"} | self._env
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [BINARY, "serve"], cwd=self._directory, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._port = int(eventually(self._address, "the server says that it listens").rpartition(":")[2])

    def stop(self, how):
        """Sends a signal and answers the exit status."""
        self._process.send_signal(how)
        status = self._process.wait(DEADLINE_S)
        self._process = None
        return status

    def dispose(self):
        if self._process:
            self._assert_running()
            self.stop(signal.SIGKILL)

    def _address(self):
        address = re.search(r'"address":\s*"([^"]+)"', self._log.read_text())
        if not address:
            self._assert_running()
        return address and address[1]

    def _assert_running(self):
        assert self._process.poll() is None, f"the server died; its words:\n{self._log.read_text()}"


@pytest.fixture
def server(tmp_path, request):
    """A server; `@pytest.mark.parametrize("server", [{…}], indirect=True)` gives it settings."""
    server = Server(tmp_path, getattr(request, "param", {}))
    try:
        server.start()
        yield server
    finally:
        server.dispose()
