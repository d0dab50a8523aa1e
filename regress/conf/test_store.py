"""The store: getters, defaults, transactions, files and their reload."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from isakmp.conf.kinds import Kind
from isakmp.conf.parse import MAX_FILE_BYTES
from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.event.steps import at_once
from isakmp.policy.spd import Range
from regress.configurations import EXPLICIT, GATEWAY


@pytest.fixture
def conf() -> Conf:
    return Conf.from_text(GATEWAY, "gateway.conf")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "isakmpd.conf"
    file.write_text(EXPLICIT)
    file.chmod(0o600)
    return file


class TestGet:
    def test_written_values_are_found_in_any_case(self, conf: Conf) -> None:
        assert conf.get("ISAKMP-peer-west", "Address") == "10.1.0.12"
        assert conf.get("isakmp-PEER-west", "ADDRESS") == "10.1.0.12"

    def test_what_is_neither_written_nor_built_in_is_the_default_given(self, conf: Conf) -> None:
        assert conf.get("General", "No-such-tag") is None
        assert conf.get("no section", "tag", "x") == "x"

    def test_defaults_answer_for_what_is_not_written(self, conf: Conf) -> None:
        assert conf.value(Kind.GENERAL, "General", "Retransmits") == 5
        assert conf.value(Kind.GENERAL, "General", "Check-interval") == 60
        assert conf.get("General", "Application") == "engine"
        assert conf.get("Default-phase-1", "Configuration") == "Default-phase-1-configuration"
        assert conf.get("Phase 1", "Default") is None

    def test_lists(self, conf: Conf) -> None:
        assert conf.get_list("Default-main-mode", "Transforms") == ["3DES-SHA", "BLF-SHA-GRP5"]
        assert Conf.from_text("[a]\nb= ,x,, y ,").get_list("a", "b") == ["x", "y"]
        assert conf.get_list("nothing", "here") == []

    @pytest.mark.parametrize(
        ("text", "value"),
        [("yes", True), ("On", True), ("Defined", True), ("no", False), ("0", False)],
    )
    def test_booleans(self, text: str, value: bool) -> None:
        conf = Conf.from_text(f"[General]\nDelete-SAs= {text}\nAcquire-Only= {text}")
        assert conf.value(Kind.GENERAL, "General", "Delete-SAs") is value
        assert conf.value(Kind.GENERAL, "General", "Acquire-Only") is value

    def test_booleans_that_are_none(self) -> None:
        with pytest.raises(ConfError, match="neither yes nor no"):
            Conf.from_text("[p]\nSend-IDr= perhaps").value(Kind.PEER, "p", "Send-IDr")

    @pytest.mark.parametrize("text", ["1x", "- 1", "1" * 11, "0x10", "٣", "1_0", "1.5"])
    def test_numbers_that_are_none(self, text: str) -> None:
        with pytest.raises(ConfError):
            Conf.from_text(f"[p]\nPackets= {text}").value(Kind.CONNECTION, "p", "Packets")

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("600", Range(600, 600, 600)),
            ("600,450:720", Range(600, 450, 720)),
            ("6, 4 : 7", Range(6, 4, 7)),
        ],
    )
    def test_ranges(self, text: str, value: Range) -> None:
        conf = Conf.from_text(f"[a]\nLIFE_DURATION= {text}")
        assert conf.value(Kind.LIFETIME, "a", "LIFE_DURATION") == value

    @pytest.mark.parametrize("text", ["x", "1,2", "1,3:2", "1:2", "1,2:3,4", "-1"])
    def test_ranges_that_are_none(self, text: str) -> None:
        with pytest.raises(ConfError) as caught:
            conf = Conf.from_text(f"[a]\nLIFE_DURATION= {text}", "f")
            conf.value(Kind.LIFETIME, "a", "LIFE_DURATION")
        found = caught.value
        assert (found.file, found.line, found.tag) == ("f", 2, "LIFE_DURATION")

    def test_a_default_lifetime_follows_general(self) -> None:
        conf = Conf.from_text("[General]\nDefault-phase-1-lifetime= 900,600:1800")
        assert conf.value(Kind.LIFETIME, "LIFE_MAIN_MODE", "LIFE_DURATION") == Range(900, 600, 1800)
        assert conf.value(Kind.LIFETIME, "LIFE_QUICK_MODE", "LIFE_DURATION") == Range(
            1200, 60, 86400
        )
        assert conf.get("LIFE_QUICK_MODE", "LIFE_TYPE") == "SECONDS"

    def test_the_default_peer_takes_the_default_identity(self) -> None:
        conf = Conf.from_text("[General]\nDefault-phase-1-ID= me")
        assert conf.get("Default-phase-1", "ID") == "me"

    def test_a_section_written_in_part_is_completed(self) -> None:
        conf = Conf.from_text("[3DES-SHA]\nGROUP_DESCRIPTION= MODP_2048")
        assert conf.get("3DES-SHA", "GROUP_DESCRIPTION") == "MODP_2048"
        assert conf.get("3DES-SHA", "HASH_ALGORITHM") == "SHA"
        assert conf.tags("3DES-SHA")[0] == "GROUP_DESCRIPTION"
        assert len(conf.tags("3DES-SHA")) == len(set(conf.tags("3DES-SHA"))) == 5

    def test_sections_are_the_written_ones(self, conf: Conf) -> None:
        assert conf.sections()[:3] == ["General", "Phase 1", "Phase 2"]
        assert conf.has_section("AES-SHA") and "AES-SHA" not in conf.sections()
        assert not conf.has_section("AES-SHAKE")

    def test_a_refused_value_of_general_reads_as_the_default(self) -> None:
        text = "[General]\nNAT-T-Keepalive= -1\nDPD-check-interval= -1\nMax-children= 0"
        conf = Conf.from_text(text, "f")
        value, error = conf.general("NAT-T-Keepalive")
        assert value == 20 and "20 counts instead" in str(error) and error and error.line == 2
        value, error = conf.general("DPD-check-interval")
        assert value is None and "as if it were not there" in str(error)
        assert conf.general("Max-children")[0] == 256
        assert conf.general("Retransmits") == (3, None)

    def test_a_chain_of_names_may_end_in_a_generated_section(self, conf: Conf) -> None:
        line = conf.follow("Default-main-mode", "Transforms", "3DES-SHA")
        assert line == conf.where("Default-main-mode", "Transforms")


class TestWhere:
    def test_a_written_tag(self, conf: Conf) -> None:
        assert conf.where("general", "Retransmits") == "gateway.conf:2 [general]:Retransmits"

    def test_a_section(self, conf: Conf) -> None:
        assert conf.where("Phase 1") == "gateway.conf:6 [Phase 1]"

    def test_what_is_built_in(self, conf: Conf) -> None:
        assert (
            conf.where("General", "Check-interval") == "built-in default [General]:Check-interval"
        )
        assert conf.where("AES-SHA") == "built-in default [AES-SHA]"

    def test_what_was_set_at_run_time(self, conf: Conf) -> None:
        step = conf.begin()
        step.set("General", "Check-interval", "30")
        step.commit()
        assert conf.where("General", "Check-interval") == "set at run time [General]:Check-interval"

    def test_an_error_about_a_missing_tag_points_at_the_section(self, conf: Conf) -> None:
        error = conf.error("has no Port", "Phase 1", "Port")
        assert str(error) == "gateway.conf:6 [Phase 1]:Port: has no Port"

    def test_following_a_name_that_leads_nowhere(self, conf: Conf) -> None:
        with pytest.raises(ConfError) as caught:
            conf.follow("Phase 2", "Connections", "IPsec-east-wset")
        assert caught.value.hint == "did you mean IPsec-east-west?"
        assert caught.value.line == 10


class TestTransaction:
    def test_nothing_changes_before_commit(self, conf: Conf) -> None:
        step = conf.begin()
        step.set("new", "tag", "value")
        assert conf.get("new", "tag") is None
        assert step.commit() == {"new"}
        assert conf.get("new", "tag") == "value"

    def test_all_or_nothing(self, conf: Conf) -> None:
        step = conf.begin()
        step.set("new", "tag", "value")
        step.set("General", "Retransmits", "9")
        with pytest.raises(ConfError, match="already set"):
            step.commit()
        assert conf.get("new", "tag") is None
        assert conf.get("General", "Retransmits") == "5"

    def test_override(self, conf: Conf) -> None:
        step = conf.begin()
        step.set("General", "Retransmits", "9", override=True)
        assert step.commit() == {"General"}
        assert conf.get("General", "Retransmits") == "9"

    def test_a_built_in_value_can_be_set_without_override(self, conf: Conf) -> None:
        step = conf.begin()
        step.set("General", "NAT-T-Keepalive", "5")
        step.commit()
        assert conf.get("General", "NAT-T-Keepalive") == "5"

    def test_list_values_come_and_go(self, conf: Conf) -> None:
        for method, expected in [
            ("add", ["IPsec-east-west", "other"]),
            ("add", ["IPsec-east-west", "other"]),
            ("remove_value", ["IPsec-east-west"]),
        ]:
            step = conf.begin()
            getattr(step, method)("Phase 2", "Connections", "other")
            step.commit()
            assert conf.get_list("Phase 2", "Connections") == expected

    def test_the_tag_goes_with_its_last_value(self, conf: Conf) -> None:
        step = conf.begin()
        step.remove_value("Phase 2", "Connections", "IPsec-east-west")
        step.commit()
        assert conf.tags("Phase 2") == []

    def test_removal(self, conf: Conf) -> None:
        step = conf.begin()
        step.remove("General", "Retransmits")
        step.remove_section("Net-west")
        assert step.commit() == {"General", "Net-west"}
        assert conf.get("General", "Retransmits") == "3"
        assert not conf.has_section("Net-west")

    @pytest.mark.parametrize(
        ("method", "arguments"),
        [
            ("remove", ("General", "Check-interval")),
            ("remove", ("none", "none")),
            ("remove_section", ("none",)),
            ("remove_value", ("Phase 2", "Connections", "none")),
        ],
    )
    def test_removing_what_is_not_there(
        self, conf: Conf, method: str, arguments: tuple[str, ...]
    ) -> None:
        step = conf.begin()
        getattr(step, method)(*arguments)
        with pytest.raises(ConfError):
            step.commit()

    @pytest.mark.parametrize(
        ("section", "tag", "value"),
        [("a]", "b", "c"), ("a", "b=", "c"), ("a", "b", "c\nd"), ("a", "b", ""), ("", "b", "c")],
    )
    def test_what_no_file_could_say(self, conf: Conf, section: str, tag: str, value: str) -> None:
        with pytest.raises(ConfError):
            conf.begin().set(section, tag, value)

    def test_transactions_side_by_side_keep_each_others_changes(self, conf: Conf) -> None:
        first, second = conf.begin(), conf.begin()
        first.set("one", "tag", "1")
        second.set("two", "tag", "2")
        first.commit()
        second.commit()
        assert (conf.get("one", "tag"), conf.get("two", "tag")) == ("1", "2")


class TestFile:
    def test_load(self, path: Path) -> None:
        assert Conf.load(path).get("peer-node-0", "Address") == "192.168.0.1"

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
    def test_a_secret_others_can_read_is_refused(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        with pytest.raises(ConfError) as caught:
            Conf.load(path)
        assert caught.value.hint == f"chmod 600 {path}"
        assert caught.value.line == 11
        assert "secret-with" not in str(caught.value)

    def test_without_a_secret_anyone_may_read_it(self, path: Path) -> None:
        path.write_text("[General]\nRetransmits= 4\n")
        path.chmod(0o644)
        assert Conf.load(path).get("General", "Retransmits") == "4"

    def test_an_empty_secret_is_none(self, path: Path) -> None:
        path.write_text("[peer]\nAuthentication=\n")
        path.chmod(0o644)
        assert Conf.load(path).is_empty("peer", "Authentication")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_a_secret_of_another_user_is_refused(self, path: Path) -> None:
        os.chown(path, 65534, 65534)
        with pytest.raises(ConfError, match="belongs to another user"):
            Conf.load(path)

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ConfError, match="cannot be read"):
            Conf.load(tmp_path / "none")
        with pytest.raises(ConfError):
            Conf.load(tmp_path)
        with pytest.raises(ConfError):
            Conf.load("with\0nul")

    def test_a_device_is_not_read(self) -> None:
        with pytest.raises(ConfError, match="not a regular file"):
            Conf.load("/dev/zero")

    def test_too_large(self, path: Path) -> None:
        path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
        with pytest.raises(ConfError, match="larger"):
            Conf.load(path)


@pytest.mark.parametrize("name", ["LIFE_MAIN_MODE", "life_main_mode", "AES-SHA", "another"])
def test_what_is_built_in_shines_through_a_section_that_is_written_in_part(name: str) -> None:
    """However often it has been asked for what it does not say."""
    conf, alone = Conf.from_text(f"[{name}]\nNone= of these\n"), Conf.from_text("")
    for _ in range(2):
        for tag in ("LIFE_TYPE", "LIFE_DURATION", "HASH_ALGORITHM", "Address"):
            assert conf.get(name, tag) == alone.get(name, tag)
        assert conf.tags(name) == ["None", *alone.tags(name)]


def test_a_section_that_says_more_than_its_kind_is_told_apart() -> None:
    conf = Conf.from_text(
        "[a]\nPORT= 1\naddress= x\n[b]\nPort= 1\nPrt= 1\n[LIFE_MAIN_MODE]\nx= y\n"
    )
    found = [conf.knows_all(Kind.PEER, name) for name in ("a", "A", "b", "LIFE_MAIN_MODE", "none")]
    assert found == [True, True, False, False, False]


def test_a_section_with_a_tag_that_says_nothing_is_told_apart() -> None:
    conf = Conf.from_text("[a]\nPort= 1\n[b]\nPort= 1\nLife=\n")
    assert [conf.knows_all(Kind.PEER, name) for name in ("a", "b")] == [True, False]


def test_what_is_empty_is_not_set() -> None:
    """Neither is it the built-in default, nor in the way of who sets it."""
    text = "[General]\nDefault-phase-2-suites=\n[peer]\nLife=\n"
    for section, tag in (("General", "Default-phase-2-suites"), ("peer", "Life")):
        conf = Conf.from_text(text)
        assert (conf.get(section, tag), conf.get(section, tag, "x")) == (None, "x")
        assert conf.get_list(section, tag) == []
        step = conf.begin()
        step.set(section, tag, "some")
        step.commit()
        assert conf.get(section, tag) == "some"
        conf = Conf.from_text(text)
        step = conf.begin()
        step.add(section, tag, "some")
        step.commit()
        assert conf.get(section, tag) == "some"


def reload(conf: Conf, accept: Callable[[Conf], object] = lambda _: None) -> frozenset[str]:
    """What a file that is read again changes, which may be refused."""
    fresh = at_once(conf.again())
    accept(fresh)
    differ = at_once(conf.differing(fresh))
    conf.become(fresh)
    return differ


class TestReload:
    def test_what_changed(self, path: Path) -> None:
        conf = Conf.load(path)
        path.write_text("# moved down\n" + EXPLICIT.replace("600,450:720", "900") + "[new]\na= b\n")
        assert reload(conf) == {"TEN_MINUTES", "new"}
        assert conf.where("TEN_MINUTES", "LIFE_TYPE").startswith(f"{path}:27 ")

    def test_nothing_changed(self, path: Path) -> None:
        conf = Conf.load(path)
        assert reload(conf) == set()

    def test_changes_at_run_time_are_void(self, path: Path) -> None:
        conf = Conf.load(path)
        step = conf.begin()
        step.set("new", "a", "b")
        step.commit()
        assert reload(conf) == {"new"}
        assert not conf.has_section("new")

    def test_a_broken_file_is_refused_whole(self, path: Path) -> None:
        conf = Conf.load(path)
        path.write_text(EXPLICIT.replace("192.168.0.1", "192.168.0.9") + "nonsense\n")
        with pytest.raises(ConfError, match="neither"):
            reload(conf)
        assert conf.get("peer-node-0", "Address") == "192.168.0.1"

    def test_it_may_be_refused(self, path: Path) -> None:
        conf = Conf.load(path)
        path.write_text(EXPLICIT.replace("192.168.0.1", "192.168.0.9"))

        def refuse(fresh: Conf) -> None:
            raise fresh.error("one", "Phase 1")

        with pytest.raises(ConfError, match="one"):
            reload(conf, refuse)
        assert conf.get("peer-node-0", "Address") == "192.168.0.1"

    def test_a_text_has_no_file(self, conf: Conf) -> None:
        with pytest.raises(ConfError):
            reload(conf)
