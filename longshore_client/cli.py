"""`longshore`: Longshore's command line."""

import sys
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import get_completion_class

from longshore_client.client import client_version
from longshore_client.commands.config_file import ConfigFileError
from longshore_client.commands.current_access import NoAccessError
from longshore_client.commands.delete_command import delete
from longshore_client.commands.doctor_command import doctor
from longshore_client.commands.exit_codes import ExitCode, exit_code_of
from longshore_client.commands.image_commands import images, show
from longshore_client.commands.import_command import import_images
from longshore_client.commands.login_command import login, logout
from longshore_client.commands.policy.audit_command import audit
from longshore_client.commands.policy.registry_commands import registries
from longshore_client.commands.policy.rule_commands import rules
from longshore_client.commands.policy.token_commands import tokens
from longshore_client.commands.stats_command import stats
from longshore_client.commands.watch_commands import cancel, retry, watch
from longshore_client.errors import ClientError
from longshore_client.terminal.output import note, print_error

PROGRAM = "longshore"
# The variable by which a completion script asks the program for completions.
_COMPLETION_VARIABLE = "_LONGSHORE_COMPLETE"
_HELP = {"help_option_names": ["-h", "--help"]}


class _OrderedGroup(click.Group):
    """Lists the commands in the order of their use, not alphabetically."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own
        return list(self.commands)


@click.group(cls=_OrderedGroup, context_settings=_HELP)
@click.version_option(client_version() or "unknown", prog_name=PROGRAM, message="%(prog)s %(version)s")
def longshore() -> None:
    """Import container images from any registry into your own, and manage them.

    LONGSHORE_URL and LONGSHORE_TOKEN have precedence over the values that `longshore login` has stored.

    \b
    Exit status: 0 done, 1 failed, 2 usage, 3 the API is unreachable, 4 not signed in or not allowed,
    5 not found, 130 interrupted.
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped


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
    click.echo(found(context.find_root().command, {}, PROGRAM, _COMPLETION_VARIABLE).source())
    return ExitCode.DONE


for _command in (
    login,
    logout,
    import_images,
    images,
    show,
    watch,
    cancel,
    retry,
    delete,
    rules,
    tokens,
    registries,
    audit,
    stats,
    doctor,
    completion,
):
    longshore.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        status: Any = longshore.main(args=arguments, prog_name=PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except ClientError as error:
        print_error(error)
        return exit_code_of(error)
    except NoAccessError as error:
        note(f"error: {error}")
        note("hint:  longshore login URL")
        return ExitCode.DENIED
    except ConfigFileError as error:
        note(f"error: {error}")
        return ExitCode.FAILED
    return status if isinstance(status, int) else ExitCode.DONE


if __name__ == "__main__":
    main()
