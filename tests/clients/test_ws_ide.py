"""The second of the systems that were there before: an extension of an IDE. It introduces itself with an API key and its
version, and works with others in a session. Written only from the messages that it exchanges."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from plain import Plain

SECRET = "a secret of thirty-two characters"


def token(user):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    claims = {"sub": user, "iat": int(time.time()), "exp": int(time.time()) + 600}
    signed = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(claims)
    signature = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def introduce(ide, api_key):
    ide.send({"type": "handshake", "data": {"apiKey": api_key, "clientName": "ide", "clientVersion": "1.4.0"}})


AUTH = pytest.mark.parametrize("server", [{"AUTH_REQUIRED": "true", "AUTH_SECRET": SECRET}], indirect=True)


@AUTH
def test_an_extension_introduces_itself_and_works_in_a_session(server):
    with Plain(server, "/ws?sessionId=s") as ide, Plain(server, "/ws?sessionId=s") as agent:
        for plain, user in (ide, "ann"), (agent, "bot"):
            introduce(plain, token(user))
            welcome = plain.next("welcome")
            assert welcome["userId"] == user and welcome["timestamp"].endswith("Z")
        messages = [
            {"type": "codeContext", "data": {"file": "a.py", "selection": {"from": 1, "to": 7}}},
            {"type": "startTDD", "data": {"feature": "login"}},
            {"type": "analyzeCode", "file": "b.py", "depth": 2},
        ]
        for message in messages:
            ide.send(message)
        context, start, analyze = (agent.next(message["type"]) for message in messages)
        assert context["data"] == messages[0]["data"] and context["file"] == "a.py"
        assert start["feature"] == "login" and start["sessionId"] == "s"
        assert analyze["file"] == "b.py" and analyze["depth"] == 2
        agent.send({"type": "tddProgress", "data": {"phase": "red"}})
        assert ide.next("tddProgress")["phase"] == "red"
        ide.send({"type": "ping"})
        ide.next("pong")
        assert not [message for message in ide.heard if message["type"] in ("codeContext", "startTDD")]


@AUTH
def test_a_key_that_is_none_ends_the_connection(server):
    with Plain(server, "/") as ide:
        introduce(ide, "sk-nonsense")
        assert ide.closed() == 4401
        assert ide.heard[-1]["type"] == "error" and ide.heard[-1]["code"] == "unauthenticated"
        assert ide.heard[-1]["error"] == "Invalid API key"


def test_without_keys_everybody_is_welcome(server):
    with Plain(server, "/") as ide:
        introduce(ide, "sk-nonsense")
        ide.next("welcome")
        ide.send("{")
        assert ide.next("error")["error"] == "Invalid message format"
        ide.send({"type": "codeContext", "data": {}})
        assert ide.next("error")["field"] == "sessionId"
