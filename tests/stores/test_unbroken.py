"""A cancellation waits for what was begun, and not for ever."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from cloudfs.stores.unbroken import unbroken


async def test_the_answer_comes_through() -> None:
    async def call() -> int:
        await trio.lowlevel.checkpoint()
        return 7

    assert await unbroken(call) == 7


async def test_a_failure_comes_through_as_it_is() -> None:
    async def call() -> None:
        raise ValueError("as it is")

    with pytest.raises(ValueError, match="as it is"):
        await unbroken(call)


async def test_what_was_begun_is_finished_and_answered() -> None:
    gate, answers = trio.Event(), []

    async def call() -> int:
        await gate.wait()
        return 7

    async with trio.open_nursery() as nursery:

        async def caller() -> None:
            answers.append(await unbroken(call))

        nursery.start_soon(caller)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
        gate.set()
    assert answers == [7]


async def test_what_was_not_begun_does_not_begin() -> None:
    begun = []

    async def call() -> None:
        begun.append(True)

    with trio.CancelScope() as scope:
        scope.cancel()
        await unbroken(call)
    assert scope.cancelled_caught
    assert not begun
    with trio.CancelScope() as scope:
        scope.cancel()
        await unbroken(call, begun=True)
    assert begun


async def test_a_cancellation_does_not_wait_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    with trio.move_on_after(5) as scope:
        await unbroken(trio.sleep_forever, grace=lambda: 10.0)
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(15, abs=0.1)
