"""What is told of a value that is none of those to choose from."""

from enum import StrEnum
from typing import Literal

import msgspec
import pytest

from backend.api import body
from backend.domain.errors import Refusal


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Small(msgspec.Struct, tag="small"):
    size: Literal["S", "M"] | None = None


class Tall(msgspec.Struct, tag="tall"):
    colours: list[Colour] = []
    pair: tuple[int, Literal["left", "right"]] = (1, "left")
    by_name: dict[str, Literal[1, 2]] = {}
    inner: "Tall | None" = None


@pytest.mark.parametrize(
    ("sent", "said", "where"),
    [
        (b'{"type": "small", "size": "XL"}', "Invalid enum value 'XL', expected one of M, S.", "size"),
        (b'{"type": "tall", "colours": ["red", "pink"]}', "expected one of red, blue.", "colours[1]"),
        (b'{"type": "tall", "inner": {"type": "tall", "colours": ["x"]}}', "one of red, blue.", "inner.colours[0]"),
        (b'{"type": "tall", "pair": [1, "up"]}', "expected one of left, right.", "pair[1]"),
        (b'{"type": "tall", "by_name": {"a": 3}}', "expected one of 1, 2.", "by_name[...]"),
        (b'{"type": "wide"}', "Invalid value 'wide', expected one of small, tall.", "type"),
        (b'{"type": "small", "size": 5}', "Expected `str | null`, got `int`.", "size"),
        (b'{"type": "small", "size": " - at `$.x`"}', "expected one of M, S.", "size"),
    ],
)
def test_what_a_choice_is_between_is_told(sent: bytes, said: str, where: str) -> None:
    with pytest.raises(Refusal) as refused:
        body.decode(sent, msgspec.json.Decoder(Small | Tall))
    assert refused.value.text.endswith(said) and refused.value.where == where


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(rb'"a\\u0000b"', r"a\u0000b"), (rb'"\u0000"', None), (rb'"\\\u0000"', None), (rb'"\\\\u0000"', r"\\u0000")],
)
def test_only_the_character_nul_is_refused_not_its_name(sent: bytes, kept: str | None) -> None:
    decoder = msgspec.json.Decoder(str)
    if kept is not None:
        assert body.decode(sent, decoder) == kept
        return
    with pytest.raises(Refusal, match="NUL"):
        body.decode(sent, decoder)
