"""``cloudfs completion``"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cloudfs.cli.program import Command, Example, Manual

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_CLOUDFS_COMPLETE"

_MANUAL = Manual(
    examples=(
        Example("cloudfs completion bash > ~/.local/share/bash-completion/completions/cloudfs", "For bash"),
        Example('cloudfs completion zsh > "${fpath[1]}/_cloudfs"', "For zsh"),
        Example("cloudfs completion fish > ~/.config/fish/completions/cloudfs.fish", "For fish"),
    )
)


@click.command(cls=Command, manual=_MANUAL)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script for completion in SHELL."""
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    script = kind(ctx.find_root().command, {}, "cloudfs", _VARIABLE)
    # Not source(): that runs the shell to see its version, and it need not be installed where this is packaged.
    click.echo(script.source_template % script.source_vars())
