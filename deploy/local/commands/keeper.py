"""The background process of `make up`: runs the stack until SIGTERM.

It lives as long as the stack: if it is killed, the scratch folder's guardian stops the servers. It does not restart a
service that dies, because people kill services here to see what happens.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import NoReturn

from deploy.local.commands import run_folder
from deploy.local.images import seed
from deploy.local.paths import CACHE
from deploy.local.processes.scratch import LocalStackError
from deploy.local.stack import Remote, Scratch, Stack

# Settings of the services that `make up` takes from its environment. Lists are added to the stack's own.
PASSED_ON = (
    *("ALLOWED_PRIVATE", "PLAIN_HTTP_HOSTS", "TOKEN_REALMS", "CA_FILES"),
    *("LEASE_SECONDS", "MAX_FAILURES", "RETRY_BASE_SECONDS", "IMPORT_DEADLINE_SECONDS"),
    *("DEFAULT_PROJECT", "DROP_HOST_FOR"),
    "IMPORT_REFERRERS",
    *("WORKER_SLOTS", "WORKER_LAYERS", "WORKER_HOST_STREAMS", "STOP_GRACE_SECONDS", "LOG_LEVEL", "LOG_FORMAT"),
)


def main() -> int:
    """Start the stack, write its description, and wait for SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--harbor", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, end)
    with run_folder.locked(wait=run_folder.LOCK_SECONDS) as ours:
        if not ours:
            print("another stack of this checkout is running")
            return 1
        run_folder.write_private(run_folder.KEEPER_PID, f"{os.getpid()}\n")
        try:
            keep(options.workers, harbor=options.harbor)
        except LocalStackError as error:
            print(error)
            return 1
        finally:
            run_folder.DESCRIPTION.unlink(missing_ok=True)
            run_folder.ENVIRONMENT.unlink(missing_ok=True)


def keep(workers: int, *, harbor: bool) -> NoReturn:
    """Run the stack until the signal raises SystemExit."""
    settings = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    with Scratch() as scratch, Stack(scratch, workers=workers, settings=settings, harbor=harbor) as stack:
        Remote.of(stack.source).push(seed.REPOSITORY, seed.TAG, seed.demo_image(CACHE))
        run_folder.write_private(run_folder.ENVIRONMENT, environment(stack))
        run_folder.write_private(run_folder.DESCRIPTION, json.dumps(stack.describe(), indent=2) + "\n")
        while True:
            signal.pause()


def environment(stack: Stack) -> str:
    """Return shell lines that set the API's address, the tokens, the registries and the PATH of the commands."""
    values = {
        "LONGSHORE_URL": stack.api.url,
        "LONGSHORE_TOKEN": stack.user_token,
        "ADMIN_TOKEN": stack.admin_token,
        "SOURCE": stack.source.host,
        "SOURCE_USERNAME": stack.source.username or "",
        "SOURCE_PASSWORD": stack.source.password or "",
        "TARGET": stack.target.host,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    commands = shlex.quote(str(Path(sys.executable).parent))
    return "\n".join([*lines, f"export PATH={commands}:$PATH", ""])


def end(*_: object) -> NoReturn:
    """Exit through all context managers."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
