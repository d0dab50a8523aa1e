"""What sections say of IKEv2 beside algorithms: options, selectors, identities by name."""

from __future__ import annotations

import pytest

from isakmp.errors import ConfError
from isakmp.policy.spd import Ikev2, Wish
from regress.policy.sections import connection, peer


class TestOptions:
    def test_without_any(self) -> None:
        assert peer().ikev2 == Ikev2()

    def test_all_of_them(self) -> None:
        remote = peer(
            "Window-size= 8; Childless= force; Fragmentation= no; Fragment-size= 1280;"
            "Encapsulation= force; Send-IDr= no; Proposal-preference= peer; Reauthenticate= 7200;"
            "Make-before-break= no"
        )
        assert remote.ikev2 == Ikev2(8, Wish.FORCE, False, 1280, True, False, False, 7200, False)

    @pytest.mark.parametrize(
        ("tags", "error"),
        [
            ("Window-size= 0", "not a number from 1 to 64"),
            ("Window-size= many", "is not a number"),
            ("Childless= perhaps", "one of no, yes, force"),
            ("Fragment-size= 500", "not 0 or 576 to 65535"),
            ("Fragment-size= 70000", "not 0 or 576 to 65535"),
            ("Encapsulation= yes", "one of auto, force"),
            ("Send-IDr= perhaps", "neither yes nor no"),
            ("Proposal-preference= mine", "one of local, peer"),
            ("Reauthenticate= -1", "not a number from 0 to"),
        ],
    )
    def test_errors(self, tags: str, error: str) -> None:
        with pytest.raises(ConfError, match=error) as caught:
            peer(tags)
        assert caught.value.line == 4

    def test_of_connections(self) -> None:
        ids = "Local-selectors= 10.1.0.0/16; Remote-selectors= 10.2.0.0/16; "
        found = connection(ids)
        assert (found.ipcomp, found.tfc_padding, found.all_fragments) == (False, True, False)
        found = connection(ids + "IPComp= yes; TFC-padding= no; Non-first-fragments= yes")
        assert (found.ipcomp, found.tfc_padding, found.all_fragments) == (True, False, True)
