"""A file that has lost its list of connections is refused; what goes in clear is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fifo_ui.commands import run
from isakmp.app.base import Action
from isakmp.conf.store import Conf
from isakmp.errors import ConfError, IsakmpError
from isakmp.event.steps import at_once
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import no_interfaces
from isakmp.policy.vanished import Said, in_clear, refuse_incomplete
from regress.pair import WEST, Host, Network

FULL = WEST.text()
LIST = "[Phase 2]\nConnections= west-east\n"
LAST = FULL.replace(LIST, "") + LIST
SECTION = FULL[FULL.index("[west-east]") : FULL.index("[near]")]
CONNECTION = """
[{0}]
ISAKMP-peer= east
Local-selectors= 10.1.0.0/16
Remote-selectors= {1}
"""
BASE = FULL.replace(SECTION, "").replace(LIST, "")


def cut(text: str, before: str) -> str:
    """What is left of a file that is cut off there."""
    return text[: text.index(before)]


# Its identities come before the connection, which is the last section.
AT_THE_END = FULL.replace(SECTION, "") + SECTION
LOST = {
    "empty": "",
    "blank": "\n# nothing\n",
    "cut off behind [General]": cut(FULL, "[Phase 1]"),
    "cut off before [Phase 2]": cut(FULL, "[Phase 2]"),
    "cut off before its list": cut(FULL, "Connections="),
    "cut off before the list behind all others": cut(LAST, "[Phase 2]"),
    "the list is taken out": FULL.replace("Connections= west-east\n", ""),
    "the list and its header are": FULL.replace(LIST, ""),
    "the list is a comment": FULL.replace("Connections=", "# Connections="),
    "a list without a value": FULL.replace("Connections= west-east", "Connections="),
    "a comment for a value": FULL.replace("Connections= west-east", "Connections= # west-east"),
    "a comma for a value": FULL.replace("Connections= west-east", "Connections= ,"),
    "a misspelt list without a value": FULL.replace("Connections= west-east", "Conections="),
    "cut off before both sides of the traffic": cut(AT_THE_END, "Local-ID"),
    "cut off before the far side": cut(AT_THE_END, "Remote-ID"),
    "the near side is taken out": FULL.replace("Local-ID= near\n", ""),
    "the near side is a comment": FULL.replace("Local-ID= near\n", "# Local-ID= near\n"),
    "an empty list beside one": FULL.replace(LIST, f"{LIST}Passive-connections= # west-east\n"),
}
# What is left out with its traffic dropped, or carries more than before.
HELD = {
    "a side that is misspelt": ("Remote-ID=", "Remot-ID="),
    "a side whose name is": ("Remote-ID= far", "Remote-ID= fra"),
    "an identity without its type": ("[far]\nID-type= IPV4_ADDR_SUBNET\n", "[far]\n"),
    "an identity without its network": ("Network= 10.2.0.0\n", ""),
    "an identity without its mask": ("Netmask= 16\n", ""),
    "an identity without its protocol": ("Protocol= 6\n", ""),
    "an identity without its port": ("Port= 80\n", ""),
}  # fmt: skip
FAR = "10.2.0.0\nNetmask= 16\nProtocol= 6\nPort= 80"
OTHERWISE = FULL.replace("Local-ID= near\n", "Local-selectors= 10.1.0.0/16\n").replace(
    "Remote-ID= far\n", "Remote-selectors= 10.2.0.0/16\n"
)


def on_disk(tmp_path: Path) -> tuple[Host, Path]:
    """West, which has read its file."""
    path = tmp_path / "isakmpd.conf"
    path.write_text(FULL)
    path.chmod(0o600)
    west = Network().add(WEST.address, "", conf=Conf.load(path))
    west.daemon.start()
    return west, path


@pytest.mark.parametrize("lost", LOST)
def test_what_was_protected_stays_so_where_the_lists_are_lost(tmp_path: Path, lost: str) -> None:
    west, path = on_disk(tmp_path)
    policies = west.app.policies.copy()
    assert len(policies) > 1
    path.write_text(LOST[lost])
    for _ in range(2):
        with pytest.raises(ConfError, match="nothing has changed: what was read before holds"):
            west.reload()
    assert west.app.policies == policies


@pytest.mark.parametrize("held", HELD)
def test_what_is_not_lost_stays_closed_as_it_is_read_now(tmp_path: Path, held: str) -> None:
    west, path = on_disk(tmp_path)
    full = FULL.replace("10.2.0.0\nNetmask= 255.255.0.0", FAR)
    path.write_text(full)
    west.reload()
    was, now = HELD[held]
    assert was in full
    path.write_text(full.replace(was, now))
    assert not [line for line in west.reload() if "in clear" in line]
    assert west.app.policies


LOCAL = "Local-selectors= 10.1.0.0/16, \\\n    10.5.0.0/16\n"
LISTED = FULL.replace(SECTION, "") + SECTION.replace("Local-ID= near\n", "").rstrip() + f"\n{LOCAL}"
BOTH = AT_THE_END.rstrip() + f"\n{LOCAL}"
PRINTER = "\n[printer]\nRemote-selectors= 10.2.5.0/24\nLocal-selectors= 10.1.9.7\n"
BYPASS = FULL.replace(LIST, f"{LIST}Bypass= printer\n") + PRINTER


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (FULL, OTHERWISE),
        (OTHERWISE, FULL),
        (BOTH, BOTH.replace("Local-ID= near\n", "")),
        (BOTH, cut(BOTH, "Local-selectors").replace("Local-ID= near", "Local-ID= far")),
        (BYPASS, BYPASS.replace("Local-selectors= 10.1.9.7", "Local-selectors= 0.0.0.0/0")),
        (BYPASS, BYPASS.replace("Bypass= printer", "Bypass= other") + "[other]\n"),
        (BYPASS, BYPASS.replace("Local-selectors=", "Local-selector=")),
        (BYPASS, BYPASS.replace("Local-selectors=", "Locals=")),
        (LISTED, LISTED.replace(", \\\n    10.5.0.0/16", "")),
        (LISTED, LISTED.rstrip()),
        (LISTED, LISTED.replace("10.5.0.0/16\n", "10.5.0.0/16, \\\n")),
        (LISTED.replace(LOCAL, ""), cut(LISTED, ", \\\n    10.5.0.0/16")),
        (FULL.replace("Connections= west-east", "Connections= other"),
         FULL.replace("Local-ID= near\n", "")),
    ],
)  # fmt: skip
def test_what_is_said_otherwise_is_no_loss(before: str, after: str) -> None:
    assert before != after
    at_once(refuse_incomplete(Conf.from_text(before), Conf.from_text(after), {}))


@pytest.mark.parametrize(
    ("before", "after", "hint"),
    [
        (FULL, LOST["the near side is taken out"], "write Local-ID if the host itself is meant"),
        (FULL, LOST["cut off before the far side"], "write Remote-ID if the peer itself is meant"),
        (BOTH, cut(BOTH, "Local-selectors"), "write Local-selectors with what is meant"),
        (BYPASS, cut(BYPASS, "Local-selectors= 10.1.9.7"),
         "write Local-selectors= 0.0.0.0/0, or ::/0, if everybody is meant"),
        (BYPASS, BYPASS.replace("Local-selectors= 10.1.9.7", "Locals= printer"),
         "write Local-selectors= 0.0.0.0/0, or ::/0, if everybody is meant"),
        (FULL.replace("Remote-ID=", "Remot-ID="), FULL.replace("Remote-ID= far\n", ""),
         "write Remote-ID if the peer itself is meant"),
    ],
)  # fmt: skip
def test_a_lost_side_is_told_with_what_to_write_instead(before: str, after: str, hint: str) -> None:
    with pytest.raises(ConfError) as refused:
        at_once(refuse_incomplete(Conf.from_text(before), Conf.from_text(after), {}))
    tag = hint.split()[1].rstrip("=")
    said = f"{tag} was written, and is not there now: is the file cut off?"
    assert refused.value.reason == said
    assert refused.value.hint == hint


WIDER = "Remote-ID= far\nRemote-selectors= 10.3.0.0/16\n"
OWN = SECTION.replace("Remote-ID= far\n", "").rstrip() + "\nRemote-ID= far\n"


@pytest.mark.parametrize("base", [FULL, AT_THE_END, FULL.replace(SECTION, "") + OWN])
@pytest.mark.parametrize("wider", [WIDER, "".join(WIDER.splitlines(keepends=True)[::-1])])
def test_a_file_that_was_good_is_put_back(tmp_path: Path, base: str, wider: str) -> None:
    """Also where its connection comes last, with what was taken out at its end."""
    west, path = on_disk(tmp_path)
    path.write_text(base)
    west.reload()
    protected = [policy.selector for policy in west.app.policies]
    path.write_text(base.replace("Remote-ID= far\n", wider))
    told = "west-east has other traffic now: 10.1.0.0/16 with 10.2.0.0/16 goes in clear"
    assert told in west.reload()
    path.write_text(base)
    west.reload()
    assert [policy.selector for policy in west.app.policies] == protected


def test_a_file_that_was_good_without_a_side_is_put_back() -> None:
    said: Said = {}
    hosts = Conf.from_text(
        AT_THE_END.replace("Local-ID= near\n", "").replace("Remote-ID= far\n", "")
    )
    nets = Conf.from_text(AT_THE_END)
    at_once(refuse_incomplete(hosts, nets, said))
    at_once(refuse_incomplete(nets, hosts, said))
    half = Conf.from_text(cut(AT_THE_END, "Remote-ID"))
    with pytest.raises(ConfError, match="Remote-ID was written, and is not there now"):
        at_once(refuse_incomplete(nets, half, said))


@pytest.mark.parametrize("near", [False, True])
def test_what_counted_is_taken_out_where_the_file_goes_on(near: bool) -> None:
    """Of an identity and a list either says the side."""
    tag, lists = ("Local", "10.1.0.0/16") if near else ("Remote", "10.3.0.0/16")
    identity = f"{tag}-ID= {'near' if near else 'far'}\n"
    for text in (FULL, AT_THE_END):
        both = text.replace(identity, f"{tag}-selectors= {lists}\n{identity}")
        at_once(refuse_incomplete(Conf.from_text(both), Conf.from_text(text), {}))
    both = FULL.replace(identity, f"{identity}{tag}-selectors= {lists}\n")
    at_once(refuse_incomplete(Conf.from_text(both), Conf.from_text(FULL), {}))


HOSTS = AT_THE_END.replace("Local-ID= near\n", "").replace("Remote-ID= far\n", "")
ADDRESS = "Local-address= 192.0.2.1\n"


@pytest.mark.parametrize("text", [HOSTS, AT_THE_END.replace("Local-ID= near\n", "")])
def test_a_peer_that_has_lost_our_address_is_refused(text: str) -> None:
    """It is our side of a connection that says none."""
    was, lost = Conf.from_text(text), text.replace(ADDRESS, "")
    for after in (lost, lost.replace("[General]\n", f"[General]\n{ADDRESS}"),
                  lost.replace("Phase= 1", f"# {ADDRESS}")):  # fmt: skip
        with pytest.raises(ConfError, match="Local-address was written, and is not there now"):
            at_once(refuse_incomplete(was, Conf.from_text(after), {}))
    said: Said = {}
    at_once(refuse_incomplete(Conf.from_text(lost), was, said))
    at_once(refuse_incomplete(was, Conf.from_text(lost), said))  # as it was before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (AT_THE_END, AT_THE_END.replace(ADDRESS, "")),
        (HOSTS, HOSTS.replace(ADDRESS, "Local-address= default\n")),
        (HOSTS, HOSTS.replace("Local-address=", "Local-adress=")),
        (HOSTS, HOSTS.replace(ADDRESS, "").rstrip() + "\nLocal-ID= near\n"),
        (HOSTS, HOSTS.replace(ADDRESS, "").rstrip() + "\nLocal-selector= 192.0.2.1\n"),
        (HOSTS, HOSTS.replace(ADDRESS, "").replace("east", "west")),
    ],
)
def test_a_peer_whose_connection_says_our_side_may_lose_it(before: str, after: str) -> None:
    at_once(refuse_incomplete(Conf.from_text(before), Conf.from_text(after), {}))


SOUTH = "[west-south]\nISAKMP-peer= east\nLocal-ID= near\nRemote-selectors= 10.3.0.0/16\n"
BOTH_LISTS = FULL.replace(LIST, "") + SOUTH + LIST + "Passive-connections= west-south\n"


@pytest.mark.parametrize("tag", ["Connections", "Passive-connections"])
def test_one_list_of_two_is_lost(tag: str) -> None:
    name = "west-east" if tag == "Connections" else "west-south"
    line = f"\n{tag}= {name}\n"
    was = Conf.from_text(BOTH_LISTS)
    for after in ("\n", f"\n# {line[1:]}"):
        with pytest.raises(ConfError, match="had it, and is not there now") as refused:
            at_once(refuse_incomplete(was, Conf.from_text(BOTH_LISTS.replace(line, after)), {}))
        assert refused.value.section == name
    section = SOUTH if tag == "Passive-connections" else SECTION
    for fresh in (
        BOTH_LISTS.replace(line, "\n").replace(section, ""),
        BOTH_LISTS.replace(line, "\n") + f"Bypass= {name}\n",
        BOTH_LISTS.replace("\nConnections= west-east", "\nConnections= west-south, west-east")
        .replace("\nPassive-connections= west-south\n", "\n"),
    ):  # fmt: skip
        at_once(refuse_incomplete(was, Conf.from_text(fresh), {}))


@pytest.mark.parametrize(
    ("text", "change", "tag"),
    [
        (FULL, "rm [west-east]:Remote-ID", "Remote-ID"),
        (FULL, "rm [west-east]:Local-ID", "Local-ID"),
        (BOTH, "rm [west-east]:Local-selectors", "Local-selectors"),
        (LISTED, "rmv [west-east]:Local-selectors=10.1.0.0/16", ""),
        (FULL, "rm [west-east]:Remote-ID ; set [west-east]:Remote-ID=far", ""),
        (FULL, "rm [west-east]:Remote-ID ; set [west-east]:Remote-selectors=10.9.0.0/16", ""),
        (FULL, "rm [west-east]:Remote-ID ; set [General]:Check-interval=7", "Remote-ID"),
        (FULL, "rmv [Phase 2]:Connections=west-east ; rm [west-east]:Remote-ID", ""),
        (BYPASS, "rm [printer]:Local-selectors", "Local-selectors"),
        (BYPASS, "rm [printer]:Remote-selectors", ""),
    ],
)
@pytest.mark.parametrize("verb", ["", "apply "], ids=["alone", "applied"])
def test_a_change_that_takes_a_side_is_refused_as_a_file_is(
    tmp_path: Path, text: str, change: str, tag: str, verb: str
) -> None:
    west, path = on_disk(tmp_path)
    path.write_text(text)
    west.reload()
    before = west.daemon.conf.generation
    why = ""
    try:
        west.done(run(west.daemon, f"C {verb}{change}"))
    except IsakmpError as error:
        why = str(error)
    assert (f"{tag} was written, and would be gone (write " in why) is bool(tag), why
    assert "cut off" not in why
    assert (west.daemon.conf.generation == before) is bool(why)


@pytest.mark.parametrize(
    "change",
    [
        "set [west-east]:Remote-ID=far force",
        "set [west-east]:Remote-ID=near force",
        "set [west-east]:Phase=2 force",
        "add [west-east]:Remote-selectors=10.9.0.0/16",
        "rms [west-east]",
    ],
)
def test_what_is_set_at_run_time_takes_no_side_from_the_file(tmp_path: Path, change: str) -> None:
    west, path = on_disk(tmp_path)
    for each in (change, "add [Phase 2]:Passive-connections=west-east"):
        west.done(run(west.daemon, f"C {each}"))
    west.network.run(6)  # the lists have been looked at
    path.write_text(cut(AT_THE_END, "Remote-ID"))
    with pytest.raises(ConfError, match="Remote-ID was written, and is not there now"):
        west.reload()
    path.write_text(AT_THE_END)
    west.reload()
    assert west.app.policies


@pytest.mark.parametrize("end", [", \\\n", ", \\", ",\n", ",", "", ", 10.5", ", \\\r\n"])
def test_a_file_that_ends_within_what_a_value_was_is_refused(end: str) -> None:
    before = LISTED.replace(", \\\n    ", ", ")
    after = cut(LISTED, ", \\\n    10.5.0.0/16") + end
    with pytest.raises(ConfError) as refused:
        at_once(refuse_incomplete(Conf.from_text(before), Conf.from_text(after), {}))
    assert refused.value.tag == "Local-selectors"
    assert "and the file ends here: is it cut off?" in str(refused.value)
    at_once(refuse_incomplete(Conf.from_text(after), Conf.from_text(after), {}))


@pytest.mark.parametrize("before", [False, True], ids=["in use", "dropped"])
def test_the_network_is_given_back_where_section_and_name_go(tmp_path: Path, before: bool) -> None:
    west, path = on_disk(tmp_path)
    if before:
        path.write_text(FULL.replace("Remote-ID= far", "Remote-ID= fra"))
        west.reload()
        assert any(policy.action is Action.DISCARD for policy in west.app.policies)
    path.write_text(FULL.replace(SECTION, "").replace("Connections= west-east\n", ""))
    line = "west-east is no longer configured: its traffic goes in clear"
    assert line in west.reload()
    assert f" INTERNAL_WARN  configuration reloaded: {line}" in west.said
    assert not west.app.policies


def test_what_was_set_at_run_time_is_forgotten() -> None:
    conf = Conf.from_text(BASE)
    change = conf.begin()
    change.set("new", "ISAKMP-peer", "east")
    change.add("Phase 2", "Connections", "new")
    change.commit()
    at_once(refuse_incomplete(conf, Conf.from_text(""), {}))


def test_a_bypass_is_no_connection() -> None:
    lan = "[Phase 2]\nBypass= lan\n[lan]\nLocal-ID= near\nRemote-selectors= 10.1.0.0/16\n"
    at_once(refuse_incomplete(Conf.from_text(FULL), Conf.from_text(BASE + lan), {}))


def catalog(bypass: str = "", **connections: str) -> Catalog:
    """That of connections with these far networks, and of a bypass."""
    text = BASE + f"[Phase 2]\nConnections= {', '.join(connections)}\n"
    text = re.sub(r"Connections= \n", "", text)
    text += "Bypass= lan\n" * bool(bypass)
    text += "".join(CONNECTION.format(*item) for item in connections.items())
    found = Catalog(Conf.from_text(text + bypass), no_interfaces)
    found.load()
    return found


GONE = "a is no longer configured: its traffic goes in clear"
OTHER = "a has other traffic now: 10.1.0.0/16 with 10.2.0.0/16 goes in clear"
REST = ", but for what others have"


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"a": "10.2.0.0/16"}, []),
        ({"b": "10.2.0.0/16"}, []),
        ({"b": "10.0.0.0/8"}, []),
        ({"a": "10.2.0.0/99"}, []),  # in error, so that it stays closed
        ({}, [GONE]),
        ({"b": "10.3.0.0/16"}, [GONE]),
        ({"a": "10.3.0.0/16"}, [OTHER]),
        ({"b": "10.2.0.0/17"}, [GONE + REST]),
        ({"b": "10.2.0.0/16[tcp]"}, [GONE + REST]),
    ],
)  # fmt: skip
def test_what_goes_in_clear(now: dict[str, str], told: list[str]) -> None:
    before = catalog(a="10.2.0.0/16")
    after = Catalog(catalog(**now).conf, no_interfaces)
    at_once(after.loading(before))
    assert at_once(in_clear(before, after)) == told


NARROW = "[lan]\nLocal-selectors= 10.1.9.7\nRemote-selectors= 10.2.5.0/24\n"
PASSES = "a: what Bypass lan lets pass of {} goes in clear"


@pytest.mark.parametrize(
    ("bypass", "told"),
    [
        (NARROW, []),
        (NARROW.replace("Local-selectors= 10.1.9.7\n", ""),
         [PASSES.format("10.1.0.0/16 with 10.2.5.0/24")]),
        (NARROW.replace("10.2.5.0/24", "10.0.0.0/8"),
         [PASSES.format("10.1.9.7/32 with 10.2.0.0/16")]),
        (NARROW.replace("10.2.5.0/24", "10.2.5.0/24, 10.2.6.0/24, 10.9.0.0/16"),
         [PASSES.format("10.1.9.7/32 with 10.2.6.0/24")]),
        (NARROW.replace("10.2.5.0/24", "10.2.5.9"), []),
        (NARROW.replace("10.2.5.0/24", "10.3.0.0/16"), []),
        (NARROW.replace("[lan]\n", "[lan]\nRemote-selektors= 10.2.0.0/16\n"), []),
        ("", []),
    ],
)  # fmt: skip
def test_what_a_bypass_lets_pass_now_is_told(bypass: str, told: list[str]) -> None:
    before, now = (catalog(text, a="10.2.0.0/16") for text in (NARROW, bypass))
    assert at_once(in_clear(before, now)) == told


def test_what_a_bypass_lets_pass_is_told_of_what_was_dropped_too() -> None:
    before = catalog(a="10.2.0.0/16\nESP-proposals= none")
    assert before.closed["a"]
    lines = at_once(in_clear(before, catalog(NARROW, a="10.2.0.0/16")))
    assert lines == [PASSES.format("10.1.9.7/32 with 10.2.5.0/24")]


def test_what_goes_in_clear_all_the_same_is_told_once() -> None:
    assert at_once(in_clear(catalog(a="10.2.0.0/16"), catalog(NARROW))) == [GONE]


def test_what_a_changed_bypass_opens_is_told_with_the_change_and_when_it_counts(
    tmp_path: Path,
) -> None:
    west, path = on_disk(tmp_path)
    path.write_text(BYPASS)
    west.reload()
    answer = west.done(run(west.daemon, "C set [printer]:Local-selectors=0.0.0.0/0 force")).value
    assert isinstance(answer, list)
    line = "bypass printer goes on as it was: connections count 5 s after a change of [Phase 2]"
    assert [told for told in answer if told.startswith(line)]
    answer = west.done(run(west.daemon, "C add [Phase 2]:Passive-connections=west-east")).value
    opened = "west-east: what Bypass printer lets pass of 10.1.0.0/16 with 10.2.5.0/24"
    assert isinstance(answer, list) and f"in 5 s: {opened} goes in clear" in answer
    west.network.run(6)
    assert f" INTERNAL_WARN  connections: {opened} goes in clear" in west.said


def test_what_is_not_dropped_does_not_end(tmp_path: Path) -> None:
    west, path = on_disk(tmp_path)
    path.write_text(FULL.replace(LIST, f"{LIST}Passive-connections= bad\n") + "[bad]\nPhase= 2\n")
    west.reload()
    answer = west.done(run(west.daemon, "C rm [Phase 2]:Passive-connections")).value
    assert isinstance(answer, list)
    assert not [line for line in answer if "ends in" in line]


@pytest.mark.parametrize("out", [False, True], ids=["in use", "dropped"])
def test_what_ends_with_a_change_of_the_lists_is_told_with_what_is_left_of_the_time(
    tmp_path: Path, out: bool
) -> None:
    west, path = on_disk(tmp_path)
    path.write_text(FULL.replace("Remote-ID= far", "Remote-ID= fra") if out else FULL)
    west.reload()
    west.done(run(west.daemon, "C add [Phase 2]:Passive-connections=west-east"))
    west.network.run(4)
    west.done(run(west.daemon, "C rm [Phase 2]:Passive-connections"))
    answer = west.done(run(west.daemon, "C rm [Phase 2]:Connections")).value
    assert isinstance(answer, list)
    then = "what no other protects or drops goes in clear then"
    assert f"connection west-east ends in 1 s: {then}" in answer
    west.network.run(2)
    assert not west.app.policies


def test_a_few_pairs_are_told() -> None:
    many = ", ".join(f"10.2.{number}.0/24" for number in range(0, 16, 2))
    (line,) = at_once(in_clear(catalog(a=f"{many}, 10.3.0.0/16"), catalog(a="10.3.0.0/16")))
    assert line.count(" with ") == 5 and line.endswith(", 3 more goes in clear")
