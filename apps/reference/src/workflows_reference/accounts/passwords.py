"""Passwords as they are stored: scrypt with a salt, parameters beside the digest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

__all__ = ["UNUSABLE", "hash_password", "verify_password"]

_COST: Final = 2**14
_BLOCK_SIZE: Final = 8
_PARALLELISM: Final = 1
_SALT_BYTES: Final = 16
_PARTS: Final = 6

UNUSABLE: Final = f"scrypt${_COST}${_BLOCK_SIZE}${_PARALLELISM}$AAAAAAAAAAAAAAAAAAAAAA==$"
"""The hash of no password. Checking one against it takes as long as against a real one, so that names cannot be guessed by time."""


def hash_password(password: str) -> str:
    """Hash a password with a new salt; takes some 50 ms of one core, on purpose."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _digest(password, salt, _COST, _BLOCK_SIZE, _PARALLELISM)
    numbers = f"{_COST}${_BLOCK_SIZE}${_PARALLELISM}"
    return f"scrypt${numbers}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def verify_password(password: str, stored: str) -> bool:
    """Whether a password is the one of a hash; a hash that cannot be read belongs to no password."""
    parts = stored.split("$")
    if len(parts) != _PARTS or parts[0] != "scrypt":
        return False
    try:
        cost, block_size, parallelism = (int(number) for number in parts[1:4])
        salt, expected = (base64.b64decode(text, validate=True) for text in parts[4:])
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(_digest(password, salt, cost, block_size, parallelism), expected)


def _digest(password: str, salt: bytes, cost: int, block_size: int, parallelism: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block_size, p=parallelism)
