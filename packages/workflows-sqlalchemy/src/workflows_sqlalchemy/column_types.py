"""Column types that keep a value the same on every database: moments, identities and text."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Dialect, Integer, LargeBinary, Text, Uuid
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = [
    "Identity",
    "Moment",
    "OrderedText",
    "SafeText",
    "Serial",
    "TextList",
    "from_microseconds",
    "safe_text",
    "to_microseconds",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

Serial: Final = BigInteger().with_variant(Integer(), "sqlite")
"""A number that the database counts up; SQLite does so only for INTEGER."""


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exact."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The moment that `to_microseconds` counted, aware, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def safe_text(text: str) -> str:
    """Text that every database takes: NUL (refused by PostgreSQL) and lone surrogates (no UTF-8) become U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", _REPLACEMENT)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


class Moment(TypeDecorator[datetime]):
    """An aware moment, exact to the microsecond and given back in UTC.

    ``timestamptz`` on PostgreSQL; on SQLite, which has no type for it, the integer of microseconds since 1970, which sorts and
    compares as the moments do.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return to_microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return from_microseconds(value) if dialect.name == "sqlite" else value.astimezone(UTC)


class Identity(TypeDecorator[UUID]):
    """A UUID: native on PostgreSQL, 16 bytes on SQLite, which sort as the UUIDs do."""

    impl = Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(LargeBinary(16) if dialect.name == "sqlite" else Uuid(as_uuid=True))

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        return value.bytes if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:
        if value is None or type(value) is UUID:
            return value
        return UUID(bytes=value) if dialect.name == "sqlite" else UUID(int=value.int)


class SafeText(TypeDecorator[str]):
    """Text of any length; what a database would refuse is replaced, see `safe_text`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's interface
        return safe_text(value) if value is not None else None


class OrderedText(SafeText):
    """Such text that every database sorts as Python does, by its code points."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Text(collation="C"))


class TextList(TypeDecorator[list[str]]):
    """A list of texts that can be searched: ``text[]`` on PostgreSQL, a JSON array on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(Text()))

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        texts = [safe_text(text) for text in value]
        return json.dumps(texts) if dialect.name == "sqlite" else texts

    def process_result_value(self, value: Any, dialect: Dialect) -> list[str] | None:
        if value is None:
            return None
        return json.loads(value) if dialect.name == "sqlite" else list(value)
