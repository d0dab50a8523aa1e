"""Which section a name most likely means that there is not."""

from __future__ import annotations

import pytest

from isakmp.conf.check import check
from isakmp.conf.kinds import Kind
from isakmp.conf.likely import likely_kind
from isakmp.conf.store import Conf
from isakmp.errors import ConfError

TEXT = """\
[Phase 1]
192.0.2.2= east
[Phase 2]
Connections= net
[east]
Address= 192.0.2.2
Local-address= 192.0.2.1
Configuration= main
Authentication= Aeb7oo3ahtho9uNgai5iu0Quie9doh4w
[main]
EXCHANGE_TYPE= ID_PROT
Transforms= strong
[strong]
ENCRYPTION_ALGORITHM= AES_CBC
KEY_LENGTH= 256,256:256
HASH_ALGORITHM= SHA2_256
GROUP_DESCRIPTION= CURVE25519
AUTHENTICATION_METHOD= PRE_SHARED
[net]
ISAKMP-peer= east
Configuration= quick
Local-ID= lnet
Remote-ID= rnet
[quick]
EXCHANGE_TYPE= QUICK_MODE
Suites= suite
[suite]
Protocols= proto
[proto]
PROTOCOL_ID= IPSEC_ESP
Transforms= xform
[xform]
TRANSFORM_ID= AES
KEY_LENGTH= 128,128:128
AUTHENTICATION_ALGORITHM= HMAC_SHA2_256
[lnet]
ID-type= IPV4_ADDR_SUBNET
Network= 10.1.0.0
Netmask= 255.255.0.0
[rnet]
ID-type= IPV4_ADDR_SUBNET
Network= 10.2.0.0
Netmask= 255.255.0.0
"""
KINDS = {
    "east": Kind.PEER, "main": Kind.ISAKMP_CONFIGURATION, "strong": Kind.ISAKMP_TRANSFORM,
    "net": Kind.CONNECTION, "quick": Kind.IPSEC_CONFIGURATION, "suite": Kind.SUITE,
    "proto": Kind.PROTOCOL, "xform": Kind.IPSEC_TRANSFORM, "lnet": Kind.ID, "rnet": Kind.ID,
}  # fmt: skip


def hints(text: str) -> list[str]:
    """Those of the errors of sections that are not there."""
    return [e.hint for e in check(Conf.from_text(text, "f")) if e.missing and "did you" in e.hint]


def test_the_configuration_is_good() -> None:
    assert check(Conf.from_text(TEXT, "f")) == []


@pytest.mark.parametrize("name", KINDS)
def test_a_section_is_of_the_kind_whose_tags_it_has(name: str) -> None:
    assert likely_kind(Conf.from_text(TEXT, "f").written[name]) is KINDS[name]


@pytest.mark.parametrize("name", KINDS)
def test_a_header_that_is_misspelt_is_found_among_others_that_look_more_like_it(name: str) -> None:
    """For each kind there are sections of another one whose names are as near, and nearer."""
    other = "lnet" if KINDS[name] is not Kind.ID else "net"
    body = TEXT.partition(f"[{other}]\n")[2].partition("[")[0]
    decoys = "".join(f"[{decoy}]\n{body}" for decoy in (f"{name}s", f"{name}0", f"0{name}"))
    text = TEXT.replace(f"[{name}]\n", f"[{name}{name[-1]}t]\n") + decoys
    assert f"did you mean {name}{name[-1]}t?" in hints(text)


def test_a_connection_that_nothing_lists_goes_before_networks() -> None:
    assert hints(TEXT.replace("[net]", "[nett]")) == ["did you mean nett?"]


def test_what_nothing_names_goes_before_what_is_in_use() -> None:
    """[eas] is named by [Phase 1]; [eastt] has lost its name."""
    peer = TEXT.partition("[east]\n")[2].partition("[")[0]
    text = TEXT.replace("[east]\n", "[eastt]\n").replace(
        "[Phase 1]\n", "[Phase 1]\n192.0.2.3= eas\n"
    )
    text += f"[eas]\n{peer.replace('192.0.2.2', '192.0.2.3')}"
    assert set(hints(text)) == {"did you mean eastt?"}


def test_a_section_of_another_kind_is_not_what_is_meant() -> None:
    """However much its name looks like it."""
    text = TEXT.replace("ISAKMP-peer= east", "ISAKMP-peer= nett")
    assert hints(text) == []
    text = TEXT.replace("Remote-ID= rnet", "Remote-ID= easy")
    (hint,) = hints(text.replace("lnet", "here").replace("[rnet]", "[there]"))
    assert hint == "Remote-ID names a section: an identity; did you mean there?"


@pytest.mark.parametrize("name", [name for name in KINDS if KINDS[name] is not Kind.ID])
def test_the_only_one_of_its_kind_that_nothing_names_is_meant(name: str) -> None:
    """With a name that looks like no other, while one of another kind does."""
    body = TEXT.partition("[net]\n" if name == "suite" else "[suite]\n")[2].partition("[")[0]
    text = TEXT.replace(f"[{name}]\n", f"[{name}s]\n{body}[ypsilon]\n")
    assert all(hint.endswith("did you mean ypsilon?") for hint in hints(text)) and hints(text)


def test_of_several_that_nothing_names_none_is_meant() -> None:
    network = "[lnet]\n" + TEXT.partition("[lnet]\n")[2].partition("[")[0]
    text = TEXT.replace("[rnet]", "[ypsilon]") + network.replace("[lnet]", "[upsilon]")
    assert hints(text.replace("lnet", "here")) == []


def test_what_has_no_kind_may_be_meant() -> None:
    assert hints(TEXT.replace("[rnet]\n", "[rnets]\n[here]\n").replace("lnet", "where")) == [
        "did you mean rnets?"
    ]


@pytest.mark.parametrize(("section", "phase", "only"), [("east", "2", "1"), ("net", "1", "2")])
def test_a_phase_that_is_another_names_what_it_may_be(section: str, phase: str, only: str) -> None:
    text = TEXT.replace(f"[{section}]\n", f"[{section}]\nPhase= {phase}\n")
    told = [str(error) for error in check(Conf.from_text(text, "f"))]
    assert any(f"'{phase}' is not {only}, the only value" in line for line in told)


@pytest.mark.parametrize(("right", "wrong"), [("quick", "mains"), ("main", "quik")])
def test_a_configuration_of_the_other_phase_is_not_what_is_meant(right: str, wrong: str) -> None:
    text = TEXT.replace(f"Configuration= {right}", f"Configuration= {wrong}")
    (hint,) = [e.hint for e in check(Conf.from_text(text, "f")) if e.missing]
    kinds = {"quick": "an IPsec configuration", "main": "an ISAKMP configuration"}
    assert hint == f"Configuration names a section: {kinds[right]}; did you mean {right}?"
    conf = Conf.from_text(text, "f")
    with pytest.raises(ConfError) as refused:
        conf.follow("net" if right == "quick" else "east", "Configuration", wrong)
    assert refused.value.hint == hint


def test_a_section_without_its_header_is_found_in_one_of_a_fixed_name() -> None:
    text = TEXT.replace("\n[east]\n", "\n")
    errors = [str(error) for error in check(Conf.from_text(text, "f"))]
    (error,) = [each for each in errors if "[net]:ISAKMP-peer" in each]
    assert "there is no section [east] (is its header missing above Address in [Phase 2]?)" in error
