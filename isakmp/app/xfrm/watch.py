"""What others take away of our policies, as ``ip xfrm policy flush`` does, is put back; where they
take their own away, ours that these stood in the way of are installed."""

from __future__ import annotations

from functools import partial

from isakmp.app.xfrm.link import Link
from isakmp.app.xfrm.policies import Policies, present
from isakmp.errors import ApplicationError
from isakmp.log.log import Log


def watch(link: Link, policies: Policies, log: Log) -> None:
    """Put them back from now on, with an error in the log. ApplicationError where the kernel's
    news may not be heard."""
    link.hear_of_losses(partial(_restore, link, policies, log))


def _restore(link: Link, policies: Policies, log: Log) -> None:
    try:
        lost = policies.reinstall({found["index"] for found in present(link)})
    except ApplicationError as error:
        log.internal_err("the kernel's IPsec policies cannot be read: %s", error)
        return
    if held := policies.retry():
        log.info("%d IPsec policies that another's stood in the way of are there now", held)
    if lost:
        log.internal_err(
            "somebody took IPsec policies of ours away, %d in all; they are there again. Who"
            " changes them on this host must leave those of others alone, as no flush does", lost,
        )  # fmt: skip
