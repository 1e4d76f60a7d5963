from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from cloudfs.daemon.client import ControlClient, DaemonGone, DaemonRefused, DaemonSilent
from cloudfs.daemon.control import ControlServer, Handler, Report, may_control
from cloudfs.daemon.wire import encode, socket_address
from cloudfs.errors import QuotaExceeded, StateInUse

Call = Callable[..., Awaitable[Any]]


async def echo(arguments: dict[str, Any], report: Report) -> object:
    return arguments


async def count(arguments: dict[str, Any], report: Report) -> object:
    for number in range(arguments["up_to"]):
        await report({"files": number})
    return "counted"


async def refuse(arguments: dict[str, Any], report: Report) -> object:
    raise QuotaExceeded("the store is full")


async def fail(arguments: dict[str, Any], report: Report) -> object:
    raise ZeroDivisionError("a bug")


async def sleep_for_ever(arguments: dict[str, Any], report: Report) -> object:
    await trio.sleep_forever()
    raise AssertionError("not reached")


async def answer_nonsense(arguments: dict[str, Any], report: Report) -> object:
    return object()


HANDLERS: dict[str, Handler] = {
    "echo": echo,
    "count": count,
    "refuse": refuse,
    "fail": fail,
    "sleep": sleep_for_ever,
    "nonsense": answer_nonsense,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
async def call(path: Path, nursery: trio.Nursery) -> Call:
    await nursery.start(ControlServer(path, HANDLERS).serve)
    return partial(in_thread, ControlClient(path).call)


async def in_thread(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    return await trio.to_thread.run_sync(partial(function, *arguments, **keywords))


async def test_arguments_go_there_and_back(call: Call) -> None:
    arguments = {
        "paths": ["a/b", os.fsdecode(b"\xff\xfe"), "\N{SNOWMAN}\n"],
        "timeout": None,
        "deep": {"x": [1.5, True]},
    }
    assert await call("echo", **arguments) == arguments


async def test_events_come_in_order_before_the_result(call: Call, path: Path) -> None:
    events: list[dict[str, Any]] = []
    result = await in_thread(ControlClient(path).follow, "count", events.append, up_to=100)
    assert events == [{"files": number} for number in range(100)]
    assert result == "counted"


async def test_our_errors_are_told(call: Call) -> None:
    with pytest.raises(DaemonRefused, match="the store is full") as caught:
        await call("refuse")
    assert caught.value.kind == "QuotaExceeded"


@pytest.mark.parametrize("command", ["fail", "nonsense"])
async def test_a_bug_in_a_handler_ends_nothing(call: Call, caplog: pytest.LogCaptureFixture, command: str) -> None:
    with pytest.raises(DaemonRefused, match=f"internal error in {command}; the log") as caught:
        await call(command)
    assert caught.value.kind == "InternalError"
    assert "Traceback" in caplog.text
    assert await call("echo", alive=True) == {"alive": True}


async def test_an_unknown_command(call: Call) -> None:
    with pytest.raises(DaemonRefused, match="another version"):
        await call("dance")


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b"{}\n", b'{"command": ["echo"]}\n', b"\xff\n"])
async def test_what_is_no_request(call: Call, path: Path, line: bytes) -> None:
    async with await trio.open_unix_socket(path) as stream:
        await stream.send_all(line)
        assert b'"error"' in await stream.receive_some()
    assert await call("echo", alive=True) == {"alive": True}


async def test_a_request_in_pieces(call: Call, path: Path) -> None:
    async with await trio.open_unix_socket(path) as stream:
        for byte in encode({"command": "echo", "arguments": {"x": 1}}):
            await stream.send_all(bytes([byte]))
        assert await stream.receive_some() == encode({"result": {"x": 1}})


async def test_a_client_that_leaves_cancels_its_request(path: Path, nursery: trio.Nursery) -> None:
    begun, cancelled = trio.Event(), trio.Event()

    async def handler(arguments: dict[str, Any], report: Report) -> object:
        begun.set()
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    await nursery.start(ControlServer(path, {"wait": handler}).serve)
    stream = await trio.open_unix_socket(path)
    await stream.send_all(encode({"command": "wait"}))
    await begun.wait()
    await stream.aclose()
    await cancelled.wait()


async def test_a_client_that_leaves_while_events_are_sent(path: Path, nursery: trio.Nursery) -> None:
    cancelled = trio.Event()

    async def handler(arguments: dict[str, Any], report: Report) -> object:
        try:
            while True:
                await report({"noise": "x" * 65536})
        finally:
            cancelled.set()

    await nursery.start(ControlServer(path, {"wait": handler, "echo": echo}).serve)
    stream = await trio.open_unix_socket(path)
    await stream.send_all(encode({"command": "wait"}))
    await stream.receive_some()
    await stream.aclose()
    await cancelled.wait()
    assert await in_thread(ControlClient(path).call, "echo", alive=True) == {"alive": True}


async def test_a_slow_command_does_not_hold_up_others(call: Call, path: Path) -> None:
    async with await trio.open_unix_socket(path) as stream:
        await stream.send_all(encode({"command": "sleep"}))
        assert await call("echo", x=1) == {"x": 1}


async def test_a_daemon_that_does_not_answer_in_time(call: Call) -> None:
    with pytest.raises(DaemonSilent, match="does not answer"):
        await call("sleep", limit=0.05)


async def test_a_daemon_that_ends_before_it_answers(path: Path, nursery: trio.Nursery) -> None:
    begun = trio.Event()

    async def handler(arguments: dict[str, Any], report: Report) -> object:
        begun.set()
        return await sleep_for_ever(arguments, report)

    async def serve(*, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                await inner.start(ControlServer(path, {"wait": handler}).serve)
                task_status.started(scope)

    scope = await nursery.start(serve)

    async def stop() -> None:
        await begun.wait()
        scope.cancel()

    nursery.start_soon(stop)
    with pytest.raises(DaemonGone, match="ended before it answered"):
        await in_thread(ControlClient(path).call, "wait", limit=None)


async def test_the_socket_goes_when_the_server_does(path: Path) -> None:
    async with trio.open_nursery() as inner:
        await inner.start(ControlServer(path, HANDLERS).serve)
        assert os.listdir(path.parent) == [path.name]
        inner.cancel_scope.cancel()
    assert os.listdir(path.parent) == []


def test_no_daemon_at_all(path: Path) -> None:
    with pytest.raises(DaemonGone, match="no daemon answers"):
        ControlClient(path).call("status")


def test_a_socket_nobody_listens_on(path: Path) -> None:
    leave_a_stale_socket(path)
    with pytest.raises(DaemonGone, match="no daemon answers"):
        ControlClient(path).call("status")


async def test_a_stale_socket_is_replaced(path: Path, nursery: trio.Nursery) -> None:
    leave_a_stale_socket(path)
    await nursery.start(ControlServer(path, HANDLERS).serve)
    assert await in_thread(ControlClient(path).call, "echo", x=1) == {"x": 1}


async def test_a_live_socket_is_not_replaced(call: Call, path: Path) -> None:
    with pytest.raises(StateInUse, match="another process answers"):
        await ControlServer(path, HANDLERS).serve()
    assert await call("echo", x=1) == {"x": 1}


async def test_only_its_own_socket_is_removed(path: Path) -> None:
    async with trio.open_nursery() as inner:
        await inner.start(ControlServer(path, HANDLERS).serve)
        os.unlink(path)
        leave_a_stale_socket(path)
        inner.cancel_scope.cancel()
    assert os.listdir(path.parent) == [path.name]


async def test_the_socket_is_private(call: Call, path: Path) -> None:
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("length", [106, 107, 108, 109, 200])
async def test_a_path_longer_than_a_socket_address(tmp_path: Path, nursery: trio.Nursery, length: int) -> None:
    directory = tmp_path / ("d" * 100)
    directory.mkdir()
    path = directory / ("s" * max(1, length - len(os.fspath(directory)) - 1))
    await nursery.start(ControlServer(path, HANDLERS).serve)
    assert path.is_socket()
    assert await in_thread(ControlClient(path).call, "echo", x=1) == {"x": 1}


def test_who_may_control() -> None:
    assert may_control(user=1000, owner=1000)
    assert may_control(user=0, owner=1000)
    assert not may_control(user=1000, owner=0)
    assert not may_control(user=1001, owner=1000)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_other_users_are_refused_even_if_they_reach_the_socket(nursery: trio.Nursery) -> None:
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o755)
        path = Path(open_to_all, "control.sock")
        await nursery.start(ControlServer(path, HANDLERS).serve)
        os.chmod(path, 0o666)
        answer = await in_thread(ask_as_nobody, path)
        assert b'"kind":"AccessDenied"' in answer
        assert await in_thread(ControlClient(path).call, "echo", x=1) == {"x": 1}


def ask_as_nobody(path: Path) -> bytes:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(65534, 65534, 65534)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(os.fspath(path))
                connection.sendall(encode({"command": "echo"}))
                os.write(writing, connection.recv(4096))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def leave_a_stale_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket_address(path) as address:
        listening.bind(address)
        listening.listen()
