"""python-socketio against the real server: its blocking and its asyncio client, over every transport."""

import asyncio
import base64
import hashlib
import hmac
import json
import signal
import threading
import time

import pytest
import socketio

from conftest import DEADLINE_S, eventually

TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": None}
RECONNECT = {"reconnection_delay": 0.05, "reconnection_delay_max": 0.2, "randomization_factor": 0}


class Blocking:
    """The blocking client. It starts a thread for each message, so its handlers run in no particular order."""

    keeps_order = False
    make = socketio.Client

    def __init__(self, url, transports, auth=None, headers=None):
        self.events = []
        self._sio = self.make(**RECONNECT)
        self.signals = []
        # Python hands over all arguments: a handler that takes one fails on two.
        self._sio.on("*", self._record)
        self._run(self._sio.connect, url, headers or {}, transports=transports, auth=auth)

    @property
    def connected(self):
        return self._sio.connected

    @property
    def sid(self):
        return self._sio.get_sid()

    @property
    def transport(self):
        return self._sio.transport()

    def on(self, name, handler):
        self._sio.on(name, handler)

    def emit(self, name, data):
        self._run(self._sio.emit, name, data)

    def call(self, name, data):
        return self._run(self._sio.call, name, data, timeout=DEADLINE_S)

    def accepted(self, name, data):
        reply = self.call(name, data)
        assert reply["ok"] is True, f"{name} was refused: {reply}"
        return reply

    @property
    def cursor(self):
        """Where the server said last that the client is."""
        return next((said for name, said in reversed(self.signals) if name == "session:cursor"), None)

    def covered(self, seq):
        """Waits until the client was told of a position after that event of its only project, and answers it."""
        eventually(lambda: (self.cursor or "").endswith(f":{seq}"), f"a cursor after event {seq}")
        return self.cursor

    def heard(self, count):
        """Waits until `count` events were heard, and answers them, in the project's order."""
        eventually(lambda: len(self.events) >= count, f"{count} events")
        return self.events if self.keeps_order else sorted(self.events, key=lambda event: event[1].get("seq", 0))

    def close(self):
        self._run(self._sio.shutdown)

    def _record(self, name, payload):
        # Neither who comes and goes nor a bare cursor has a place in the order of events.
        heard = self.signals if name.startswith(("presence:", "session:cursor")) else self.events
        heard.append((name, payload))

    def _run(self, function, *args, **kwargs):
        return function(*args, **kwargs)


class Asyncio(Blocking):
    """The asyncio client, on an event loop in a thread of its own, so that the tests can be the same."""

    keeps_order = True
    make = socketio.AsyncClient

    def __init__(self, url, transports, auth=None, headers=None):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        super().__init__(url, transports, auth, headers)

    def close(self):
        super().close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        self._loop.close()

    def _run(self, function, *args, **kwargs):
        return asyncio.run_coroutine_threadsafe(function(*args, **kwargs), self._loop).result(2 * DEADLINE_S)


@pytest.fixture(params=[Blocking, Asyncio], ids=["blocking", "asyncio"])
def client_type(request):
    return request.param


@pytest.fixture(params=TRANSPORTS.values(), ids=TRANSPORTS.keys())
def transports(request):
    return request.param


@pytest.fixture
def connect(server, client_type, transports):
    clients = []

    def connect(auth=None):
        clients.append(client_type(server.url, transports, auth))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def test_everyone_in_the_room_hears_every_change(connect, transports):
    sender, mate = connect(), connect()
    sender.accepted("join:project", "p1")
    mate.accepted("join:project", "p1")
    draft = {"projectId": "p1", "id": "t1", "title": "Draft", "status": "todo", "storyPoints": 5, "tempId": "tmp-1"}
    sender.emit("task:create", draft)
    sender.emit("task:update", {"projectId": "p1", "taskId": "t1", "status": "done"})
    sender.emit("task:delete", {"projectId": "p1", "taskId": "t1"})

    for client in (sender, mate):
        events = client.heard(4)
        names = [name for name, _ in events]
        assert names == ["task:created", "task:updated", "task:status_changed", "task:deleted"]
        payloads = [payload for _, payload in events]
        assert [payload["seq"] for payload in payloads] == [1, 2, 3, 4]
        assert all(payload["id"] == payload["taskId"] == "t1" for payload in payloads)
        assert draft.items() <= payloads[0].items()
        assert {"version", "createdAt", "createdBy", "updatedAt", "updatedBy"} <= payloads[0].keys()
        assert (payloads[2]["oldStatus"], payloads[2]["newStatus"]) == ("todo", "done")
        client.covered(4)
        assert client.transport == ("polling" if transports == ["polling"] else "websocket")


def test_every_command_gets_its_answer(connect):
    client = connect()
    created = client.accepted("task:create", {"projectId": "p1", "title": "Draft"})
    assert (created["success"], created["seq"], created["version"]) == (True, 1, 1)
    assert created["data"]["title"] == "Draft"
    assert created["cursor"]
    invalid = client.call("task:create", {"title": "No project"})
    assert (invalid["ok"], invalid["success"]) == (False, False)
    assert (invalid["code"], invalid["field"]) == ("validation_failed", "projectId")
    assert client.call("task:explode", {"projectId": "p1"})["code"] == "unknown_event"

    client.emit("task:create", {"title": "No project"})
    [(name, payload)] = client.heard(1)
    assert (name, payload) == ("error", {**invalid, "event": "task:create", "message": invalid["error"]})


@pytest.mark.parametrize("how, status", [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)])
def test_the_client_comes_back_after_a_restart(server, connect, how, status):
    client = connect()
    task = client.accepted("task:create", {"projectId": "p1", "title": "Survivor"})["data"]
    assert server.stop(how) == status
    eventually(lambda: not client.connected, "the client notices")
    server.start()
    eventually(lambda: client.connected, "the client is back")
    tasks = client.accepted("project:snapshot", {"projectId": "p1"})["tasks"]
    assert [(found["id"], found["title"]) for found in tasks] == [(task["id"], "Survivor")]


def test_a_client_that_says_its_cursor_goes_on_where_it_was(server, connect):
    """python-socketio knows no connection state recovery: its sessions are new ones, unless the program helps."""
    auth = {}
    client, forgetful = connect(lambda: auth), connect()
    for each in (client, forgetful):
        each.accepted("join:project", "p1")
    forgetful.accepted("task:create", {"projectId": "p1", "title": "seen"})
    client.heard(1)
    auth["cursor"] = client.covered(1)
    forgetful.heard(1)
    sids = (client.sid, forgetful.sid)

    server.stop(signal.SIGKILL)
    for each in (client, forgetful):
        eventually(lambda: not each.connected, "the client notices")
    server.start()
    connect().accepted("task:create", {"projectId": "p1", "title": "missed"})
    for each in (client, forgetful):
        eventually(lambda: each.connected, "the client is back")
    assert client.sid != sids[0] and forgetful.sid != sids[1]
    forgetful.accepted("join:project", "p1")
    forgetful.accepted("task:create", {"projectId": "p1", "title": "live"})
    assert [payload["title"] for _, payload in client.heard(3)] == ["seen", "missed", "live"]
    assert [payload["title"] for _, payload in forgetful.heard(2)] == ["seen", "live"]


@pytest.mark.parametrize("auth, count", [(None, 1), ({"cursor": False}, 1), ({"cursor": True}, 2)])
def test_a_handler_gets_as_many_arguments_as_it_asks_for(server, client_type, transports, auth, count):
    """A handler with exactly one parameter hears events, unless its connection asks for the cursor as a second one."""
    heard, lost = [], []

    def one(payload):
        heard.append([payload])

    def two(payload, cursor):
        heard.append([payload, cursor])

    client = client_type(server.url, transports, auth)
    try:
        client.on("task:created", one if count == 1 else two)
        client.on("task:deleted", lambda payload, *rest: lost.extend(rest))
        client.accepted("join:project", "p1")
        task = client.accepted("task:create", {"projectId": "p1", "title": "a"})["data"]
        client.accepted("task:delete", {"projectId": "p1", "taskId": task["id"]})
        eventually(lambda: heard and (lost or count == 1), "the task")
        assert [len(arguments) for arguments in heard] == [count]
        assert heard[0][0]["title"] == "a"
        assert len(lost) == count - 1
    finally:
        client.close()


def test_a_program_that_names_itself_is_recognised(server, client_type, transports):
    """By the order in which python-engineio writes its query."""
    client = client_type(server.url, transports, headers={"User-Agent": "Mozilla/5.0 (my bot)"})
    try:
        client.accepted("join:project", "p1")
        client.accepted("task:create", {"projectId": "p1", "title": "a"})
        assert client.heard(1)[0][1]["title"] == "a"
    finally:
        client.close()


def test_a_number_that_json_cannot_say_is_refused_alone(connect):
    """Python writes NaN, which is no JSON."""
    client = connect()
    sid = client.sid
    for number in (float("nan"), float("inf"), float("-inf")):
        reply = client.call("task:create", {"projectId": "p1", "title": "a", "points": number})
        assert (reply["ok"], reply["code"]) == (False, "validation_failed")
    client.accepted("task:create", {"projectId": "p1", "title": "b"})
    assert client.sid == sid


@pytest.mark.parametrize("server", [{"CORS_ORIGINS": "https://board.example"}], indirect=True)
def test_a_client_that_names_the_servers_own_origin_connects(connect):
    """websocket-client sends it by itself."""
    connect().accepted("join:project", "p1")


SECRET = "a secret of thirty-two characters"
# Tokens end soon, and connections soon after.
SHORT = {"AUTH_REQUIRED": "true", "AUTH_SECRET": SECRET, "AUTH_PROJECTS_CLAIM": "projects"} | {
    "AUTH_LEEWAY": "1s",
    "AUTH_GRACE": "0s",
}


def token_of(user, seconds):
    """A token as a backend makes it, of somebody who may do everything."""

    def encode(part):
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    now = int(time.time())
    claims = {"sub": user, "iat": now, "exp": now + seconds, "projects": {"*": "owner"}}
    signed = b".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
    return (signed + b"." + encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256))).decode()


@pytest.mark.parametrize("server", [SHORT], indirect=True)
@pytest.mark.parametrize("auth", [None, {"token": "garbage"}], ids=["nothing", "garbage"])
def test_a_client_without_a_token_is_told_so(server, transports, auth):
    refusals = []
    client = socketio.Client()
    client.on("connect_error", refusals.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(server.url, transports=transports, auth=auth)
    assert refusals == [{"message": "unauthenticated"}]


@pytest.mark.parametrize("server", [SHORT], indirect=True)
def test_a_client_with_fresh_tokens_comes_back_when_one_expires(server, connect):
    auth = {}

    def fresh():
        return auth | {"token": token_of("ann", 2)}

    client = connect(fresh)
    client.accepted("join:project", "p1")
    client.accepted("task:create", {"projectId": "p1", "title": "seen"})
    eventually(lambda: any(name == "task:created" for name, _ in client.events), "the task")
    [payload] = [payload for name, payload in client.events if name == "task:created"]
    auth["cursor"] = client.covered(1)
    assert payload["createdBy"] == "ann"
    sid = client.sid
    eventually(lambda: any(name == "auth:expiring" for name, _ in client.events), "the warning")
    eventually(lambda: client.connected and client.sid != sid, "the client is back")
    client.accepted("task:create", {"projectId": "p1", "title": "later"})

    def titles():
        return [payload["title"] for name, payload in client.events if name == "task:created"]

    eventually(lambda: titles() == ["seen", "later"], "the later task")


@pytest.fixture
def namespaces(tmp_path):
    """A dialect that names two namespaces, before its server starts."""
    (tmp_path / "acme.toml").write_text('[match]\nnamespaces = ["/board", "/notifications"]\npaths = ["/socket"]\n')
    return ["/", "/board", "/notifications"]


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("server", [{"DIALECTS": "acme.toml"}], indirect=True)
def test_namespaces_over_one_transport_hear_their_own_events(namespaces, server, transports):
    client = socketio.Client(**RECONNECT)
    heard = {namespace: [] for namespace in namespaces}
    for namespace in namespaces:
        client.on("task:created", lambda task, *_, titles=heard[namespace]: titles.append(task["title"]), namespace=namespace)
    client.connect(server.url, namespaces=namespaces, transports=transports, socketio_path="socket")
    try:

        def accepted(name, data, namespace):
            reply = client.call(name, data, namespace=namespace, timeout=DEADLINE_S)
            assert reply["ok"] is True, f"{name} was refused: {reply}"

        for namespace in namespaces:
            accepted("join:project", "p" + namespace, namespace)
        for namespace in namespaces:
            accepted("task:create", {"projectId": "p/board", "title": f"from {namespace}"}, namespace)
        expected = sorted(f"from {namespace}" for namespace in namespaces)
        eventually(lambda: sorted(heard["/board"]) == expected, "all of them in one namespace")
        accepted("task:create", {"projectId": "p/notifications", "title": "last"}, "/board")
        eventually(lambda: heard["/notifications"] == ["last"], "one in another namespace")
        assert heard["/"] == []
    finally:
        client.disconnect()
