"""Files and values as kills, downloads and editors leave them."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

# Any value of JSON.
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5) | st.just("x" * 300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


def broken(draw: Draw, content: bytes, most: int = 3) -> bytes:
    """Return a content as it is, in one case of `most`, or broken."""
    if not draw(st.integers(0, most)):
        return content
    how = draw(st.sampled_from(("cut", "flipped", "longer", "other", "empty")))
    if how == "cut":
        return content[: draw(st.integers(0, max(0, len(content) - 1)))]
    if how == "flipped":
        changed = bytearray(content)
        for _ in range(draw(st.integers(1, 6))):
            changed[draw(st.integers(0, len(changed) - 1))] ^= draw(st.integers(1, 255))
        return bytes(changed)
    if how == "longer":
        return content + draw(st.binary(max_size=40))
    return draw(st.binary(max_size=200)) if how == "other" else b""


def edited(draw: Draw, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON with one value in it, at any depth, another or missing."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(value, key=str)))
        if not draw(st.integers(0, 4)):
            return {key: each for key, each in value.items() if key != name}
        return {**value, name: edited(draw, value[name])}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], edited(draw, value[index]), *value[index + 1 :]]
    return draw(ODD)
