"""Passwords, session tokens and the secret that signs them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workflows_reference.accounts.passwords import UNUSABLE, hash_password, verify_password
from workflows_reference.accounts.tokens import SESSION_LENGTH, SessionTokens
from workflows_reference.secret_file import read_or_make_secret

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TOKENS = SessionTokens(b"a secret of the tests")


def test_a_password_is_checked_against_its_hash() -> None:
    stored = hash_password("demo")
    assert "demo" not in stored
    assert verify_password("demo", stored)
    assert not verify_password("Demo", stored)
    assert hash_password("demo") != stored, "each hash has a salt of its own"


@pytest.mark.parametrize("stored", [UNUSABLE, "", "demo", "scrypt$x$8$1$AA==$AA==", "scrypt$16384$8$1$!$!"])
def test_a_hash_that_belongs_to_no_password_fits_none(stored: str) -> None:
    assert not verify_password("demo", stored)
    assert not verify_password("", stored)


def test_a_token_names_its_user_until_its_time_is_over() -> None:
    token = TOKENS.issue("alice", now=NOW)
    assert TOKENS.read(token, now=NOW + SESSION_LENGTH - timedelta(seconds=1)) == "alice"
    assert TOKENS.read(token, now=NOW + SESSION_LENGTH) is None


def test_a_token_that_was_changed_or_signed_elsewhere_names_nobody() -> None:
    token = TOKENS.issue("alice", now=NOW)
    body, _, signature = token.partition(".")
    other, _, _ = TOKENS.issue("admin", now=NOW).partition(".")
    for forged in ("", ".", body, f"{body}.", f"{other}.{signature}", f"{token}x", "ä.ö", f"{body}.{'A' * 43}"):
        assert TOKENS.read(forged, now=NOW) is None
    assert SessionTokens(b"another secret here").read(token, now=NOW) is None


def test_the_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with ThreadPoolExecutor(8) as threads:
        secrets = set(threads.map(lambda _: read_or_make_secret(directory), range(16)))
    assert len(secrets) == 1, "those who come at the same time agree"
    assert len(secrets.pop()) >= 32
    assert [path.name for path in directory.iterdir()] == ["secret"]
    assert (directory / "secret").stat().st_mode & 0o077 == 0
