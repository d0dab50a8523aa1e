"""What a capture held: counts that a flood cannot make grow without end."""

from __future__ import annotations

from ipaddress import ip_address

from isakmp.capture.tally import MAX_SPIS, Tally

US, THEM = ip_address("192.0.2.1"), ip_address("192.0.2.2")


def test_esp_is_counted_by_direction_and_spi() -> None:
    tally = Tally()
    for source, destination, spi in ((US, THEM, 256), (THEM, US, 256), (US, THEM, 256)):
        tally.count_esp(source, destination, spi)
    assert tally.esp == {(US, THEM, 256): 2, (THEM, US, 256): 1}
    assert tally.esp_packets == 3


def test_so_many_spis_are_told_apart_and_all_packets_counted() -> None:
    tally = Tally()
    for spi in range(256, 256 + MAX_SPIS + 10):
        tally.count_esp(US, THEM, spi)
    tally.count_esp(US, THEM, 256)
    assert len(tally.esp) == MAX_SPIS and tally.esp_packets == MAX_SPIS + 11
    assert tally.esp[US, THEM, 256] == 2, "one that is known goes on"
    assert (US, THEM, 256 + MAX_SPIS) not in tally.esp


def test_each_capture_has_counts_of_its_own() -> None:
    Tally().count_esp(US, THEM, 256)
    assert Tally() == Tally(frames=0, other=0, esp_packets=0)
