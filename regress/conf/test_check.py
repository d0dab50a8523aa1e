"""The checker: every error with its line and the nearest known name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.conf.check import check, judge_file, warnings
from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.conf.tags import TAGS
from isakmp.errors import ConfError
from isakmp.policy.reader import read_remote
from regress.configurations import EXPLICIT, GATEWAY, SUITES
from regress.pair import WEST as PAIR

EXAMPLES = Path(__file__).parents[2] / "conf"


def errors_of(old: str, new: str, text: str = GATEWAY) -> list[str]:
    assert old in text
    return [str(error) for error in check(Conf.from_text(text.replace(old, new), "f"))]


@pytest.mark.parametrize("text", [EXPLICIT, GATEWAY, SUITES, ""])
def test_existing_configurations_are_in_order(text: str) -> None:
    assert check(Conf.from_text(text)) == []


@pytest.mark.parametrize("name", ["isakmpd.ini", "east.ini"])
def test_the_example_deserves_no_word(name: str) -> None:
    conf = Conf.from_text((EXAMPLES / name).read_text(), name)
    assert check(conf) == []
    (warning,) = warnings(conf)
    assert "this secret is known to everybody" in warning


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            "Retransmits=",
            "Retransmit=",
            "f:2 [General]:Retransmit: no tag Retransmit in [General] (did you mean Retransmits?)",
        ),
        (
            "Authentication=",
            "Authentification=",
            "f:18 [ISAKMP-peer-west]:Authentification: no tag Authentification in an ISAKMP peer"
            " (did you mean Authentication?)",
        ),
        (
            "Remote-ID=\t\tNet-west",
            "Remote-ID= Net-wets",
            "f:30 [IPsec-east-west]:Remote-ID: there is no section [Net-wets]"
            " (did you mean Net-west?)",
        ),
        (
            "=\t\tIPsec-east-west",
            "= IPsec-east-west, IPsec-nowhere",
            "f:10 [Phase 2]:Connections: there is no section [IPsec-nowhere]",
        ),
        ("Retransmits=\t\t5", "Retransmits= five", "f:2 [General]:Retransmits: 'five' is not"),
        ("Retransmits=\t\t5", "Application= kernel", "f:2 [General]:Application: 'kernel' is not"),
        ("10.1.0.12=", "10.1.0.300=", "f:7 [Phase 1]:10.1.0.300: is no address"),
        ("Transport=\t\tudp", "Transport= tcp", "f:14 [ISAKMP-peer-west]:Transport: 'tcp' is"),
        ("255.255.255.0\n\n[Net-east]", "255.0.255.0\n\n[Net-east]", "f:35 [Net-west]:Netmask:"),
        (
            "[Phase 2]",
            "[Phase2]",
            "f:9 [Phase2]: nothing names this section (did you mean Phase 2?)",
        ),
        (
            "Authentication=\t\ta shared word\n",
            "",
            "f:12 [ISAKMP-peer-west]: no Authentication: the pre-shared key is missing",
        ),
        (
            "BLF-SHA-GRP5",
            "AES-SHA-GRP27",
            "f:47 [Default-main-mode]:Transforms: AES-SHA-GRP27: the library lacks",
        ),
        (
            "QM-ESP-AES-SHA2-256-SUITE",
            "QM-ESP-AES-SHA-PFS-GRP27-SUITE",
            "f:54 [Default-quick-mode]:Suites: QM-ESP-AES-SHA-PFS-GRP27-SUITE: the library lacks",
        ),
        (
            "3DES-SHA,BLF-SHA-GRP5",
            "AES-SHA-GRP14-RSA_SIG",
            "f:12 [ISAKMP-peer-west]: AES-SHA-GRP14-RSA_SIG: RSA_SIG is not supported",
        ),
    ],
)
def test_an_error(old: str, new: str, error: str) -> None:
    found = errors_of(old, new)
    assert [text for text in found if text.startswith(error)], found


def test_all_errors_are_collected_in_line_order() -> None:
    text = GATEWAY.replace("Retransmits=", "Retransmit=").replace("ID_PROT", "ID_PORT")
    text = text.replace("Netmask=\t\t255.255.255.0", "Netmask= 24x").replace("udp", "tcp")
    errors = check(Conf.from_text(text, "f"))
    assert [error.line for error in errors] == [2, 14, 35, 40, 46]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("HMAC_SHA2_256", "HMAC_SHA3", 17),
        ("MODP_2048", "MODP_2049", 18),
        ("256,128:256", "256,512:256", 19),
        ("AES\n", "AES_GCM_16\n", 14),
        ("AES\n", "RC5\n", 14),
        ("AES\n", "NULL\nAUTHENTICATION_ALGORITHM= NONE\n", 14),
        ("LIFE_TYPE= KILOBYTES", "LIFE_TYPE= MEGABYTES", 37),
        ("1000000", "0", 38),
        ("256,128:256", "100", 14),
        ("HMAC_SHA\n", "NONE\n", 26),
    ],
)
def test_errors_in_a_suite(old: str, new: str, line: int) -> None:
    suites = SUITES.replace(old, new)
    assert suites != SUITES
    suites += "\n[Phase 2]\nConnections= net\n[net]\nConfiguration= quick-mode\n"
    lines = {error.line for error in check(Conf.from_text(suites, "f"))}
    assert line in lines


def test_keys_of_initiators_do_for_a_peer_without_one() -> None:
    text = GATEWAY.replace("Authentication=\t\ta shared word\n", "").replace(
        "ID_PROT", "AGGRESSIVE"
    )
    assert check(Conf.from_text(text))
    assert check(Conf.from_text(text + "[phone.example]\nAuthentication= word\n")) == []


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (GATEWAY, "f:47 [Default-main-mode]:Transforms: 3DES-SHA: MODP_1024 is no longer"),
        (GATEWAY, "f:54 [Default-quick-mode]:Suites: QM-ESP-3DES-SHA-PFS-SUITE: MODP_1024"),
        (EXPLICIT, "f:18 [3DES-SHA]: MODP_1024 is no longer considered secure"),
        (EXPLICIT, "f:16 [main-mode]:Transforms: 3DES-MD5: MD5 is no longer considered secure"),
        (
            GATEWAY.replace("BLF-SHA-GRP5", "DES-SHA"),
            "f:47 [Default-main-mode]:Transforms: DES-SHA: DES_CBC",
        ),
        (
            GATEWAY.replace("SHA2-256-SUITE", "SUITE"),
            "f:54 [Default-quick-mode]:Suites: QM-ESP-AES-SUITE: AES without",
        ),
        (
            GATEWAY.replace("SHA2-256-SUITE", "MD5-SUITE"),
            "f:54 [Default-quick-mode]:Suites: QM-ESP-AES-MD5",
        ),
        (EXPLICIT.replace("600,450", "400,450"), "f:25 [TEN_MINUTES]: offers 400, which it would"),
        (
            GATEWAY.replace("10.1.0.12=", "10.1.0.13=").replace(
                "-west\n\n[Phase 2]", "-other\n\n[Phase 2]"
            ),
            "f:12 [ISAKMP-peer-west]: cannot call us",
        ),
        (
            GATEWAY.replace("BLF-SHA-GRP5", "AES-SHA-GRP5-RSA_SIG"),
            "f:47 [Default-main-mode]:Transforms: AES-SHA-GRP5-RSA_SIG: RSA_SIG is not supported",
        ),
        ("[General]\nUse-Keynote= yes\n", "f:2 [General]:Use-Keynote: has no effect"),
        (
            GATEWAY.replace("Authentication=", "Encapsulation= force\nAuthentication="),
            "f:18 [ISAKMP-peer-west]:Encapsulation: is IKEv2's, and Key-exchange has no ikev2",
        ),
        (SUITES, "f:1 [quick-mode]: nothing names this section; it looks like an IPsec config"),
        (
            GATEWAY.replace("[Phase 2]", "Default= Default-phase-1\n[Phase 2]"),
            "f:9 [Phase 1]:Default: 3DES-SHA-RSA_SIG: RSA_SIG is not supported, PRE_SHARED is: who "
            "comes as [Default-phase-1] is refused",
        ),
        ("[what]\never= x\n", "f:1 [what]: nothing names this section; it is of no known kind"),
        ("[General]\nRetransmits= 1\nRetransmits= 2\n", "f:3 [General]:Retransmits is ignored"),
    ],
)
def test_a_warning(text: str, warning: str) -> None:
    found = warnings(Conf.from_text(text, "f"))
    assert [line for line in found if line.startswith(warning)], found


def test_warnings_come_once() -> None:
    found = warnings(Conf.from_text(GATEWAY))
    assert len(found) == len(set(found))


def test_modern_algorithms_pass_in_silence() -> None:
    text = GATEWAY.replace("3DES-SHA,BLF-SHA-GRP5", "AES-256-SHA2-256-GRP19")
    text = text.replace("QM-ESP-3DES-SHA-PFS-SUITE", "QM-ESP-CHACHA20-POLY1305-PFS-GRP31-SUITE")
    text = text.replace("a shared word", "9f2c7be1d04a86b35c7e")
    assert warnings(Conf.from_text(text)) == []


def test_what_is_switched_off_needs_no_effect() -> None:
    (warning,) = warnings(Conf.from_text("[General]\nUse-Keynote= no\n"))
    assert "no connection and no peer" in warning


def test_mode_config_sections_are_known() -> None:
    text = "[ipv4/192.0.2.9]\nAddress= 10.9.0.1\nNameserver= 10.9.0.53, ::1\nNamesever= x\n"
    assert check(Conf.from_text(text)) == []
    assert any("did you mean Nameserver?" in text for text in warnings(Conf.from_text(text)))


@pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_told_to_be_that(tmp_path: Path, code: str) -> None:
    path = tmp_path / "conf"
    path.write_bytes("[General]\nRetransmits= 3\n".encode(code))
    (error,) = judge_file(path).errors
    assert str(error).endswith(f"is UTF-16, and has to be UTF-8 (iconv -f UTF-16 -t UTF-8 {path})")


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("ISAKMP-peer=\t\tISAKMP-peer-west", "ISAKMP-peer= 10.1.0.12",
         "(ISAKMP-peer names a section: an ISAKMP peer; did you mean ISAKMP-peer-west?)"),
        ("ID=\t\t\teast-id", "ID= west.example.net", "(ID names a section: an identity"),
        ("Phase=\t\t\t2", "Life= 3600", "(Life names a section: a lifetime"),
    ],
)  # fmt: skip
def test_a_value_in_the_place_of_a_section(old: str, new: str, hint: str) -> None:
    (error,) = errors_of(old, new)
    assert hint in error


def test_transport_mode_between_networks_is_warned_of() -> None:
    text = VERSION_2.replace("[net]\n", "[net]\nMode= transport\n")
    assert any("transport mode is for what two hosts send" in one for one in said_of(text))
    assert not any("transport mode" in one for one in said_of(VERSION_2))
    hosts = text.replace("10.3.0.0/16", "10.3.0.1")
    assert not any("transport mode" in one for one in said_of(hosts))


def said_of(text: str) -> list[str]:
    return warnings(Conf.from_text(text, "f"))


def test_a_file_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    assert "cannot be read" in str(judge_file(path).errors[0])
    path.write_text("[General]\nx\ny\n")
    assert [error.line for error in judge_file(path).errors] == [2, 3]
    path.write_text("[General]\nRetransmit= 3\n")
    assert [error.line for error in judge_file(path).errors] == [2]
    path.write_text("[General]\nRetransmits= 3\n")
    assert judge_file(path).errors == []


known = sorted({tag for tags in TAGS.values() for tag in tags})
sections = st.sampled_from(["General", "Phase 1", "Phase 2", "a", "b", "AES-SHA", "QM-ESP-AES-SHA"])
values = st.one_of(
    sections, st.sampled_from(["1", "2", "ANY", "a,b,a", "1,2:3", "eth0", "::1", "é"])
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(sections, st.sampled_from(known), values), max_size=25))
def test_whatever_is_written_the_checker_answers(triplets: list[tuple[str, str, str]]) -> None:
    text = "".join(f"[{section}]\n{tag}= {value}\n" for section, tag, value in triplets)
    conf = Conf.from_text(text, "f")
    for error in check(conf):
        assert isinstance(error, ConfError)
        assert error.file == "f"
        assert error.line > 0
    assert all(isinstance(line, str) for line in warnings(conf))


VERSION_2 = """
[General]
Loglevel= A=10
[Phase 1]
192.0.2.2= west
[Phase 2]
Connections= net
[west]
Address= 192.0.2.2
Local-address= 192.0.2.1
Key-exchange= ikev2, ikev1
IKE-proposals= aes128gcm16-prfsha256-x25519, aes256-sha256-modp2048
Authentication= 9f2c7be1d04a86b35c7e
[net]
ISAKMP-peer= west
ESP-proposals= aes128gcm16-x25519
Local-selectors= 10.1.0.0/16, 10.2.0.0/16[tcp/80-90]
Remote-selectors= 10.3.0.0/16
"""


def test_ikev2_is_in_order() -> None:
    conf = Conf.from_text(VERSION_2, "f")
    assert check(conf) == []
    (told,) = warnings(conf)
    assert "with IKEv1 [net] negotiates 10.1.0.0/16 -> 10.3.0.0/16 alone" in told


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            "aes128gcm16-prfsha256",
            "aes128gmc16-prfsha256",
            "f:12 [west]:IKE-proposals: 'aes128gmc16' is no algorithm (did you mean aes128gcm16?)",
        ),
        (
            "Key-exchange= ikev2, ikev1",
            "Key-exchange= ikev2, ikev3",
            "f:11 [west]:Key-exchange: 'ikev3' is not one of ikev2, ikev1",
        ),
        (
            "aes128gcm16-x25519\n",
            "aes128gcm16-sha256\n",
            "f:16 [net]:ESP-proposals: 'aes128gcm16-sha256': this cipher brings its own integrity"
            " algorithm",
        ),
        (
            "10.2.0.0/16[tcp/80-90]",
            "10.2.0.0/16[tcp/90-80]",
            "f:17 [net]:Local-selectors: '10.2.0.0/16[tcp/90-80]': ports '90-80' end before they"
            " start",
        ),
        (
            "Remote-selectors= 10.3.0.0/16",
            "Remote-selectors= fd00::/8",
            "f:17 [net]:Local-selectors: the traffic selects no packet: IPv4 on one side, "
            "IPv6 on the other",
        ),
        (
            "aes128gcm16-x25519\n",
            "aes128gcm16-esn\n",
            "f:16 [net]:ESP-proposals: IKEv1 can say none of its suites, such as aes128gcm16-esn",
        ),
        (
            "Local-selectors= 10.1.0.0/16, ",
            "Local-selectors= ",
            "f:14 [net]: IKEv1 has no ranges of ports (Key-exchange= ikev2 has)",
        ),
        (
            "Authentication= 9f2c7be1d04a86b35c7e",
            "",
            "f:8 [west]: no Authentication: the pre-shared key is",
        ),
        (
            "IKE-proposals=",
            "IKE-proposal=",
            "f:12 [west]:IKE-proposal: no tag IKE-proposal in an ISAKMP peer"
            " (did you mean IKE-proposals?)",
        ),
        (
            "ESP-proposals= aes128gcm16-x25519\n",
            "Configuration= bundles\n[bundles]\nEXCHANGE_TYPE= QUICK_MODE\nSuites= both\n"
            "[both]\nProtocols= QM-ESP-AES-SHA, QM-AH-SHA\n[net]\n",
            "f:14 [net]: IKEv2 can negotiate none of its suites"
            " (IKEv2 has no bundles; set ESP-proposals)",
        ),
        (
            "ESP-proposals= aes128gcm16-x25519\n",
            "Configuration= old\n[old]\nEXCHANGE_TYPE= QUICK_MODE\n"
            "Suites= QM-ESP-AES-RIPEMD-SUITE, QM-AH-RIPEMD-SUITE\n[net]\n",
            "f:14 [net]: IKEv2 can negotiate none of its suites: it has no HMAC_RIPEMD"
            " (set ESP-proposals)",
        ),
        (
            "ESP-proposals= aes128gcm16-x25519\n",
            "Configuration= old\n[old]\nEXCHANGE_TYPE= QUICK_MODE\n"
            "Suites= QM-ESP-AES-RIPEMD-SUITE, both\n"
            "[both]\nProtocols= QM-ESP-AES-SHA, QM-AH-SHA\n[net]\n",
            "f:14 [net]: IKEv2 can negotiate none of its suites: it has no HMAC_RIPEMD"
            " (IKEv2 has no bundles; set ESP-proposals)",
        ),
        (
            "IKE-proposals= aes128gcm16-prfsha256-x25519, aes256-sha256-modp2048\n",
            "Configuration= main\n[main]\nEXCHANGE_TYPE= ID_PROT\n"
            "Transforms= BLF-SHA-GRP14, CAST-SHA-GRP14\n[west]\n",
            "f:12 [west]:Configuration: IKEv2 has the algorithms of none of its transforms: it has"
            " no BLOWFISH_CBC, CAST_CBC (set IKE-proposals)",
        ),
    ],
)
def test_what_is_wrong_in_ikev2(old: str, new: str, error: str) -> None:
    assert any(found.startswith(error) for found in errors_of(old, new, VERSION_2))


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        (
            "aes256-sha256-modp2048",
            "3des-md5-modp1024",
            "f:12 [west]:IKE-proposals: 3des-md5-modp1024: HMAC_MD5_96 is no longer",
        ),
        (
            "aes256-sha256-modp2048",
            "3des-md5-modp1024",
            "f:12 [west]:IKE-proposals: 3des-md5-modp1024: MODP_1024 is no longer",
        ),
        (
            "Remote-selectors= 10.3.0.0/16",
            "Remote-selectors= 10.3.1.2/16[tcp]",
            "f:18 [net]:Remote-selectors: 10.3.1.2/16 is taken for the network 10.3.0.0/16; ",
        ),
        ("aes128gcm16-x25519\n", "des-sha1\n", "f:16 [net]:ESP-proposals: des-sha1: DES is no"),
    ],
)
def test_what_deserves_a_word_in_ikev2(old: str, new: str, warning: str) -> None:
    conf = Conf.from_text(VERSION_2.replace(old, new), "f")
    assert check(conf) == []
    assert any(found.startswith(warning) for found in warnings(conf))


def test_peers_that_share_an_address_can_call() -> None:
    text = VERSION_2.replace("ikev2, ikev1", "ikev2")
    shared = text.replace("Connections= net", "Connections= net, net-2") + (
        "[net-2]\nISAKMP-peer= south\nESP-proposals= aes128gcm16\nRemote-selectors= 10.4.0.0/16\n"
        "Local-selectors= 10.1.0.0/16\n[south]\nAddress= 192.0.2.2\nKey-exchange= ikev2\n"
        "Authentication= 5b1f0d9c8842b6d1f09c7e35\nRemote-ID= of-south\n"
        "[of-south]\nID-type= FQDN\nName= south.example.net\n"
    )
    assert warnings(Conf.from_text(shared, "f")) == []
    shared = shared.replace("[south]\nAddress= 192.0.2.2", "[south]\nAddress= 192.0.2.3")
    (warning,) = warnings(Conf.from_text(shared, "f"))
    assert "cannot call us" in warning


@pytest.mark.parametrize("listed", ["192.0.2.2", "Default"])
@pytest.mark.parametrize("spoken", ["ikev2", "ikev2, ikev1"])
def test_a_peer_that_nobody_is_ever_taken_for(listed: str, spoken: str) -> None:
    """Who calls from its address is another, and it has no identity to be known by."""
    text = VERSION_2.replace("192.0.2.2= west", f"{listed}= west")
    text = text.replace("Connections= net", "Connections= net, net-2") + (
        "[net-2]\nISAKMP-peer= south\nESP-proposals= aes128gcm16\nRemote-selectors= 10.4.0.0/16\n"
        f"Local-selectors= 10.1.0.0/16\n[south]\nAddress= 192.0.2.2\nKey-exchange= {spoken}\n"
        "Authentication= 5b1f0d9c8842b6d1f09c7e35\n"
    )
    found = [line for line in warnings(Conf.from_text(text, "f")) if "cannot call us" in line]
    assert [line.partition("us: ")[2] for line in found] == [
        "who calls from 192.0.2.2 is [west], as [Phase 1] has it, and [south] only by a Remote-ID, "
        "which it lacks"
    ]
    named = text.replace("= west\n", "= south\n", 1)
    assert not any("[south]: cannot" in line for line in warnings(Conf.from_text(named, "f")))


REMOTE_ID = "Remote-ID= w\n[w]\nID-type= IPV4_ADDR\nAddress= 192.0.2.2\n"
LACKS = "[Phase 1] lacks Default= west, by which every address may call"


@pytest.mark.parametrize(
    ("phase_1", "spoken", "more", "said"),
    [
        ("", "ikev2", "", [f"cannot call us: {LACKS}"]),
        ("", "ikev2", REMOTE_ID, [f"cannot call us: {LACKS}"]),
        ("192.0.2.7= far", "ikev2", REMOTE_ID, [f"can call us from 192.0.2.7 alone: {LACKS}"]),
        ("192.0.2.7= far", "ikev1", REMOTE_ID, [f"cannot call us: {LACKS}"]),
        ("Default= far", "ikev2", REMOTE_ID, []),
        ("Default= far", "ikev2", "", ["cannot call us: who calls is [far], the Default, and "
                                       "[west] only by a Remote-ID, which it lacks"]),
        ("Default= west", "ikev2", "", []),
    ],
)  # fmt: skip
def test_a_peer_of_any_address_whom_no_line_lets_in(
    phase_1: str, spoken: str, more: str, said: list[str]
) -> None:
    text = VERSION_2.replace("192.0.2.2= west", phase_1).replace(
        "Connections", "Passive-connections"
    )
    text = text.replace("ikev2, ikev1", spoken).replace("Address= 192.0.2.2\n", "", 1)
    text = text.replace("[net]", f"{more}[net]") + (
        "[far]\nKey-exchange= ikev2\nIKE-proposals= aes128gcm16-prfsha256-x25519\n"
        "Authentication= 5b1f0d9c8842b6d1f09c7e35\n"
    )
    found = [line for line in warnings(Conf.from_text(text, "f")) if "call us" in line]
    assert [line.partition("[west]: ")[2] for line in found] == said


def test_a_key_by_identity_is_enough() -> None:
    by_identity = VERSION_2.replace("Authentication= 9f2c7be1d04a86b35c7e", "") + (
        "[west@example.net]\nAuthentication= 9f2c7be1d04a86b35c7e\n"
    )
    assert check(Conf.from_text(by_identity, "f")) == []


def test_what_is_built_in_is_judged_where_it_is_used() -> None:
    """IKEv2 alone has better defaults than isakmpd had."""
    text = VERSION_2
    for tag in ("IKE-proposals= aes128gcm16-prfsha256-x25519, aes256-sha256-modp2048\n",
                "ESP-proposals= aes128gcm16-x25519\n"):  # fmt: skip
        text = text.replace(tag, "")
    assert len(warnings(Conf.from_text(text, "f"))) > 0
    text = text.replace("ikev2, ikev1", "ikev2")
    assert check(Conf.from_text(text, "f")) == []
    assert warnings(Conf.from_text(text, "f")) == []


def found(text: str) -> tuple[list[str], list[str]]:
    """Errors and warnings."""
    conf = Conf.from_text(text, "f")
    return [str(error) for error in check(conf)], warnings(conf)


def test_what_nothing_reaches_is_no_error() -> None:
    """The shapes of isakmpd's own samples: transforms nobody uses, lists of what is not there."""
    stray = (
        "[BLF-SHA-EC155]\nENCRYPTION_ALGORITHM= BLOWFISH_CBC\nHASH_ALGORITHM= SHA\n"
        "AUTHENTICATION_METHOD= PRE_SHARED\nGROUP_DESCRIPTION= EC2N_155\n"
        "[unused-mode]\nDOI= IPSEC\nEXCHANGE_TYPE= ID_PROT\nTransforms= BLF-SHA-M1024\n"
    )
    errors, warned = found(VERSION_2 + stray)
    assert errors == []
    assert any("EC2N_155 (3) is not supported" in text for text in warned)
    assert any("there is no section [BLF-SHA-M1024]" in text for text in warned)
    assert found(VERSION_2 + stray + "[General]\nDefault-phase-2-suites= nowhere\n")[0]


def test_a_peer_nobody_connects_to_may_need_what_we_have_not() -> None:
    """A sample has 3DES-SHA-RSA for whoever calls from anywhere."""
    default = GATEWAY.replace("[Phase 2]", "Default= other\n[Phase 2]") + (
        "[other]\nConfiguration= aggressive\nAuthentication= 9f2c7be1d04a86b35c7e\n"
        "[aggressive]\nEXCHANGE_TYPE= AGGRESSIVE\nTransforms= 3DES-SHA-RSA\n"
    )
    errors, warned = found(default)
    assert errors == []
    assert any("RSA_SIG is not supported" in text and "[other]" in text for text in warned)
    assert found(default.replace("=\t\tISAKMP-peer-west\nC", "= other\nC"))[0]


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("Flags= Stayalive", "'Stayalive' is not Active-only, the only value, and is ignored"),
        ("Flags=", "Flags has no value and is ignored"),
        ("Rainbow= yes", "no tag Rainbow in an IPsec connection, and is ignored"),
    ],
)
def test_what_isakmpd_ignored_is_a_warning(tags: str, said: str) -> None:
    text = VERSION_2.replace("ISAKMP-peer=", f"{tags}\nISAKMP-peer=", 1)
    errors, warned = found(text)
    assert errors == []
    assert any(said in text for text in warned), warned


def test_a_misspelt_tag_leaves_its_section_out() -> None:
    """Without its Remote-ID a peer would be anybody."""
    text = VERSION_2.replace("Authentication=", "Remote-IDs= west-id\nAuthentication=", 1)
    assert "did you mean Remote-ID?" in found(text)[0][0]
    with pytest.raises(ConfError, match="no tag Remote-IDs"):
        read_remote(Conf.from_text(text), "west")


def test_a_connection_to_somewhere_unknown_cannot_be_started() -> None:
    started = "\n".join(line for line in VERSION_2.splitlines() if not line.startswith("Address= "))
    assert any("has no Address, so that it cannot be started" in text for text in found(started)[1])


@pytest.mark.parametrize(
    ("tags", "window"), [("ReplayWindow= -1", 0), ("ReplayWindow= 0", 0), ("", 64)]
)
def test_a_negative_replay_window_is_none(tags: str, window: int) -> None:
    conf = Conf.from_text(f"[c]\n{tags}")
    assert conf.value(Kind.CONNECTION, "c", "ReplayWindow") == window


def test_a_port_may_have_a_name() -> None:
    conf = Conf.from_text("[p]\nPort= isakmp")
    assert conf.value(Kind.PEER, "p", "Port") == 500


SECTION = "[brief]\nLIFE_TYPE= {}\nLIFE_DURATION= {}\n"


@pytest.mark.parametrize("unit", ["seconds", "kilobytes"])
@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize(("amount", "told"), [("1", True), ("2,1:9", True), ("3600", False)])
def test_a_lifetime_too_short_to_replace_what_has_it(
    unit: str, phase: int, amount: str, told: bool
) -> None:
    header = "[east]\n" if phase == 1 else "[west-east]\n"
    tag = "IKE-proposals= aes128-sha256-x25519" if phase == 1 else "ESP-proposals= aes128gcm16"
    text = PAIR.text().replace(header, f"{header}{tag}\nLife= brief\n", 1)
    text += SECTION.format(unit.upper(), amount)
    said = [line for line in warnings(Conf.from_text(text, "f")) if "too little" in line]
    assert len(said) == told
    if told:
        assert f"LIFE_DURATION: {amount[0]} {unit}: too little to replace an SA in time" in said[0]


@pytest.mark.parametrize(
    ("life", "said"),
    [
        ("60,1:86400", ": accepts 1 seconds: too little to replace an SA in time; give it 30"),
        ("60,0:86400", ": accepts 0 seconds: too little"),
        ("60,100:200", "offers 60, which it would not accept"),
        ("600,60:300", "offers 600, which it would not accept"),
        ("3600,60:86400", ""),
    ],
)
@pytest.mark.parametrize("place", ["General", "brief"])
def test_a_lifetime_whose_range_is_not_one_to_keep_to(place: str, life: str, said: str) -> None:
    text = PAIR.text()
    if place == "General":
        text = text.replace("[General]\n", f"[General]\nDefault-phase-2-lifetime= {life}\n", 1)
    else:
        tags = "[west-east]\nESP-proposals= aes128gcm16\nLife= brief\n"
        text = text.replace("[west-east]\n", tags, 1) + SECTION.format("SECONDS", life)
    told = [line for line in warnings(Conf.from_text(text, "f")) if "accept" in line]
    assert [said in line for line in told] == [True] * bool(said)


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("General", "Default-phase-1-lifetime= 29"), ("General", "Default-phase-2-lifetime= 1,1:9"),
        ("east", "Reauthenticate= 5"), ("west-east", "Packets= 2"),
    ],
)  # fmt: skip
def test_whatever_else_is_too_little(section: str, line: str) -> None:
    pair = replace(PAIR, peer_tags="Key-exchange= ikev2")
    text = pair.text().replace(f"[{section}]\n", f"[{section}]\n{line}\n", 1)
    assert [said for said in warnings(Conf.from_text(text, "f")) if "too little" in said]
    more = text.replace(line, f"{line.partition('=')[0]}= 4000")
    assert not [said for said in warnings(Conf.from_text(more, "f")) if "too little" in said]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\nAddress= 192.0.2.2", "\nAddress= east.example", "write a host's address, no name"),
        ("\nAddress= 192.0.2.2", "\nAddress= [2001:db8::2]", "write 2001:db8::2 alone"),
        ("\nAddress= 192.0.2.2", "\nAddress= 192.0.2.2/32", "write 192.0.2.2 alone"),
        ("Network= 10.1.0.0", "Network= 10.1.0.0/16", "the mask is Netmask's"),
        ("ID-type= IPV4_ADDR_SUBNET", "ID-type= IPV4_ADDR", "with Network it is IPV4_ADDR_SUBNET"),
    ],
)
def test_an_address_that_is_none_is_told_with_what_to_write(old: str, new: str, said: str) -> None:
    errors = check(Conf.from_text(PAIR.text().replace(old, new, 1), "f"))
    assert any(said in error.hint for error in errors)


@pytest.mark.parametrize("flag", ["Activ-only", "ActiveOnly", "active_only", "Passive-only"])
def test_a_flag_that_looks_like_one_is_an_error(flag: str) -> None:
    """Without it the peer could begin the connection."""
    errors, _ = found(VERSION_2.replace("ISAKMP-peer=", f"Flags= {flag}\nISAKMP-peer=", 1))
    assert [error for error in errors if "did you mean Active-only?" in error], errors
