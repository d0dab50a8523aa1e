"""What a Delete names that nobody has: told in short."""

from __future__ import annotations

from isakmp.deletes import SHOWN_MAX, shown


class Counted(list[int | bytes]):
    """SPIs, of which it says how many were looked at."""

    looked = 0

    def __getitem__(self, at: object) -> list[int | bytes]:  # type: ignore[override]
        assert isinstance(at, slice)
        found = super().__getitem__(at)
        self.looked += len(found)
        return found


def test_of_thousands_the_first_are_told() -> None:
    assert shown([1, b"\xab\xcd"]) == "00000001 abcd"
    many = Counted(range(16_000))
    assert shown(many).endswith(f"0000000f and {16_000 - SHOWN_MAX} more")
    assert many.looked == SHOWN_MAX
