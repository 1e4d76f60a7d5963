"""Whatever applications, networks and crashes do, the store ends up as the mount shows it, and nothing is ever missing.

The same few histories each time, in a minute; ``CLOUDFS_TEST_EXAMPLES=500`` plays that many new ones of every kind.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, Phase, given, settings

from cloudfs.stores.base import Capabilities
from cloudfs.stores.memory.store import EVERYTHING
from cloudfs.stores.sparse import ALGORITHM
from tests.writeback.clock import run
from tests.writeback.play import Play
from tests.writeback.script import Step, deaths, faults, histories_of_a_file, losses, open_files, quiet_events, scripts

VIRTUAL_DAY = 86_400.0
"""Seconds, which take no time: a script that is not at its end by then never will be."""
EXAMPLES = os.environ.get("CLOUDFS_TEST_EXAMPLES", "")
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
PIECE = 4096
"""Bytes; the files of the scripts have up to five of them."""
STORES = {
    "pieces": Capabilities(server_copy=True, attributes=True, checksum=ALGORITHM),
    "everything": EVERYTHING,
    "no links": Capabilities(directory_move=True, server_copy=True, attributes=True, checksum=ALGORITHM),
    "no moves": Capabilities(server_copy=True, attributes=True, checksum=ALGORITHM),
    "named by id": Capabilities(stable_identities=True, directory_move=True, attributes=True, checksum=ALGORITHM),
    "plain": Capabilities(attributes=True, checksum=ALGORITHM),
    "no attributes": Capabilities(directory_move=True, checksum=ALGORITHM),
}

pytestmark = pytest.mark.timeout(1200)
every_kind = pytest.mark.parametrize("kind", STORES)
thoroughly = settings(
    max_examples=int(EXAMPLES or 6),
    derandomize=not EXAMPLES,
    deadline=None,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def play(script: list[Step], kind: str, cache_size: int = 1 << 30) -> None:
    piece_size = PIECE if kind == "pieces" else 0
    with tempfile.TemporaryDirectory(dir=MEMORY) as home:

        async def perform() -> None:
            with trio.fail_after(VIRTUAL_DAY):
                await Play(Path(home), STORES[kind], piece_size=piece_size, cache_size=cache_size).perform(script)

        run(perform)


@every_kind
@thoroughly
@given(script=scripts(quiet_events))
def test_in_fair_weather(script: list[Step], kind: str) -> None:
    play(script, kind)


@every_kind
@thoroughly
@given(script=scripts(quiet_events, open_files))
def test_with_files_open_and_without_a_cache(script: list[Step], kind: str) -> None:
    play(script, kind, cache_size=0)


@every_kind
@thoroughly
@given(script=scripts(quiet_events, open_files, faults))
def test_with_a_bad_network(script: list[Step], kind: str) -> None:
    play(script, kind)


@every_kind
@thoroughly
@given(script=scripts(quiet_events, open_files, deaths))
def test_with_a_driver_that_is_killed(script: list[Step], kind: str) -> None:
    play(script, kind)


@every_kind
@thoroughly
@given(script=scripts(quiet_events, open_files, faults, deaths, losses, longest=40))
def test_with_everything_that_can_go_wrong(script: list[Step], kind: str) -> None:
    play(script, kind if STORES[kind].attributes else "plain")


@pytest.mark.parametrize("kind", ["pieces", "no moves"])
@thoroughly
@given(script=histories_of_a_file())
def test_with_a_large_file_that_is_written_on(script: list[Step], kind: str) -> None:
    play(script, kind, cache_size=6 * PIECE)


@pytest.mark.parametrize("kind", ["pieces"])
@thoroughly
@given(script=scripts(quiet_events, open_files, open_files, faults, deaths, longest=40))
def test_with_hardly_any_space(script: list[Step], kind: str) -> None:
    play(script, kind, cache_size=3 * PIECE)
