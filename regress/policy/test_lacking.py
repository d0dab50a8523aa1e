"""What the library lacks is not proposed, and nothing is made weaker for that."""

from __future__ import annotations

import pytest

from isakmp.conf.check import check, warnings
from isakmp.conf.judge import judge_exchanges, judge_proposal
from isakmp.conf.store import Conf
from isakmp.constants import ikev2
from isakmp.errors import CryptoError
from isakmp.policy import lacking
from isakmp.policy.keywords import parse_esp, parse_ike
from isakmp.policy.lacking import lacks, without_lacking
from isakmp.policy.spd import Transform
from regress.pair import both

T, KeyExchange = ikev2.Transform, ikev2.KeyExchange
NEW = Transform(T.ADDKE1, KeyExchange.ML_KEM_768)


@pytest.fixture
def old_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(number: int) -> None:
        raise CryptoError(f"the library lacks key exchange method {number}")

    monkeypatch.setattr(lacking, "get_method", none)


def test_what_is_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lacking, "get_method", lambda number: None)
    proposal = parse_ike("aes128-sha256-x25519-ke1_mlkem768")
    assert without_lacking(proposal) is proposal
    assert not judge_proposal(parse_ike("aes128-sha256-x25519")).warnings


@pytest.mark.usefixtures("old_library")
def test_a_choice_goes_on_without_it() -> None:
    proposal = parse_ike("aes128-sha256-x25519-mlkem768-ke1_mlkem768-ke1_none")
    left = without_lacking(proposal)
    assert left is not None
    assert [(t.type, t.id) for t in left.transforms if t.type in (T.KE, T.ADDKE1)] == [
        (T.KE, 31), (T.ADDKE1, 0),
    ]  # fmt: skip


@pytest.mark.usefixtures("old_library")
@pytest.mark.parametrize("words", ["x25519-ke1_mlkem768", "mlkem768", "x25519-ke7_mlkem1024"])
def test_what_is_demanded_is_not_weakened(words: str) -> None:
    assert without_lacking(parse_ike(f"aes128-sha256-{words}")) is None


@pytest.mark.usefixtures("old_library")
def test_it_is_told() -> None:
    assert "lacks" in lacks(NEW)
    assert not lacks(Transform(T.KE, 31)) and not lacks(Transform(T.ENCR, 36))
    for verdict in (
        judge_proposal(parse_ike("aes128-sha256-x25519-ke1_mlkem768")),
        judge_exchanges(parse_esp("aes128gcm16-x25519-ke1_mlkem768")),
    ):
        assert not verdict.errors
        (warning,) = verdict.warnings
        assert warning.startswith("KE1_ML_KEM_768 is not proposed") and "isakmpd[pq]" in warning


def conf(words: str) -> Conf:
    (west, _) = both(peer_tags=f"Key-exchange= ikev2\nIKE-proposals= {words}")
    return Conf.from_text(west.text())


@pytest.mark.usefixtures("old_library")
def test_a_check_of_the_configuration_says_so() -> None:
    optional = conf("aes128-sha256-x25519-ke1_mlkem768-ke1_none")
    assert not check(optional)
    assert any("KE1_ML_KEM_768 is not proposed" in text for text in warnings(optional))
    beside = conf("aes128-sha256-x25519-ke1_mlkem768, aes128-sha256-x25519-ke1_ecp256")
    assert not check(beside)
    alone = check(conf("aes128-sha256-x25519-ke1_mlkem768"))
    assert any("lacks a key exchange method" in str(error) for error in alone)


def test_methods_of_the_past_are_warned_of() -> None:
    verdict = judge_exchanges(parse_esp("aes128gcm16-x25519-ke1_modp1024"))
    assert any("no longer" in text for text in verdict.warnings)
