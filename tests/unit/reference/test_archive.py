"""Files that workflows write."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from workflows_reference.archive import Archive

INSTANCE = UUID(int=1)


async def test_a_file_is_read_by_its_tenant_only(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    path = await archive.write("acme", INSTANCE, "receipt.txt", "Paid.\n")
    assert (tmp_path / path).read_text() == "Paid.\n"
    assert await archive.read("acme", INSTANCE, "receipt.txt") == "Paid.\n"
    assert await archive.read("globex", INSTANCE, "receipt.txt") is None


async def test_writing_again_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    await archive.write("acme", INSTANCE, "letter.md", "one")
    path = await archive.write("acme", INSTANCE, "letter.md", "two")
    assert await archive.read("acme", INSTANCE, "letter.md") == "two"
    assert len(list((tmp_path / path).parent.iterdir())) == 1


@pytest.mark.parametrize("name", ["../secret", "secret", ".txt", "a/b.txt", "Letter.txt", "a.txt\n", "x" * 80 + ".txt"])
async def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    archive = Archive(tmp_path)
    with pytest.raises(ValueError, match="no name of a file"):
        await archive.write("acme", INSTANCE, name, "text")
    assert await archive.read("acme", INSTANCE, name) is None
    with pytest.raises(ValueError, match="no name of a file"):
        await archive.write("../acme", INSTANCE, "a.txt", "text")
