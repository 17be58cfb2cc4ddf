"""`make down`: stop what `make up` started."""

from __future__ import annotations

import os
import signal
import sys
import time

from deploy.local.commands import run_folder

# Seconds for the services to hand back what they are doing and for everything to end; the stack's
# own limits for each part are shorter.
STOP_SECONDS = 120.0
POLL_SECONDS = 0.05


def main() -> int:
    """Ask the keeper to end, and insist when it does not."""
    if not run_folder.is_up():
        run_folder.clear()
        print("Nothing is up.")
        return 0
    for number in (signal.SIGTERM, signal.SIGKILL):
        if pid := run_folder.keeper_pid():
            os.kill(pid, number)
        limit = time.monotonic() + STOP_SECONDS
        while time.monotonic() < limit:
            if not run_folder.is_up():
                run_folder.clear()
                print("Down.")
                return 0
            time.sleep(POLL_SECONDS)
    print("The stack does not end.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
