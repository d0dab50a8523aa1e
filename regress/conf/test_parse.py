"""The text: comments, continuation, merging, and whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.conf.check import judge
from isakmp.conf.kinds import Kind
from isakmp.conf.parse import MAX_FAULTS, MAX_FILE_BYTES, MAX_TRIPLETS, parse
from isakmp.conf.spelling import refuse_lost
from isakmp.conf.store import Conf, read_file
from isakmp.conf.tags import TAGS
from isakmp.errors import ConfError
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import no_interfaces
from regress.pair import WEST

quick = settings(max_examples=150, deadline=None)


def value(text: str) -> str | None:
    return Conf.from_text(text).get("s", "t")


@pytest.mark.parametrize(
    "text",
    [
        "[s]\nt=v",
        "[s]\nt= v\n",
        "[s]\nt = v\n",
        " [ s ] \n\tt=\tv\t\n",
        "[s]\r\nt= v\r\n",
        "# c\n; c\n\n[s]\n# c\nt= v\n",
        "[s] # c\nt= v # c\n",
        "[s]\nt= \\\nv\n",
        "[s]\nt= v \\\n",
        "# c \\\n[s]\nt= v\n",
        "[s]\nt= v\nt= w\n",
        "[s]\na= b\n[u]\nt= w\n[S]\nT= v\n",
    ],
)
def test_forms_of_one_value(text: str) -> None:
    assert value(text) == "v"


def test_a_continued_list() -> None:
    conf = Conf.from_text("[s]\nt= a,\\\n   b,\\\n   c\nu= d\n", "f")
    assert conf.get_list("s", "t") == ["a", "b", "c"]
    assert conf.where("s", "u") == "f:5 [s]:u"


def test_a_value_keeps_what_looks_like_syntax() -> None:
    assert value("[s]\nt= a=b[c]#d\n") == "a=b[c]#d"


def test_a_secret_keeps_its_hash_and_the_file_says_so() -> None:
    conf = Conf.from_text("[s]\nAuthentication= my #1 secret\n", "f")
    assert conf.get("s", "Authentication") == "my #1 secret"
    assert conf.warnings == [
        "f:2 [s]:Authentication: the # and what follows it belong to the secret: "
        "a comment stands on a line of its own"
    ]


def test_the_first_of_two_counts_and_the_other_is_told() -> None:
    conf = Conf.from_text("[s]\nt= v\n[s]\nT= w\n", "f")
    assert conf.warnings == ["f:4 [s]:T is ignored: line 2 set it first"]


def test_who_reads_the_first_error_is_sent_to_the_others() -> None:
    with pytest.raises(ConfError) as refused:
        Conf.from_text("[s\n[t\n", "f")
    assert refused.value.hint.endswith("; and 1 more: isakmpd --check lists them")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("[s\n", 1, "closing bracket"),
        ("[s] x\n", 1, "after the section"),
        ("[]\n", 1, "empty section"),
        ("[s]\nnonsense\n", 2, "neither"),
        ("[s]\n= v\n", 2, "empty tag"),
        ("[s]\na b= v\n", 2, "tag name"),
        ("t= v\n", 1, "before the first section"),
        ("[s]\nt= a\x00b\n", 2, "unprintable"),
        ("[s]\nt= a\x85b\n", 2, "unprintable"),
        ("[" + "s" * 2000 + "]\n", 1, "1024 characters"),
        ("[s\x07]\n", 1, "unprintable"),
    ],
)
def test_errors_have_their_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(ConfError, match=reason) as caught:
        Conf.from_text(text, "f")
    assert (caught.value.file, caught.value.line) == ("f", line)


def test_all_errors_are_collected() -> None:
    parsed = parse("x\n[s]\ny\nt\n[u\nt= v\n", "f")
    assert [error.line for error in parsed.errors] == [1, 3, 4, 5]
    with pytest.raises(ConfError, match="3 more"):
        Conf.from_text("x\n[s]\ny\nt\n[u\nt= v\n")


def test_comments_may_be_in_any_encoding_but_values_not(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_bytes(b"# gr\xfc\xdfe\n[s]\nt= v\n")
    assert Conf.load(path).get("s", "t") == "v"
    path.write_bytes(b"[s]\nt= gr\xfc\xdfe\n")
    with pytest.raises(ConfError, match="UTF-8") as caught:
        Conf.load(path)
    assert caught.value.line == 2


@pytest.mark.parametrize("text", ["[s]\nt=\n", "[s]\nt= # c\n"])
def test_a_tag_without_a_value_is_not_there(text: str) -> None:
    conf = Conf.from_text(text, "f")
    assert conf.get("s", "t") is None
    assert conf.warnings == ["f:2 [s]:t has no value and is ignored"]


HARMLESS = (
    "Acquire-Only", "Bypass", "Check-interval", "Childless", "Default", "Default-phase-1-ID",
    "Delete-SAs", "DOI", "DPD-check-interval", "DPD-timeout", "Encapsulation", "Engine-socket",
    "Exchange-max-time", "EXCHANGE_TYPE", "Flags", "Fragment-size", "Fragmentation", "ID", "IPComp",
    "Key-log", "Logfile", "Loglevel", "Logverbose", "Make-before-break", "NAT-T-Keepalive",
    "Non-first-fragments", "Phase", "PRF", "Proposal-preference", "Rekey-margin",
    "Renegotiate-on-HUP", "ReplayWindow", "Retransmit-interval", "Retransmit-max-interval",
    "Retransmits", "SA-retransmits", "Send-IDr", "Share-traffic", "TFC-padding",
    "Transport", "Window-size", "Workers",
)  # fmt: skip
IDLE = {name for tags in TAGS.values() for name, tag in tags.items() if tag.idle}
ACTIVE = {name for tags in TAGS.values() for name, tag in tags.items() if not tag.idle}
NO_VALUE = "no value (give it one, or take the line away)"


# Without which nothing can be started, or closed.
OF_THE_FILE = {
    "Address", "Application", "Connections", "Group", "ID-type", "ISAKMP-peer", "Listen-on",
    "Local-ID", "Local-selectors", "Netmask", "Network", "Passive-connections", "Remote-ID",
    "Remote-selectors", "Run-directory", "User",
}  # fmt: skip
KIND_OF = {name: kind for kind, tags in TAGS.items() for name, tag in tags.items() if not tag.idle}


@pytest.mark.parametrize("value", ["", "# west-east", "\\\n"])
@pytest.mark.parametrize("tag", sorted(ACTIVE - set(HARMLESS)))
def test_what_must_not_be_left_to_its_default_has_a_value(tag: str, value: str) -> None:
    """That is every tag of the table whose default could let in more, or protect less: its section
    is in error, and of some the file."""
    parsed = parse(f"[s]\n{tag}= {value}\n", "f")
    told = list(map(str, parsed.errors))
    if tag in ("Authentication", "PPK") and value.startswith("#"):
        assert told == []  # of a secret it is a part
        return
    if tag not in OF_THE_FILE:
        assert told == []
        with pytest.raises(ConfError) as refused:
            Conf(parsed).value(KIND_OF[tag], "s", tag)
        told = [str(refused.value)]
    assert told == [f"f:2 [s]:{tag}: {NO_VALUE}"]


EMPTIED = {
    "a connection": ("[west-east]\n", "Life", "west-east"),
    "its peer": ("[east]\n", "Key-exchange", "west-east"),
    "its peer's secret": ("[east]\n", "PPK-required", "west-east"),
    "its configuration": ("[phase-2]\n", "Suites", "west-east"),
    "its identity": ("[far]\n", "Protocol", "west-east"),
    "all": ("[General]\n", "Max-SAs", ""),
    "the suites of all": ("[General]\n", "Default-phase-2-suites", ""),
}


@pytest.mark.parametrize("where", EMPTIED)
def test_a_tag_without_a_value_leaves_out_and_drops_its_section_alone(where: str) -> None:
    header, tag, out = EMPTIED[where]
    conf = Conf.from_text(WEST.text().replace(header, f"{header}{tag}=\n"), "f")
    judged = judge(conf)
    assert [error.reason for error in judged.errors if error.tag == tag] == ["no value"]
    catalog = Catalog(conf, no_interfaces, faults=judged.faults)
    catalog.load()
    assert {name for name, _ in catalog.left_out} == ({out} if out else set())
    assert set(catalog.closed) == ({out} if out else set())
    if not out:
        value, error = conf.general(tag)
        assert value == Conf.from_text("").value(Kind.GENERAL, "General", tag)
        assert error and error.reason.startswith("no value")


@pytest.mark.parametrize(
    "lists",
    [
        "Connections= a\nPassive-connections=\n",
        "Passive-connections= ,\nConnections= a\n",
        "Passive-connections= a\nConnections=\n",
        "Connections=\nPassive-connections=\n",
        "Connections=\nBypass= a\n",
        "[s]\nConnections=\n",
    ],
)
def test_a_list_of_connections_has_some_whatever_else_lists_others(lists: str) -> None:
    parsed = parse(f"[Phase 2]\n{lists}", "f")
    assert parsed.errors
    assert {error.reason for error in parsed.errors} == {"no value"}
    assert not parsed.warnings


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("Local-selectors= a, \\\n", True),
        ("Local-selectors= a, \\\n b, \\\r\n", True),
        ("Local-selectors= a \\", True),
        ("Local-selectors= a,\n", True),
        ("Local-selectors= a, # b\n\n", True),
        ("Local-selectors= a, \\\n\n[t]\n", False),
        ("Local-selectors= a,\n# b\n", False),
        ("Local-selectors= a,\nLife= b\n", False),
        ("Authentication= a,\n", False),
        ("# Local-selectors= a, \\\n", False),
        ("Local-selectors= a", False),
    ],
)
def test_a_file_that_ends_within_a_value_is_warned_of(end: str, told: bool) -> None:
    parsed = parse("[s]\n" + end, "f")
    line = "f:2 [s]:Local-selectors goes on, and the file ends there: is it cut off?"
    assert (parsed.warnings, parsed.errors) == ([line] * told, [])


@pytest.mark.parametrize("tag", [*HARMLESS, *sorted(IDLE - ACTIVE)])
def test_a_default_that_does_no_harm_counts(tag: str) -> None:
    parsed = parse(f"[s]\n{tag}=\n", "f")
    assert parsed.warnings == [f"f:2 [s]:{tag} has no value and is ignored"]
    assert (parsed.errors, parsed.sections["s"].entries) == ([], {})


@pytest.mark.parametrize("tag", ["Conections", "Passive-connection"])
def test_what_looks_like_such_a_tag_has_a_value_too(tag: str) -> None:
    with pytest.raises(ConfError, match=f"no tag {tag} in .Phase 2. .did you mean"):
        refuse_lost(Conf.from_text(f"[Phase 2]\n{tag}=\n"))


@pytest.mark.parametrize("tag", ["Usr", "Grup", "Listenon", "Aplication", "Run-dir"])
@pytest.mark.parametrize("value", ["", "nobody"])
def test_a_misspelt_tag_that_a_start_needs_refuses_it(tag: str, value: str) -> None:
    """Its default is root, all addresses, or a directory that others write in."""
    with pytest.raises(ConfError, match=f"no tag {tag} in .General. .did you mean"):
        refuse_lost(Conf.from_text(f"[General]\n{tag}= {value}\n"))


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("Remote-selector=", "Remote-selectors"),
        ("Local-selector= # none", "Local-selectors"),
        ("R=emote-selectors=", "Remote-selectors"),
        ("Netmsk=", "Netmask"),
        ("Netm=ask=", "Netmask"),
        ("ID-typ=", "ID-type"),
        ("Usr=", "User"),
    ],
)
def test_a_misspelt_tag_without_a_value_refuses_the_file_where_the_right_one_does(
    line: str, meant: str
) -> None:
    (error,) = parse(f"[s]\n{line}\n", "f").errors
    tag = line.partition("=")[0]
    assert str(error) == f"f:2 [s]:{tag}: no tag {tag} in [s] (did you mean {meant}?)"


def test_a_value_may_end_with_an_equals_sign() -> None:
    for line in ("Authentication= c2VjcmV0=", "Note= this=", "Name= Netmask="):
        assert parse(f"[s]\n{line}\n", "f").errors == []


def test_errors_are_told_in_the_order_of_their_lines() -> None:
    parsed = parse("[Phase 2]\nConnections=\n[s]\nAddress=\n", "f")
    assert [error.line for error in parsed.errors] == [2, 4]


@pytest.mark.parametrize("tag", ["10.0.0.1", "2001:db8::1"])
def test_an_address_has_a_peer(tag: str) -> None:
    """Who calls from there would be taken for the Default."""
    (error,) = parse(f"[Phase 1]\n{tag}=\n", "f").errors
    assert error.reason == "no value"


@pytest.mark.parametrize("value", [",", " , ,", ", # none"])
def test_a_list_has_an_item(value: str) -> None:
    (error,) = parse(f"[Phase 2]\nConnections= {value}\n", "f").errors
    assert error.reason == "no value"
    parsed = parse(f"[General]\nLoglevel= {value}\n", "f")
    assert (parsed.errors, len(parsed.warnings)) == ([], 1)
    assert parse("[peer]\nAuthentication= ,\n", "f").errors == []


def test_a_list_that_is_set_has_an_item() -> None:
    with pytest.raises(ConfError, match="no value"):
        Conf.from_text("").begin().set("Phase 2", "Connections", " ,")


def test_a_long_value_is_not_repeated_whole() -> None:
    conf = Conf.from_text("[s]\nPackets= a" + " " * 1_000_000 + "b\n")
    with pytest.raises(ConfError) as caught:
        conf.value(Kind.CONNECTION, "s", "Packets")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("line", ["x\n", "[s]\nt= v\nt= v\n", "[s]\nt=\n"])
def test_what_is_told_is_bounded(line: str) -> None:
    parsed = parse(line * 3000, "f")
    assert len(parsed.errors) + len(parsed.warnings) == MAX_FAULTS


def test_the_number_of_sections_is_bounded() -> None:
    parsed = parse("".join(f"[{n}]\n" for n in range(MAX_TRIPLETS + 10)), "f")
    assert len(parsed.sections) == MAX_TRIPLETS + 1
    assert parsed.errors


def test_a_text_is_bounded() -> None:
    assert "larger than" in str(parse("#" * (MAX_FILE_BYTES + 1), "f").errors[0])


def test_the_number_of_values_is_bounded() -> None:
    text = "[s]\n" + "".join(f"t{n}= v\n" for n in range(MAX_TRIPLETS + 10))
    assert "more than" in str(parse(text, "f").errors[0])


@quick
@given(st.binary(max_size=400))
def test_any_octets_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.conf"
    path.write_bytes(data)
    path.chmod(0o600)
    try:
        parsed = read_file(path)
    except ConfError as error:
        assert str(error)
        return
    for wrong in parsed.errors:
        str(wrong).encode()


syntax = st.text(st.sampled_from("[]=#;\\\n\r\t ,ab1\x00é"), max_size=80)


@quick
@given(syntax)
def test_what_is_read_can_be_written_and_read_again(text: str) -> None:
    try:
        conf = Conf.from_text(text)
    except ConfError:
        return
    written = "".join(
        f"[{section}]\n"
        + "".join(f"{tag}= {conf.get(section, tag)}\n" for tag in conf.tags(section))
        for section in conf.sections()
    )
    again = Conf.from_text(written)
    assert [(s, conf.tags(s)) for s in conf.sections()] == [
        (s, again.tags(s)) for s in again.sections()
    ]
    for section in conf.sections():
        for tag in conf.tags(section):
            assert again.get(section, tag) == conf.get(section, tag)


def test_a_byte_order_mark_is_no_text() -> None:
    assert not parse("\ufeff[General]\nRetransmits= 3\n", "f").errors


def test_a_blank_behind_a_backslash_is_told_at_its_line() -> None:
    error = parse("[s]\nt= a,\\ \n   b\n", "f").errors[0]
    assert (error.line, error.reason) == (
        2,
        "a blank behind the backslash: the line does not go on",
    )


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_around_a_secret_are_warned_of(quote: str) -> None:
    parsed = parse(f"[s]\nAuthentication= {quote}word{quote}\n", "f")
    assert parsed.warnings == [
        "f:2 [s]:Authentication: the quotes belong to the secret: write it without quotes"
    ]


def test_an_address_of_ipv6_stands_without_brackets() -> None:
    (error,) = parse("[Phase 1]\n[2001:db8::2]= east\n", "f").errors
    told = "an address of IPv6 stands without brackets as a tag (2001:db8::2= ...)"
    assert str(error).endswith(told)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("Address: 192.0.2.2", "Address= with an equals sign, where it has a colon"),
        ("Authentication: a secret: word", "Authentication= with an equals sign, "),
        ("a few words: more", ""),
        ("nothing", ""),
    ],
)
def test_a_colon_in_place_of_the_equals_sign(line: str, hint: str) -> None:
    (error,) = parse(f"[east]\n{line}\n", "f").errors
    assert error.reason == "neither [section] nor tag= value"
    assert error.hint.startswith(hint) and bool(error.hint) == bool(hint)
    assert "secret" not in str(error)


def test_a_semicolon_begins_no_comment_behind_a_value() -> None:
    parsed = parse("[east]\nAddress= 192.0.2.2 ; the peer\nAuthentication= a ;b\n; one\n", "f")
    warning, of_secret = parsed.warnings
    assert of_secret.startswith("f:3 [east]:Authentication: the ; and what follows it belong to")
    assert warning.startswith("f:2 [east]:Address: the ; and what follows it belong to the value")
