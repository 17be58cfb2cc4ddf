"""What an operator at a terminal sees of a failure: one clear line, never a traceback."""

import functools
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec

import click

from shared.errors import LongshoreError
from shared.settings import SettingsError

FAILED = 1
MISUSED = 2

P = ParamSpec("P")


def told_in_one_line(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the failures that an operator can do something about into a message and an exit status."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SettingsError as error:
            _end(f"The environment is not complete:\n{error}", MISUSED)
        except LongshoreError as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            _end(f"{error.detail}{cause}", FAILED)
        except OSError as error:
            _end(str(error), FAILED)

    return wrapped


def _end(message: str, status: int) -> NoReturn:
    click.echo(f"longshore-api: {message}", err=True)
    sys.exit(status)
