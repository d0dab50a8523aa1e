"""A key exchange as an exchange does it: here, or by workers."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

from isakmp.constants.ikev2 import KeyExchange
from isakmp.crypto import agreement, kem
from isakmp.crypto.kem import SIZES, Kem
from isakmp.errors import CryptoError
from isakmp.event.job import Job
from isakmp.event.worker import HERE, Verb


def supported(number: int) -> Kem:
    try:
        return kem.get_kem(number)
    except CryptoError as error:
        assert "lacks" in str(error)
        pytest.skip(str(error))


T = TypeVar("T")


class Others:
    """Somebody who computes for us, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def takes(self, slow: bool) -> bool:
        return True

    def call(self, verb: Verb, *arguments: bytes) -> Job[bytes]:
        self.asked.append(getattr(verb, "__name__", ""))
        return HERE.call(verb, *arguments)


@pytest.mark.parametrize("number", [31, KeyExchange.ML_KEM_768])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_workers_compute_the_same(number: int, elsewhere: bool) -> None:
    if number in SIZES:
        supported(number)
    work = Others() if elsewhere else HERE

    def finish(steps: Generator[Job[bytes], bytes, T]) -> T:
        try:
            job = next(steps)
            while True:
                job = steps.send(job.result or b"")
        except StopIteration as stop:
            done: T = stop.value
            return done

    pair = finish(agreement.key_pair(work, os.urandom, number))
    public, secret = finish(agreement.respond(work, os.urandom, number, pair.public))
    assert finish(agreement.agree(work, pair, public)) == secret
    if isinstance(work, Others):
        kinds = {"public_value", "encapsulated", "shared_secret"}
        assert kinds.issuperset(work.asked) and len(work.asked) >= 3
