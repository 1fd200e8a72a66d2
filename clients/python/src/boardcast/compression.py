"""Data that is compressed: base64 of gzip of JSON, where `metadata.compressed` is true."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

_GZIP = 16 + zlib.MAX_WBITS
_MAX_BYTES = 128 * 1024 * 1024
"""The most that a message may become."""


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
