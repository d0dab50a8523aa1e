"""What one quick mode has learned, and what it needs before."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from isakmp.errors import MalformedPayload
from isakmp.scripts.ikev1.quick import Quick, connection_of, parent, selector_of


def exchange(**known: Any) -> Any:
    return SimpleNamespace(sa=known.pop("sa", None), state=Quick(**known))


def test_what_it_is_under_and_for_is_known_by_its_messages() -> None:
    """RFC 2409 5.5: without an ISAKMP SA there is none; identities choose the connection."""
    with pytest.raises(MalformedPayload, match="needs an ISAKMP SA"):
        parent(exchange())
    with pytest.raises(MalformedPayload, match="no connection is chosen"):
        connection_of(exchange())
    wide, narrow = (SimpleNamespace(name=name) for name in ("wide", "narrow"))
    wanted: Any = SimpleNamespace(selector=wide)
    under: Any = SimpleNamespace()
    x = exchange(sa=under, connection=wanted)
    found: list[Any] = [parent(x), connection_of(x), selector_of(x)]
    assert found == [under, wanted, wide]
    x.state.selector = narrow
    found = [selector_of(x)]
    assert found == [narrow]


def test_no_key_is_shown() -> None:
    assert "secret" not in repr(Quick(g_qm_xy=b"secret"))
