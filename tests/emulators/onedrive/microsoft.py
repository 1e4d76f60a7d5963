"""The emulator under Microsoft's own names, for programs that know no other address of Graph, such as rclone.

``python -m tests.emulators.onedrive.microsoft --target http://127.0.0.1:PORT --directory DIR`` is an HTTP proxy that
takes connections to those names, and to nothing else, with certificates of an authority made up for the occasion::

    HTTPS_PROXY=http://127.0.0.1:P rclone --ca-cert DIR/authority.pem ...

When it can be used, it prints a line ``ready URL``. Addresses that Graph hands out (of uploads, downloads, next pages)
are the emulator's own, and clients go there directly.
"""

from __future__ import annotations

import argparse
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import h11
import trio
import trustme

NAMES = ("graph.microsoft.com", "login.microsoftonline.com")
AUTHORITY = "authority.pem"
_CHUNK = 256 << 10


async def serve(
    target: tuple[str, int], directory: Path, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """For ever, on a free port of loopback, which is the started value."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / AUTHORITY))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(context)

    async def take(stream: trio.SocketStream) -> None:
        async with stream:
            if not await _is_meant(stream):
                await stream.send_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            await stream.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            secure = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
            async with secure, await trio.open_tcp_stream(*target) as plain:
                await _relay(secure, plain)

    async def guarded(stream: trio.SocketStream) -> None:
        try:
            await take(stream)
        except* (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(guarded, listeners)


async def _is_meant(stream: trio.SocketStream) -> bool:
    """Whether the first request is ``CONNECT`` to one of the names."""
    protocol = h11.Connection(h11.SERVER)
    while (event := protocol.next_event()) is h11.NEED_DATA:
        protocol.receive_data(await stream.receive_some(_CHUNK))
    if not isinstance(event, h11.Request) or event.method != b"CONNECT":
        return False
    return event.target.decode() in [f"{name}:443" for name in NAMES]


async def _relay(one: trio.abc.Stream, other: trio.abc.Stream) -> None:
    """Until either side ends."""

    async def forward(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
        async for chunk in source:
            await sink.send_all(chunk)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(forward, one, other)
        nursery.start_soon(forward, other, one)


async def _run(target: tuple[str, int], directory: Path) -> None:
    async with trio.open_nursery() as nursery:
        print(f"ready http://127.0.0.1:{await nursery.start(serve, target, directory)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="The emulator of OneDrive under Microsoft's names.")
    parser.add_argument("--target", required=True, help="URL of the emulator, or of a proxy in front of it")
    parser.add_argument("--directory", type=Path, required=True, help=f"where {AUTHORITY} goes")
    arguments = parser.parse_args()
    url = urlsplit(arguments.target)
    trio.run(_run, (str(url.hostname), int(url.port or 80)), arguments.directory)


if __name__ == "__main__":
    main()
