import pytest

from sr.quantization.processor import dot_products_among, has_dot_products


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512_vnni\n", True),
        ("flags\t\t: fpu avx2 avx_vnni\n", True),
        ("flags\t\t: fpu amx_int8\n", True),
        ("flags\t\t: fpu avx2 fma\n", False),
        ("flags\t\t: avx512_vnnix\n", False),
        ("model name : avx512_vnni\n", False),
        ("", False),
    ],
)
def test_dot_products_are_those_of_the_flags(cpuinfo: str, expected: bool) -> None:
    assert dot_products_among(cpuinfo) is expected


def test_this_processor_has_them_or_not() -> None:
    assert has_dot_products() in (True, False)
