"""Files that workflows write: receipts and published documents, below the data directory."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Final
from uuid import UUID

__all__ = ["Archive"]

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,60}\.(txt|md)")


class Archive:
    """Writes and reads text files, each in the directory of its tenant and instance.

    Args:
        root: Directory that holds them; made when it is first needed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    async def write(self, tenant: str, instance_id: UUID, name: str, text: str) -> str:
        """Write a file, whole or not at all; writing it again replaces it.

        Returns:
            Path of the file below the root, with ``/``.

        Raises:
            ValueError: The name is not one of lower-case letters, digits and hyphens that ends in .txt or .md.
        """
        path = self._path(tenant, instance_id, name)
        await asyncio.to_thread(_replace, path, text)
        return path.relative_to(self._root).as_posix()

    async def read(self, tenant: str, instance_id: UUID, name: str) -> str | None:
        """The text of a file; None if there is none."""
        try:
            return await asyncio.to_thread(self._path(tenant, instance_id, name).read_text, encoding="utf-8")
        except (ValueError, FileNotFoundError):
            return None

    def _path(self, tenant: str, instance_id: UUID, name: str) -> Path:
        if not _NAME.fullmatch(name) or not re.fullmatch(r"[a-z0-9-]*", tenant):
            msg = f"{name!r} is no name of a file; use lower-case letters, digits and hyphens, and .txt or .md"
            raise ValueError(msg)
        return self._root / (tenant or "no-tenant") / str(instance_id) / name


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
