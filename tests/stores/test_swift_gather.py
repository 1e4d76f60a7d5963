"""How calls for one thing each become calls for many."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
import trio.testing

from cloudfs.stores.swift.gather import Gatherer


class Provider:
    """Takes calls and answers when it is told to; squares numbers, and refuses 13."""

    def __init__(self) -> None:
        self.calls: list[Sequence[int]] = []
        self.gate = trio.Event()

    async def one(self, number: int) -> int:
        (answer,) = await self.many([number])
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def many(self, numbers: Sequence[int]) -> Sequence[int | Exception]:
        self.calls.append(numbers)
        await self.gate.wait()
        return [ValueError("unlucky") if number == 13 else number * number for number in numbers]


async def gathered(gatherer: Gatherer[int, int], provider: Provider, count: int, weight: int = 0) -> list[int]:
    """The answers for ``count`` numbers asked for at once, in their order. None comes before all have asked."""
    answers: dict[int, int] = {}

    async def ask(number: int) -> None:
        answers[number] = await gatherer.call(number, weight)

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(ask, number)
        await trio.testing.wait_all_tasks_blocked()
        provider.gate.set()
    return [answers[number] for number in range(count)]


async def test_few_leave_by_themselves() -> None:
    provider = Provider()
    gatherer = Gatherer(provider.one, provider.many, at_once=4, least=3, most=100, heaviest=100)
    assert await gathered(gatherer, provider, 6) == [number**2 for number in range(6)]
    assert [len(call) for call in provider.calls] == [1] * 6


async def test_many_share_the_calls() -> None:
    provider = Provider()
    gatherer = Gatherer(provider.one, provider.many, at_once=4, least=3, most=100, heaviest=100)
    assert await gathered(gatherer, provider, 12) == [number**2 for number in range(12)]
    assert sorted(len(call) for call in provider.calls[4:]) == [1, 1, 1, 1, 4]


@pytest.mark.parametrize(("most", "weight"), [(5, 0), (100, 20)])
async def test_no_call_is_too_large(most: int, weight: int) -> None:
    provider = Provider()
    gatherer = Gatherer(provider.one, provider.many, at_once=1, least=2, most=most, heaviest=100)
    assert await gathered(gatherer, provider, 11, weight) == [number**2 for number in range(11)]
    assert [len(call) for call in provider.calls] == [1, 5, 5]


async def test_each_hears_of_its_own_failure() -> None:
    provider = Provider()
    gatherer = Gatherer(provider.one, provider.many, at_once=1, least=2, most=100, heaviest=100)
    failures: list[int] = []

    async def ask(number: int) -> None:
        try:
            assert await gatherer.call(number) == number**2
        except ValueError:
            failures.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(ask, number)
        await trio.testing.wait_all_tasks_blocked()
        provider.gate.set()
    assert failures == [13]
    assert len(provider.calls) == 2


async def test_who_leads_and_gives_up_does_not_take_the_others_along() -> None:
    provider = Provider()
    gatherer = Gatherer(provider.one, provider.many, at_once=1, least=2, most=100, heaviest=100)
    answers: list[int] = []
    scopes: dict[int, trio.CancelScope] = {}

    async def ask(number: int) -> None:
        with trio.CancelScope() as scopes[number]:
            answers.append(await gatherer.call(number))

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(ask, number)
        await trio.testing.wait_all_tasks_blocked()
        (leader,) = provider.calls[0]
        scopes[leader].cancel()
        await trio.testing.wait_all_tasks_blocked()
        second = provider.calls[1][0]
        scopes[second].cancel()
        provider.gate.set()
    assert sorted(answers) == sorted(number**2 for number in set(range(4)) - {leader, second})
