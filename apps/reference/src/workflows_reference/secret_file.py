"""The secret of a demo: made once, kept in its data directory, the same after every restart."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

__all__ = ["read_or_make_secret"]

_BYTES: Final = 32


def read_or_make_secret(data_dir: Path) -> bytes:
    """The secret in a data directory; made, readable for its owner only, if there is none.

    Processes that do this at the same time agree on one secret.

    Raises:
        OSError: The file cannot be read or written.
    """
    path = data_dir / "secret"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        draft = data_dir / f".secret-{os.getpid()}-{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES))
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip().encode()
