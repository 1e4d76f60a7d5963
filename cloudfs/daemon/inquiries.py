"""What a person asks of a mount besides its status: what is pending, whether all is there, how much it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudfs.daemon.control import Handler, Report
from cloudfs.daemon.pending import PendingWork
from cloudfs.daemon.retention import Pruner
from cloudfs.daemon.usage import Sizes
from cloudfs.daemon.verify import Verifier
from cloudfs.errors import UsageError
from cloudfs.retention import parse_rules


@dataclass(frozen=True, slots=True)
class Inquiries:
    """Those who know."""

    pending: PendingWork
    verifier: Verifier
    sizes: Sizes
    pruner: Pruner


def inquiry_handlers(inquiries: Inquiries) -> dict[str, Handler]:
    """Each command by its name; ``daemon/control.py`` says what they take and give."""

    async def pending(arguments: dict[str, Any], report: Report) -> object:
        return await inquiries.pending.list(_path(arguments), int(arguments["most"]))

    async def retry_path(arguments: dict[str, Any], report: Report) -> object:
        return await inquiries.pending.retry(_path(arguments))

    async def discard(arguments: dict[str, Any], report: Report) -> object:
        return await inquiries.pending.discard(_path(arguments))

    async def verify(arguments: dict[str, Any], report: Report) -> object:
        return await inquiries.verifier.verify(_path(arguments), float(arguments.get("deep") or 0), report)

    async def usage(arguments: dict[str, Any], report: Report) -> object:
        return await inquiries.sizes.measure(_path(arguments))

    async def prune(arguments: dict[str, Any], report: Report) -> object:
        try:
            rules = parse_rules(arguments["rules"])
        except ValueError as error:
            raise UsageError(str(error)) from None
        return await inquiries.pruner.prune(rules, dry_run=bool(arguments.get("dry_run")))

    return {
        "pending": pending,
        "retry-path": retry_path,
        "discard": discard,
        "verify": verify,
        "usage": usage,
        "prune": prune,
    }


def _path(arguments: dict[str, Any]) -> str:
    return str(arguments.get("path") or "")
