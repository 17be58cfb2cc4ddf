"""A program that owns a scratch folder, for tests that kill it: prints what it started, then waits.

It starts three processes: an ordinary one, one in the background with a new session, as epmd and erl_child_setup have,
and one that ignores SIGTERM.
"""

import json
import signal
import sys
import time

from deploy.local.stack import Scratch

IN_BACKGROUND = "setsid sleep 600 & echo $! > background; exec sleep 600"
DEAF = "trap '' TERM; touch deaf; while :; do sleep 1; done"


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with Scratch() as scratch:
        first = scratch.spawn("first", ["/bin/sh", "-c", IN_BACKGROUND])
        deaf = scratch.spawn("deaf", ["/bin/sh", "-c", DEAF])
        while not (scratch.folder / "background").exists() or not (scratch.folder / "deaf").exists():
            time.sleep(0.01)
        pids = [first.pid, deaf.pid, int((scratch.folder / "background").read_text())]
        facts = {"folder": str(scratch.folder), "guardian": scratch.guardian_pid, "pids": pids}
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
