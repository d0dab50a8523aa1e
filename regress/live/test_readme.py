"""The first tunnel of the README: its files and its commands as they stand, in two namespaces."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from regress.interop.namespace import SetupFailure, tun_device
from regress.live.hosts import ADDRESSES, Host, two

ROOT = Path(__file__).resolve().parents[2]
CIPHERS = {"aes256": ("AES_CBC", 256), "aes256gcm16": ("AES_GCM_16", 256)}
HASHES = {"sha256": ("HMAC_SHA2_256_128", "HMAC_SHA2_256")}  # for integrity, as prf
GROUPS = {"x25519": "CURVE25519"}

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not tun_device(), reason="needs /dev/net/tun"),
]


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text.partition("\n## A first tunnel")[2].partition("\n## What a refusal")[0]
    found = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", part)
    return [block for kind, block in found if kind == language]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[dict[str, Host]]:
    try:
        with two(tmp_path, dict(zip(ADDRESSES, blocks("ini"), strict=True))) as made:
            yield made
    except SetupFailure as error:
        pytest.skip(str(error))


def lines(number: int) -> list[str]:
    return [line for line in blocks("sh")[number].splitlines() if line]


def looks(text: str) -> str:
    """A table without what is another each time: numbers of one run, and how wide they are."""
    text = re.sub(r"\d+[smh][\dsm]*(/\d+[smh][\dsm]*)+", "AGES", text)
    text = re.sub(r"\d+ \d+B", "COUNT", text)
    return re.sub(r"[ \t]+", " ", text)


def test_the_first_tunnel(hosts: dict[str, Host]) -> None:
    for name in ("east", "west"):
        for line in lines(0):
            told = hosts[name].run(line)
            if "--check" in line:
                peer = {"west": "east", "east": "west"}[name]
                assert told == blocks("text")[0].replace("[east]", f"[{peer}]")
            else:
                assert told == ""
    up, ping, sa = lines(1)
    assert hosts["west"].run(up).startswith("to-east is up\n")
    assert "3 received" in hosts["west"].run(ping)
    shown = looks(hosts["west"].run(sa)).splitlines()
    for block in blocks(""):
        if block.startswith("$ isakmpctl sa"):
            printed = [line for line in looks(block).splitlines()[1:] if line.strip() != "..."]
            assert [line for line in printed if line not in shown] == []
            break
    else:
        pytest.fail("the README does not show the SAs")


def test_what_is_written_is_what_is_negotiated(hosts: dict[str, Host]) -> None:
    for name in ("east", "west"):
        for line in lines(0):
            hosts[name].run(line)
    hosts["west"].run(lines(1)[0])
    answer = json.loads(hosts["west"].run(f"{lines(1)[2]} --json"))["result"]
    ike, esp = (next(row for row in answer if row["phase"] == phase) for phase in (1, 2))
    ini = blocks("ini")[0]
    cipher, digest, group = re.findall(r"IKE-proposals= (\S+)", ini)[0].split("-")
    assert (ike["encryption"], ike["key_bits"]) == CIPHERS[cipher]
    assert (ike["hash"], ike["prf"]) == HASHES[digest]
    assert ike["group"] == GROUPS[group]
    cipher, _ = re.findall(r"ESP-proposals= (\S+)", ini)[0].split("-")
    assert (esp["encryption"], esp["key_bits"]) == CIPHERS[cipher]
