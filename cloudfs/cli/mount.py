"""``cloudfs mount``"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import click

from cloudfs.cli.complete import complete_options, complete_source
from cloudfs.cli.program import Command, Example, Manual
from cloudfs.config import load_config, require_directory, resolve_source, retention_of
from cloudfs.daemon.background import run_in_background
from cloudfs.daemon.mountpoint import prepare_mountpoint, register_helper
from cloudfs.daemon.request import MountRequest, is_known, make_request
from cloudfs.errors import UsageError
from cloudfs.logs import log_to_terminal
from cloudfs.options import WORDS, parse_options

Serve = Callable[[MountRequest, Callable[[], None]], None]

_MANUAL = Manual(
    examples=(
        Example("cloudfs mount local:/srv/backup /mnt/backup", "Mount a directory of this machine"),
        Example(
            "cloudfs mount backup:photos ~/photos -o cache_size=50G,uploads=16",
            "Mount a directory of the remote [remote.backup], with a large cache",
        ),
        Example("cloudfs mount backup: /mnt/all -o ro,allow_other --foreground", "Under a supervisor, for all users"),
        Example(
            "backup:photos  /mnt/photos  fuse.cloudfs  noauto,user,_netdev,cache_size=50G  0  0",
            "The same as a line of /etc/fstab",
        ),
    ),
    words_title="Mount options",
    words=tuple((f"{word.name}={word.value}" if word.value else word.name, word.help) for word in WORDS),
)


@click.command(cls=Command, manual=_MANUAL)
@click.argument("source", shell_complete=complete_source)
@click.argument("mountpoint", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "-o",
    "--options",
    metavar="OPT[=VALUE],...",
    multiple=True,
    shell_complete=complete_options,
    help="Mount options, comma separated; the list is below. May be given several times; the last word holds.",
)
@click.option("-f", "--foreground", is_flag=True, help="Do not go to the background; log to standard error.")
@click.option("-r", "--read-only", "switches", flag_value="ro", help="The same as -o ro.")
@click.option("-w", "--rw", "switches", flag_value="rw", hidden=True)
@click.option("--fake", is_flag=True, hidden=True)
@click.option("-s", "sloppy", is_flag=True, hidden=True)
# What mount(8) hands to its helpers, and means nothing here.
@click.option("-n", "-v", "ignored_flag", is_flag=True, hidden=True, expose_value=False)
@click.option("-t", "-N", "ignored_value", hidden=True, expose_value=False)
def command(
    source: str,
    mountpoint: Path,
    options: tuple[str, ...],
    foreground: bool,
    switches: str | None,
    fake: bool,
    sloppy: bool,
) -> None:
    """Mount SOURCE on the directory MOUNTPOINT.

    SOURCE is NAME:PATH: the directory PATH of the remote NAME of the configuration file, or local:/DIRECTORY for a
    directory of this machine. The command returns when the mount is usable.
    """
    words = parse_options([*options, switches or ""], sloppy=sloppy)
    config = load_config()
    wanted = resolve_source(source.removeprefix("cloudfs#"), config, must_exist=False)
    if not is_known(wanted, words):
        require_directory(wanted)
    serve = _import_daemon()
    if fake:
        return
    request = make_request(wanted, prepare_mountpoint(mountpoint), words, retention_of(wanted, config))
    if foreground:
        log_to_terminal(words.debug)
        # In a thread: what it runs may look at the mount, which this very process has to answer.
        serve(request, threading.Thread(target=_register, args=(request,), daemon=True).start)
    else:
        run_in_background(lambda ready: serve(request, ready), request.log_file, debug=words.debug)
        _register(request)


def _register(request: MountRequest) -> None:
    register_helper(request.mountpoint, request.source.text)


def _import_daemon() -> Serve:
    """The daemon needs the FUSE library, which pip cannot install."""
    try:
        from cloudfs.daemon.mount import serve
    except ImportError as error:
        if not any(missing in str(error) for missing in ("pyfuse3", "libfuse3")):
            raise
        raise UsageError(
            "the Python package pyfuse3 cannot be used here; on Debian and Ubuntu install what it needs, and then it: "
            "apt install fuse3 libfuse3-dev pkg-config gcc python3-dev && pip install pyfuse3"
        ) from None
    return serve
