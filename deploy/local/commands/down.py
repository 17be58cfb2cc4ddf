"""`make down`: stop the stack that `make up` started."""

from __future__ import annotations

import os
import signal
import sys
import time

from deploy.local.commands import run_folder

# Seconds for the workers to hand back their imports and for everything to end. The stack's own limit for each server is
# shorter.
STOP_SECONDS = 120.0
POLL_SECONDS = 0.05


def main() -> int:
    """Stop the keeper with SIGTERM, and with SIGKILL if that does not end it."""
    if not run_folder.is_up():
        run_folder.clear()
        print("No stack is running.")
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
    print("The stack did not stop.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
