"""`longshore completion`: what a shell needs to complete the command line."""

import click
from click.shell_completion import get_completion_class

from longshore_client.commands.exit_codes import ExitCode

PROGRAM = "longshore"
_VARIABLE = "_LONGSHORE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print the completion script of a shell.

    \b
    bash:  echo 'eval "$(longshore completion bash)"' >> ~/.bashrc
    zsh:   echo 'eval "$(longshore completion zsh)"' >> ~/.zshrc
    fish:  longshore completion fish > ~/.config/fish/completions/longshore.fish
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    found = get_completion_class(shell)
    assert found, "click knows all three"  # noqa: S101 - for the type
    click.echo(found(context.find_root().command, {}, PROGRAM, _VARIABLE).source())
    return ExitCode.DONE
