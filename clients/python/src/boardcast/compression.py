"""Data that is compressed: base64 of gzip of JSON, where `metadata.compressed` is true."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from typing import Any

_GZIP = 16 + zlib.MAX_WBITS
_WORTH_CHARS = 1024
_MAX_BYTES = 128 * 1024 * 1024
"""The most that a message may become."""


def compress(data: Any) -> str | None:
    """The data compressed; nothing, if it is of 1 kB or less or would not become shorter."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    if len(text) <= _WORTH_CHARS:
        return None
    packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    return packed if len(packed) < len(text) else None


def decompress(data: Any) -> Any:
    """The data that was compressed.

    Raises:
        ValueError: it is no such data, or becomes too large.
    """
    if not isinstance(data, str):
        raise ValueError("compressed data must be a text")
    reader = zlib.decompressobj(_GZIP)
    try:
        content = reader.decompress(base64.b64decode(data, validate=True), _MAX_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"compressed data cannot be read: {error}") from error
    if not reader.eof:
        raise ValueError("compressed data is cut off, or too large")
    return json.loads(content)
