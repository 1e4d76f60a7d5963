"""A bad network between a client and a server on loopback: slow, narrow, cut, truncated, off line, answering 503.

In tests::

    with Proxy(("127.0.0.1", 8080), latency=0.04, bandwidth=25_000_000) as proxy:
        ...  # speak to proxy.url
        proxy.cut()
        proxy.offline()

and by hand: ``python -m tests.servers.proxy --target 127.0.0.1:8080 --latency 40ms --bandwidth 200Mbit --cut 5%``.

The proxy is a process of its own, so that it neither slows its client down nor dies with a mount that it serves. It
ends with the one who started it.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import resource
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cloudfs.quantities import parse_duration
from tests.servers.proxy_line import Line
from tests.servers.proxy_mishaps import Mischief, Planned
from tests.servers.proxy_relay import Relay, Traffic

REPOSITORY = Path(__file__).parents[2]
_BITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


class Proxy:
    """The handle of a running proxy. Every method returns when it has taken effect.

    ``latency`` is the round trip in seconds; ``bandwidth`` bytes a second in each direction, shared by all
    connections, None for no limit. ``cuts``, ``truncations`` and ``failures`` are probabilities, for each request with
    its answer (`Mischief` says what they mean). All of them can be set later as well.
    """

    def __init__(
        self,
        target: tuple[str, int],
        *,
        port: int = 0,
        seed: int = 0,
        latency: float = 0.0,
        bandwidth: float | None = None,
        cuts: float = 0.0,
        truncations: float = 0.0,
        failures: float = 0.0,
    ) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.servers.proxy", "--controlled"),
                *("--target", f"{target[0]}:{target[1]}", "--port", str(port), "--seed", str(seed)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
        )
        self._settings: dict[str, Any] = {}
        self.address: tuple[str, int] = tuple(self._hear())
        self._set(latency=latency, bandwidth=bandwidth, cuts=cuts, truncations=truncations, failures=failures)

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    @property
    def port(self) -> int:
        return self.address[1]

    # The line

    @property
    def latency(self) -> float:
        return float(self._settings["latency"])

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._set(latency=seconds)

    @property
    def bandwidth(self) -> float | None:
        found: float | None = self._settings["bandwidth"]
        return found

    @bandwidth.setter
    def bandwidth(self, bytes_a_second: float | None) -> None:
        self._set(bandwidth=bytes_a_second)

    # What happens to some of the requests

    def mischief(self, *, cuts: float = 0.0, truncations: float = 0.0, failures: float = 0.0) -> None:
        """From now on; without arguments, none."""
        self._set(cuts=cuts, truncations=truncations, failures=failures)

    def answer(self, status: int, *, times: int = 1, matching: str = "", retry_after: float | None = None) -> None:
        """The next ``times`` requests whose first line contains ``matching`` get this status from the proxy."""
        self._do("answer", Planned(status, times, retry_after, b"").__dict__ | {"matching": matching})

    # What happens to all

    def cut(self) -> None:
        """Reset every connection there is. New ones work."""
        self._do("cut")

    def offline(self) -> None:
        """Reset every connection there is, and refuse new ones."""
        self._do("offline")

    def stall(self) -> None:
        """Nothing arrives any more, and nobody is told: the cable is out, packets are dropped somewhere."""
        self._do("stall")

    def online(self) -> None:
        """The end of `offline` and `stall`."""
        self._do("online")

    # What happened

    def traffic(self) -> Traffic:
        return Traffic(**self._do("traffic"))

    def cpu(self) -> float:
        """Seconds of processor time that the proxy has used."""
        return float(self._do("cpu"))

    def close(self) -> None:
        """End it, and with it every connection."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _set(self, **settings: float | None) -> None:
        self._settings |= settings
        self._do("set", settings)

    def _do(self, command: str, argument: object = None) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, argument]).encode() + b"\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the proxy ended with status {self._process.wait(10)}"
        return json.loads(line)


class Control:
    """The other end of `Proxy`: commands in the proxy's own process."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._commands: dict[str, Callable[[Any], Awaitable[object]]] = {
            "set": self._set,
            "answer": self._answer,
            "cut": lambda _: relay.cut(),
            "offline": self._offline,
            "stall": self._stall,
            "online": self._online,
            "traffic": self._traffic,
            "cpu": self._cpu,
        }

    async def obey(self) -> None:
        """Until standard input ends."""
        loop, lines = asyncio.get_running_loop(), asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        say(self._relay.address)
        while line := await lines.readline():
            command, argument = json.loads(line)
            say(await self._commands[command](argument))

    async def _set(self, settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            if name == "latency":
                self._relay.up.delay = self._relay.down.delay = value / 2
            elif name == "bandwidth":
                self._relay.up.bandwidth = self._relay.down.bandwidth = value
            else:
                setattr(self._relay.mischief, name, value)

    async def _answer(self, order: dict[str, Any]) -> None:
        self._relay.mischief.planned.append(Planned(**order | {"matching": order["matching"].encode()}))

    async def _offline(self, _: object) -> None:
        await self._relay.refuse()
        await self._relay.cut()

    async def _stall(self, _: object) -> None:
        self._relay.flowing.clear()

    async def _online(self, _: object) -> None:
        self._relay.flowing.set()
        self._relay.open()

    async def _traffic(self, _: object) -> object:
        return asdict(self._relay.traffic)

    async def _cpu(self, _: object) -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime


def say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


class Address(click.ParamType[tuple[str, int]]):
    name = "host:port"

    def convert(self, value: Any, *_: object) -> tuple[str, int]:
        host, _separator, port = str(value).rpartition(":")
        return host or "127.0.0.1", int(port)


def duration(_: click.Context, __: click.Parameter, text: str) -> float:
    return parse_duration(text)


def bandwidth(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """``200Mbit`` or ``25MB``, each a second; bytes a second."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]?)(bit|b)", text.lower())
    if match is None:
        raise click.BadParameter("such as 200Mbit or 25MB")
    return float(match[1]) * _BITS[match[2]] / (8 if match[3] == "bit" else 1)


def probability(_: click.Context, __: click.Parameter, text: str) -> float:
    """``5%`` or ``0.05``."""
    return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)


@click.command()
@click.option("--target", type=Address(), required=True, help="Where the server is.")
@click.option("--port", type=int, default=0, help="Port on 127.0.0.1 to listen on.")
@click.option("--latency", default="0", callback=duration, help="Round trip, such as 40ms.")
@click.option("--bandwidth", callback=bandwidth, help="Each way, such as 200Mbit.")
@click.option("--cut", "cuts", default="0", callback=probability, help="Share of requests whose connection is reset.")
@click.option("--truncate", "truncations", default="0", callback=probability, help="Share of answers that end early.")
@click.option("--fail", "failures", default="0", callback=probability, help="Share of requests that get 5xx or 429.")
@click.option("--seed", type=int, default=0, help="What is drawn is drawn the same again.")
@click.option("--controlled", is_flag=True, help="Take commands from standard input, and end with it.")
def main(
    target: tuple[str, int],
    port: int,
    latency: float,
    bandwidth: float | None,
    cuts: float,
    truncations: float,
    failures: float,
    seed: int,
    controlled: bool,
) -> None:
    """Stand between clients and a server as a bad network would."""
    mischief = Mischief(random.Random(seed), cuts=cuts, truncations=truncations, failures=failures)

    async def serve() -> None:
        relay = Relay(target, port, Line(bandwidth, latency / 2), Line(bandwidth, latency / 2), mischief)
        relay.open()
        try:
            if controlled:
                await Control(relay).obey()
            else:
                click.echo("listening on {}:{}".format(*relay.address), err=True)
                await asyncio.Event().wait()
        finally:
            await relay.aclose()

    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
