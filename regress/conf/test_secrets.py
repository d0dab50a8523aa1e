"""Which secrets are warned of."""

from __future__ import annotations

import pytest

from isakmp.conf.secrets import weakness


@pytest.mark.parametrize(
    "secret",
    [b"mekmitasdigoat", b"MekMitasDigoat", b"demo-only-correct-horse-battery-staple",
     b"put-the-output-of-openssl-rand-hex-32-here", b"x", b"hunter2", b"a secret word",
     b"a" * 100, b"abc" * 50, b"2024-11-29", bytes(4), bytes(32)],
)  # fmt: skip
def test_what_can_be_guessed(secret: bytes) -> None:
    assert weakness(secret)


@pytest.mark.parametrize(
    "secret",
    [b"9f2c7be1d04a86b35c7ea1f08d62c394", b"vK8/3xQpZ0+LmT5r", bytes(range(200, 232)),
     b"walnut-ferry-orbit-cactus-lantern-mosaic"],
)  # fmt: skip
def test_what_cannot(secret: bytes) -> None:
    assert weakness(secret) == ""
