"""The commands that a mount answers on its control socket; ``daemon/control.py`` says what they give."""

from __future__ import annotations

from typing import Any

from cloudfs.daemon.control import Handler, Report
from cloudfs.daemon.ending import Ending
from cloudfs.daemon.inquiries import inquiry_handlers
from cloudfs.daemon.parts import Parts


def handlers(parts: Parts, ending: Ending) -> dict[str, Handler]:
    """Each command by its name."""
    status = parts.status

    async def show(arguments: dict[str, Any], report: Report) -> object:
        return await status.snapshot(str(arguments.get("path") or ""))

    async def wait(arguments: dict[str, Any], report: Report) -> object:
        return await status.wait([str(path) for path in arguments["paths"]], arguments.get("timeout"), report)

    async def unmounting(arguments: dict[str, Any], report: Report) -> object:
        return await ending.unmounting(arguments.get("timeout"), report)

    async def flush(arguments: dict[str, Any], report: Report) -> object:
        await status.hasten()
        return {}

    async def retry(arguments: dict[str, Any], report: Report) -> object:
        status.retry()
        return {}

    async def stop(arguments: dict[str, Any], report: Report) -> object:
        parts.session.stop()
        return {}

    own = {"status": show, "wait": wait, "unmounting": unmounting, "flush": flush, "retry": retry, "stop": stop}
    return own | inquiry_handlers(parts.inquiries)
