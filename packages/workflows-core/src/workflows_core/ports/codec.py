"""How values become bytes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Protocol

__all__ = ["PayloadCodec"]


class PayloadCodec(Protocol):
    """Turns one value of the data, a result or an event's content into bytes, and back.

    All processes of an installation must use codecs that read each other's bytes: what one worker wrote another one reads, possibly
    years later. The store treats the bytes as opaque, and never looks into them.
    """

    @abstractmethod
    def encode(self, value: Any) -> bytes:
        """Encode a value.

        Deterministic: equal values of equal types, whose mappings have the same order, give equal bytes, in every process and after
        every upgrade. Changes of the data are found by comparing bytes, so a codec that encrypts must derive its nonce from the
        content. The value is not changed and not kept: later changes of it do not show in the bytes. Called from any thread.

        Args:
            value: At least None, bool, int, float, str, and lists and mappings with text keys of these, must be accepted.

        Returns:
            The encoding; never empty.

        Raises:
            PayloadError: The value, or something inside it, cannot be given back exactly; `path` says where as a JSON pointer, `hint`
                says what to store instead, `key` is empty: the caller knows it.
        """

    @abstractmethod
    def decode(self, raw: bytes) -> Any:
        """Decode what `encode` returned, now or in an older version.

        Args:
            raw: The bytes, unchanged.

        Returns:
            A new value, equal to the encoded one and of the same types all the way down; the caller may change it.

        Raises:
            PayloadDecodeError: The bytes are not a payload, or were written by a newer version; `key` is empty.
        """
