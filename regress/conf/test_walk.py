"""The walk through a configuration goes in steps, which hide nothing. What it finds: test_check.py
and its neighbours."""

from __future__ import annotations

import pytest

from isakmp.conf.check import check, judge
from isakmp.conf.store import Conf
from isakmp.conf.walk import Walk
from isakmp.event.steps import at_once
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import no_interfaces
from isakmp.policy.readings import Readings
from isakmp.policy.supported import UNKNOWN
from regress.configurations import MANY, many
from regress.pair import WEST


def walk(text: str) -> Walk:
    conf = Conf.from_text(text)
    return Walk(conf, no_interfaces, Readings(conf, no_interfaces), UNKNOWN)


def test_a_step_reads_a_section_or_less() -> None:
    one, most, before = walk(many()), 0, 0
    for _ in one.run():
        read = len(one.remotes) + len(one.connections)
        most, before = max(most, read - before), read
    assert len(one.remotes) == len(one.connections) == MANY
    assert most == 1


def test_a_long_list_is_many_steps() -> None:
    names = ",".join(f"c{n}" for n in range(1000))
    few = sum(1 for _ in walk("[Phase 2]\nPassive-connections= c0\n").run())
    assert sum(1 for _ in walk(f"[Phase 2]\nPassive-connections= {names}\n").run()) > few + 20


def test_it_may_be_left_and_begun_again() -> None:
    text = many() + "[stray]\nAddress= 192.0.2.300\n"
    left = walk(text).run()
    for _ in range(50):
        next(left)
    left.close()
    conf = Conf.from_text(text)
    again, found = walk(text), judge(conf)
    for _ in again.run():
        pass
    assert list(again.errors.values()) == found.errors
    assert set(again.warnings) <= set(found.warnings) and again.warnings


def test_an_identity_beside_a_list_of_its_side_counts_for_nothing() -> None:
    text = WEST.text().replace("Remote-ID= far", "Remote-ID= far\nRemote-selectors= 10.2.0.0/16")
    said = [text for text in judge(Conf.from_text(text)).warnings if "counts for nothing" in text]
    (line,) = (n for n, one in enumerate(text.splitlines(), 1) if one == "Remote-ID= far")
    assert [one.partition(":")[2] for one in said] == [
        f"{line} [west-east]:Remote-ID: counts for nothing beside Remote-selectors"
    ]


def test_a_tag_without_a_value_is_ignored_where_its_kind_does_not_need_one() -> None:
    """Of a name that is no tag of that kind alone it is known by its section."""
    found = walk("[ipv4/10.0.0.1]\nAddress= 10.0.0.2\nMode=\n" + WEST.text())
    at_once(found.run())
    (line,) = [line for line in found.warnings if ":Mode has no value" in line]
    assert line.endswith("[ipv4/10.0.0.1]:Mode has no value and is ignored")
    for header, tag in (("west-east", "Mode"), ("General", "Max-SAs"), ("phase-2", "DOI")):
        found = walk(WEST.text().replace(f"[{header}]\n", f"[{header}]\n{tag}=\n"))
        at_once(found.run())
        wanted = [] if tag == "DOI" else [(header.lower(), tag.lower(), "no value")]
        assert list(found.errors) == wanted


@pytest.mark.parametrize("tag", ["Connections", "Passive-connections"])
def test_what_is_a_connection_is_no_bypass(tag: str) -> None:
    """What it has would go in clear."""
    text = WEST.text().replace("Connections=", f"{tag}=")
    text = text.replace("Local-ID= near\nRemote-ID= far", "Local-selectors= 10.1.0.0/16\n"
                        "Remote-selectors= 10.2.0.0/16")  # fmt: skip
    conf = Conf.from_text(text.replace("[Phase 2]\n", "[Phase 2]\nBypass= West-east\n"), "f")
    told = [str(error) for error in check(conf) if "Bypass" in str(error)]
    assert told == [
        "f:6 [Phase 2]:Bypass: West-east is listed as a connection, too, and would go in clear "
        "(list it in one of the two)"
    ]
    catalog = Catalog(conf, no_interfaces, faults=judge(conf).faults)
    catalog.load()
    assert list(catalog.connections) == ["west-east"] and not catalog.bypass


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("192.0.2.2:500", "Port= 500"),
        ("[2001:db8::1]:4500", "write 2001:db8::1 alone: a port stands in a tag of its own"),
        ("192.0.2.2#west", "write 192.0.2.2 alone: a blank goes before the # of a comment"),
        ("192.0.2.2\xa0", "write 192.0.2.2 alone: U+00A0 looks like a blank, and is none"),
        ("\u202f2001:db8::1", "write 2001:db8::1 alone: U+202F looks like a blank"),
        ('"192.0.2.2"', "write 192.0.2.2 alone without quotes"),
    ],
)
@pytest.mark.parametrize("tag", ["Address", "Local-address"])
def test_what_stands_beside_an_address_is_told(tag: str, text: str, hint: str) -> None:
    conf = Conf.from_text(f"[Phase 1]\nDefault= p\n[p]\nKey-exchange= ikev2\n{tag}= {text}\n")
    assert [hint in error.hint for error in judge(conf).errors if error.tag == tag] == [True]


@pytest.mark.parametrize("name", ["Ciphersuites", "xyz"])
@pytest.mark.parametrize(
    ("section", "tag", "value"),
    [("c", "ESP-proposals", "aes256gcm16, aes256-sha256"), ("p", "IKE-proposals",
                                                           "aes256-sha256-x25519")],
)  # fmt: skip
def test_an_unknown_tag_with_keywords_is_an_error(
    name: str, section: str, tag: str, value: str
) -> None:
    """Whatever it is called: without it the defaults would count. Beside the right one it is not
    needed."""
    both = {"p": "Address= 192.0.2.2\n", "c": "ISAKMP-peer= p\n"}
    lists = "[Phase 1]\n192.0.2.2= p\n[Phase 2]\nConnections= c\n"

    def errors(more: str) -> list[str]:
        sections = (f"[{one}]\n{text}{more * (one == section)}" for one, text in both.items())
        judged = judge(Conf.from_text(lists + "".join(sections)))
        return [error.hint for error in judged.errors if error.tag == name]

    assert errors(f"{name}= {value}\n") == [f"did you mean {tag}?"]
    assert errors(f"{name}= {value}\n{tag}= {value}\n") == []
    assert errors(f"{name}= certainly\n") == []
