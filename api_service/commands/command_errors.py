"""What an operator at a terminal sees of a failure: one clear message, never a traceback."""

import functools
from collections.abc import Callable
from typing import ParamSpec

import click

from shared.errors.error import LongshoreError
from shared.settings import SettingsError

P = ParamSpec("P")


class _MisusedError(click.ClickException):
    """The command cannot even begin; click itself uses this status for wrong arguments."""

    exit_code = 2


def told_in_one_line(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the failures that an operator can do something about into a message and an exit status."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SettingsError as error:
            raise _MisusedError(f"the environment is not complete:\n{error}") from None
        except LongshoreError as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            raise click.ClickException(f"{error.detail}{cause}") from None
        except OSError as error:
            raise click.ClickException(str(error)) from None

    return wrapped
