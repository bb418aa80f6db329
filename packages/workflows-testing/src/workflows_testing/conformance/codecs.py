"""Rules for every `PayloadCodec`."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from workflows_core.domain.payload import PayloadDecodeError
from workflows_core.errors import PayloadError
from workflows_core.ports.codec import PayloadCodec

__all__ = ["PayloadCodecConformance"]

VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, 2**53 + 1, -(2**63), 0.0, -0.0, 0.1, 1e-300, sys.float_info.max, 5e-324,
    "", "text", "nul \x00 and \x7f", "line\nbreak", "\\ \" / '", "日本語 👩‍💻", "é", "e\u0301", "\ufeff", "\u2028",
    [], [1, [2, [3, []]]], {}, {"": 0, "a": {"b": [None, {"c": True}]}, "nul \x00": 1}, {"$type": "text", "type": 1},
)  # fmt: skip
"""What every codec accepts."""


class PayloadCodecConformance:
    """The suite; override the fixture ``codec``.

    Attributes:
        adapter: The class under test.
    """

    adapter: type

    @pytest.fixture
    def codec(self) -> PayloadCodec:
        """The codec under test."""
        msg = f"{type(self).__name__} must override the fixture `codec`"
        raise TypeError(msg)

    def test_values_come_back_with_their_types(self, codec: PayloadCodec) -> None:
        for value in VALUES:
            assert repr(codec.decode(codec.encode(value))) == repr(value)

    def test_mappings_keep_their_order(self, codec: PayloadCodec) -> None:
        assert list(codec.decode(codec.encode({"z": 1, "m": 2, "a": 3}))) == ["z", "m", "a"]

    def test_equal_values_give_equal_bytes(self, codec: PayloadCodec) -> None:
        for value in VALUES:
            raw = codec.encode(value)
            assert codec.encode(codec.decode(raw)) == raw

    def test_different_values_give_different_bytes(self, codec: PayloadCodec) -> None:
        assert len({codec.encode(value) for value in VALUES}) == len(VALUES)

    def test_no_encoding_is_empty(self, codec: PayloadCodec) -> None:
        assert all(codec.encode(value) for value in VALUES)

    def test_later_changes_of_a_value_do_not_show(self, codec: PayloadCodec) -> None:
        value = {"items": [1]}
        raw = codec.encode(value)
        value["items"].append(2)
        assert codec.decode(raw) == {"items": [1]}

    def test_encoding_leaves_the_value_as_it_is(self, codec: PayloadCodec) -> None:
        value = {"b": [1, {"c": 2}], "a": 1}
        codec.encode(value)
        assert repr(value) == repr({"b": [1, {"c": 2}], "a": 1})

    def test_every_decoding_gives_a_new_value(self, codec: PayloadCodec) -> None:
        raw = codec.encode({"items": [1]})
        codec.decode(raw)["items"].append(2)
        assert codec.decode(raw) == {"items": [1]}

    def test_what_cannot_be_stored_is_refused_with_its_place_and_a_hint(self, codec: PayloadCodec) -> None:
        with pytest.raises(PayloadError) as refusal:
            codec.encode({"orders": [1, {"seller": object()}]})
        assert (refusal.value.path, refusal.value.key) == ("/orders/1/seller", "")
        assert refusal.value.hint

    def test_bytes_that_are_no_payload_are_refused(self, codec: PayloadCodec) -> None:
        for raw in (b"", b"\xff\x00", b"[1, 2"):
            with pytest.raises(PayloadDecodeError):
                codec.decode(raw)

    def test_several_threads_may_use_it_at_once(self, codec: PayloadCodec) -> None:
        def differing() -> list[Any]:
            return [value for value in VALUES * 5 if repr(codec.decode(codec.encode(value))) != repr(value)]

        with ThreadPoolExecutor(4) as pool:
            found = [pool.submit(differing) for _ in range(4)]
        assert [future.result() for future in found] == [[]] * 4
