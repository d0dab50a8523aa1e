"""For any file: isakmpd starts with it, or the checker has an error that says why; what the checker
refuses is not used; what passes means what it says. And there is no other exception than one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from isakmp.conf.change import weigh
from isakmp.conf.check import Judgement, judge, judge_file
from isakmp.conf.kinds import Kind, Tag
from isakmp.conf.parse import fold, items_of
from isakmp.conf.spelling import refuse_lost
from isakmp.conf.store import Conf
from isakmp.conf.tags import FIXED, TAGS
from isakmp.conf.values import NO, YES, YES_NO
from isakmp.errors import ConfError
from isakmp.event.steps import at_once
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import no_interfaces
from isakmp.policy.reader import connection_names

# Two sections of each kind beside the fixed ones; what leads to a kind finds them there.
SECTIONS = {
    **{kind: [name] for name, kind in FIXED.items()},
    Kind.PEER: ["west", "east"],
    Kind.CONNECTION: ["net-1", "net-2"],
    Kind.ID: ["id-1", "id-2"],
    Kind.ISAKMP_CONFIGURATION: ["phase-1"],
    Kind.ISAKMP_TRANSFORM: ["transform", "AES-SHA2-256-GRP14"],
    Kind.LIFETIME: ["life", "LIFE_QUICK_MODE"],
    Kind.IPSEC_CONFIGURATION: ["phase-2"],
    Kind.SUITE: ["suite", "QM-ESP-AES-SHA2-256-SUITE"],
    Kind.PROTOCOL: ["protocol"],
    Kind.IPSEC_TRANSFORM: ["esp", "QM-ESP-AES-SHA2-256-XF"],
    Kind.BYPASS: ["clear"],
    Kind.MODE_CONFIG: ["ipv4/192.0.2.9"],
    Kind.INITIATOR: ["phone@example.net"],
}
CROSSED = ["General", "Phase 2", "EAST", "east", "net-1", "id-1"]
PLAIN = (
    "[Phase 1]\n192.0.2.2= east\n192.0.2.3= west\n"
    "[Phase 2]\nConnections= net-1, net-2\n"
    "[east]\nAddress= 192.0.2.2\nLocal-address= 192.0.2.1\nKey-exchange= ikev2, ikev1\n"
    "Configuration= phase-1\nAuthentication= 9f2c7be1d04a86b35c7e\n"
    "[west]\nAddress= 192.0.2.3\nLocal-address= 192.0.2.1\nConfiguration= phase-1\n"
    "Authentication= 7f2c7be1d04a86b35c7f\n"
    "[phase-1]\nTransforms= AES-SHA2-256-GRP14, transform\n"
    "[transform]\nENCRYPTION_ALGORITHM= AES_CBC\nHASH_ALGORITHM= SHA2_256\n"
    "GROUP_DESCRIPTION= MODP_3072\nLife= life\n[life]\nLIFE_TYPE= SECONDS\nLIFE_DURATION= 3600\n"
    "[net-1]\nISAKMP-peer= east\nConfiguration= phase-2\nLocal-ID= id-1\nRemote-ID= id-2\n"
    "[net-2]\nISAKMP-peer= west\nConfiguration= phase-2\nLocal-ID= id-1\n"
    "Remote-selectors= 10.3.0.0/16\n"
    "[phase-2]\nSuites= QM-ESP-AES-SHA2-256-SUITE, suite\n[suite]\nProtocols= protocol\n"
    "[protocol]\nPROTOCOL_ID= IPSEC_ESP\nTransforms= esp\n"
    "[esp]\nTRANSFORM_ID= AES\nAUTHENTICATION_ALGORITHM= HMAC_SHA2_256\nLife= life\n"
    "[id-1]\nID-type= IPV4_ADDR_SUBNET\nNetwork= 10.1.0.0\nNetmask= 16\n"
    "[id-2]\nID-type= IPV4_ADDR_SUBNET\nNetwork= 10.2.0.0\nNetmask= 16\n"
)
POOL = [
    "0", "1", "-1", "ANY", "0x", "0xzz", "0xff", "é", "192.0.2.2", "192.0.2.300", "::1",
    "default", "eth0", "10.4.0.0/16", "aes128-sha256-x25519", "aes128gcm16", "3600,60:86400",
    "5,6:7", "9" * 30, "x" * 3000, "yes", "no", "Yes", "defined", "16", "255.0.255.0",
    "C=DE, O=x", "a,b,,a", ",", "east", "net-1", "id-1", "isakmp", "tcp", "nowhere", "phase-1",
    "west, nowhere", "$id", "# comment",
]  # fmt: skip


def values(tag: Tag, crossed: bool) -> st.SearchStrategy[str]:
    """Right and wrong values of a tag, those at the edges of its range among them. crossed: also
    the names of sections of another kind."""
    if tag.leads:
        names = [*SECTIONS[tag.leads], "nowhere", *CROSSED * crossed]
        one = st.sampled_from(names)
        return st.lists(one, min_size=1, max_size=3).map(", ".join) if tag.every else one
    known = list(tag.type.words)
    if edges := re.match(r"(?:0 or )?([0-9]+) to ([0-9]+)", tag.type.what):
        low, high = int(edges[1]), int(edges[2])
        known += map(str, (low, high, low - 1, high + 1, (low + high) // 2))
    return st.one_of(st.sampled_from(known or POOL), st.sampled_from(POOL))


@st.composite
def lines(draw: st.DrawFn, crossed: bool = True) -> str:
    """A tag in a section of its kind, or of another one; spelt right or not."""
    kind = draw(st.sampled_from(list(SECTIONS)))
    name = draw(st.sampled_from(list(TAGS[kind])))
    value = draw(values(TAGS[kind][name], crossed))
    section = draw(st.sampled_from(SECTIONS[kind]))
    match draw(st.integers(0, 11)):
        case 0:
            section = draw(st.sampled_from(sum(SECTIONS.values(), [])))
        case 1:
            name = draw(
                st.sampled_from([name[:-1], name + "s", name.upper(), "Rainbow", "10.0.0.1"])
            )
        case 2:
            section = draw(st.sampled_from([section[:-1], section + "x", section.upper()]))
    return f"[{section}]\n{name}= {value}\n"


@st.composite
def files(draw: st.DrawFn, crossed: bool = True) -> bytes:
    """What is in order, with lines before it, which count, and others taken out; or nonsense."""
    before = "".join(draw(st.lists(lines(crossed), max_size=5)))
    plain = PLAIN.splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 2))):
        del plain[draw(st.integers(0, len(plain) - 1))]
    data = (before + "".join(plain)).encode()
    for _ in range(draw(st.integers(0, 6)) // 5):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=4)) + data[at:]
    if draw(st.integers(0, 9)) == 0:
        data = draw(st.sampled_from([b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\\\n"])) + data
    return data.replace(b"\n", b"\r\n") if draw(st.integers(0, 9)) == 0 else data


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("conf") / "isakmpd.conf"
    found.touch(0o600)
    return found


def load(path: Path, judged: Judgement) -> Conf | None:
    """What isakmpd reads; None where it does not start, which the checker has an error for."""
    try:
        conf = Conf.load(path)
        refuse_lost(conf)
    except ConfError as error:
        assert error.reason in {one.reason for one in judged.errors}
        return None
    return conf


def catalog_of(conf: Conf, judged: Judgement | None) -> Catalog:
    """Peers and connections as the daemon has them; without the checker's word where None."""
    catalog = Catalog(conf, no_interfaces, faults=judged.faults if judged else {})
    catalog.load()
    return catalog


RUN = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RUN
@example(b"[Phase 2]\nConnections= net-1\n[net-1]\nISAKMP-peer= net-1\n")
@example(
    b"[Phase 2]\nConnections= net-1\n[net-1]\nISAKMP-peer= east\nLocal-selectors= 10.1.0.0/16\n"
    b"Remote-selectors= 10.2.0.0/16\n[east]\nAddress= 0xzz\nKey-exchange= ikev2\n"
)
@example(b"[Phase 2]\nConnections= Phase 2\n[Phase 1]\nDefault= Phase 1\n")
@example(b"[Phase 2]\nBypass= lan\n[lan]\nLocal-selector= 10.1.0.0/16\nRemote-selectors= ::/0\n")
@given(files())
def test_a_file_is_used_or_the_checker_says_why(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    judged = judge_file(path)
    if (conf := load(path, judged)) is None:
        return
    known = {fold(name) for kind, name in judged.faults if kind is Kind.CONNECTION}
    closed = {fold(name) for kind, name in judged.faults if kind is Kind.BYPASS}
    known |= {fold(name) for name in connection_names(conf) if not conf.has_section(name)}
    for name, error in catalog_of(conf, None).left_out:
        assert judged.errors, f"{name} is left out, and nobody says so: {error}"
        assert fold(name) in known or name in conf.get_list("Phase 2", "Bypass")
    used = catalog_of(conf, judged)
    assert set(used.connections) == {n for n in connection_names(conf) if fold(n) not in known}
    assert not closed & set(map(fold, used.bypass))
    for tag in TAGS[Kind.GENERAL]:
        refused = conf.general(tag)[1]
        assert refused is None or fold(tag) in {fold(error.tag) for error in judged.errors}


@RUN
@example(("[east]\nDefault= west\n[west]\nRemote-ID= nowhere\n" + PLAIN).encode())
@given(files(crossed=False))
def test_what_the_checker_refuses_is_not_used(path: Path, data: bytes) -> None:
    """An error is of the file, of a fixed section, or of one that no connection in use leads to."""
    path.write_bytes(data)
    judged = judge_file(path)
    if (conf := load(path, judged)) is None:
        return
    fixed = {fold(name) for name in FIXED}
    wrong = {fold(error.section) for error in judged.errors} - fixed - _of_both_phases(conf)
    for name in catalog_of(conf, judged).connections:
        reached: set[str] = set()
        waiting = [fold(name)]
        while waiting:
            section = conf.written.get(waiting.pop())
            if section and fold(section.name) not in reached | fixed:
                reached.add(fold(section.name))
                waiting += _followed(conf, section.name)
        assert not wrong & reached, f"{name} is used"


def _of_both_phases(conf: Conf) -> set[str]:
    """Configurations of peers and of connections alike: wrong for the ones, right for others."""
    named: dict[bool, set[str]] = {False: set(), True: set()}
    for section in conf.written.values():
        if configuration := section.entries.get("configuration"):
            named["isakmp-peer" in section.entries].add(fold(configuration.value))
    return named[False] & named[True]


def _followed(conf: Conf, section: str) -> list[str]:
    """What a section leads to that may be of any kind but those of fixed sections."""
    free = [tags for kind, tags in TAGS.items() if kind not in FIXED.values()]
    leads = {fold(n) for tags in free for n, tag in tags.items() if tag.leads}
    written = [tag for tag in conf.tags(section) if fold(tag) in leads]
    found = (name for tag in written for name in items_of(conf.get(section, tag) or ""))
    return [fold(name) for name in found]


@RUN
@example("[net-]\nConfiguration= phase-2\n")
@example("[transform]\nAUTHENTICATION_METHOD= 1\n")
@example("[esp]\nTRANSFORM_ID= 3\n")
@example("[id-1]\nID-type= 4\n")
@example("[ipv4/192.0.2.]\nAttributes= 0\n")
@example("[clear]\nLocal-selectors= # comment\n")
@given(lines())
def test_what_passes_means_what_it_says(line: str) -> None:
    """The value that is used is the one that was written, as a reader of its own sees it."""
    try:
        conf = Conf.from_text(line + PLAIN)
    except ConfError as error:
        assert error.line == 2 and error.reason == "no value"
        return
    judged = judge(conf)
    if judged.errors or any(re.search(r":[12]\b", text) for text in judged.warnings):
        return
    section, name = re.fullmatch(r"\[(.*)\]\n([^=]*)= .*\n", line, re.DOTALL).groups()  # type: ignore[union-attr]
    kinds = [kind for kind, names in SECTIONS.items() if section.lower() in map(fold, names)]
    if not kinds:
        told = f"[{section}]: nothing names this section"
        assert any(told in text for text in judged.warnings) or name.lower() == "authentication"
        return
    rows = {n.lower(): n for n in TAGS[kinds[0]]}
    if name.lower() not in rows:
        return
    tag = TAGS[kinds[0]][rows[name.lower()]]
    text = conf.get(section, name)
    if text is None:
        return
    value = conf.value(kinds[0], section, rows[name.lower()])
    if tag.type is YES_NO:
        assert value is (text.lower() in YES) and text.lower() in (*YES, *NO)
    elif re.match(r"[0-9]+ to [0-9]+", tag.type.what) and text.isdigit():
        assert value == int(text)
    elif tag.type.words and not tag.every:
        assert text.upper().replace("-", "_") in {
            w.upper().replace("-", "_") for w in tag.type.words
        }


@RUN
@given(files(), files())
def test_a_reload_is_a_start(path: Path, first: bytes, second: bytes) -> None:
    """What is read again is what a start would read; what a start refuses changes nothing."""
    path.write_bytes(first)
    try:
        conf = Conf.load(path)
    except ConfError:
        return
    before = conf.written
    path.write_bytes(second)
    fresh = load(path, judge_file(path))
    try:
        again = at_once(conf.again())
        refuse_lost(again)
    except ConfError:
        assert fresh is None
        assert conf.written == before
    else:
        assert fresh is not None
        conf.become(again)
        assert conf.written == fresh.written
        weigh(conf, fresh, no_interfaces)
