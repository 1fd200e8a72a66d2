"""What messages are made of, without a server."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from boardcast.keys import with_key
from boardcast.message import Envelope, Flat


def test_compressed_data_is_read() -> None:
    data = {"text": "x" * 5000, "n": [1, 2.5, None]}
    packed = base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()
    metadata = {"version": "1.0", "compressed": True, "channel": "agent:a", "seq": 1, "cursor": "c"}
    message = Envelope().read({"id": "e", "type": "agent_log", "timestamp": 1, "data": packed, "metadata": metadata})
    assert (message.data, message.channel, message.cursor) == (data, "agent:a", "c")
    for broken in ["%", packed[:-8], base64.b64encode(b"no gzip").decode(), 7]:
        with pytest.raises(ValueError, match="compressed data"):
            Envelope().read({"type": "x", "data": broken, "metadata": metadata})


def test_large_data_is_sent_compressed_where_that_was_asked_for() -> None:
    large = {"text": "x" * 5000}
    for compressed, data, is_packed in [(True, large, True), (True, {"text": "x"}, False), (False, large, False)]:
        message = json.loads(Envelope(compressed=compressed).write("agent_log", data, "1"))
        assert isinstance(message["data"], str) == is_packed == message["metadata"].get("compressed", False)
        assert Envelope().read(message).data == data


def test_the_cursor_of_an_ack_is_not_where_the_client_is() -> None:
    assert Flat().read({"type": "ack", "id": "1", "cursor": "c"}).cursor is None
    assert Flat().read({"type": "subscribed", "id": "1", "cursor": "c"}).cursor == "c"
    ack = {"type": "ack", "id": "1", "data": {"ok": True, "cursor": "c"}, "metadata": {"correlationId": "1"}}
    message = Envelope().read(ack)
    assert message.cursor is None and Envelope().answers(message) == "1" and Envelope().said(message)["ok"] is True


def test_an_event_with_a_correlation_id_answers_nothing() -> None:
    event = {"type": "agent_log", "data": {}, "metadata": {"correlationId": "1", "channel": "agent:a", "seq": 3}}
    assert Envelope().answers(Envelope().read(event)) is None


def test_commands_get_a_key_and_others_keep_theirs() -> None:
    for kind, data, key, is_keyed in [
        ("task:create", {}, None, True),
        ("codeContext", {}, None, False),
        ("codeContext", {}, "k", True),
        ("task:create", {"requestId": "r"}, None, True),
        ("task:create", {"requestId": 7}, None, False),
        ("join:project", "p", None, False),
    ]:
        keyed, has_key = with_key(kind, data, key)
        assert has_key is is_keyed, kind
        assert data == {} or keyed == data
