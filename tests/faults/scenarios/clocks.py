"""Services whose clocks differ by an hour in both directions."""

from __future__ import annotations

import email.utils
import http.client
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.local.servers.longshore import Service
from deploy.local.stack import LocalStackError, start_together
from shared.model.states import ImportState
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.totals import count_totals
from tests.faults.bench.verdict import Verdict
from tests.faults.fault import Direction, Pace

PROMISE = "Clocks do not matter: with API and workers an hour apart no lease is taken from a worker that has it."

HOUR = 3_600
# The library of Debian's package libfaketime, below a folder for the architecture.
LIBRARY = "faketime/libfaketime.so.1"
# The rate of the source for each layer: an import outlasts a lease (bench/shared_servers.py). Bytes per second.
PACE = 100_000
TIMEOUT = 180.0
ASK_SECONDS = 5.0


def play(testbed: Testbed) -> Verdict:
    """Import with every combination of clocks."""
    rounds, layer = testbed.size.of(full=(6, 10 * PACE), short=(1, 4 * PACE))
    link = testbed.link("source", testbed.source.port)
    link.set(Pace(direction=Direction.TO_CLIENT, rate=PACE))
    offsets = (HOUR, -HOUR)
    apis = [testbed.new_api(**_clock(offset)) for offset in offsets]
    workers = [testbed.new_worker(api=api.url, **_clock(offset)) for api in apis for offset in offsets]
    start_together(*apis, *workers)
    off = {service.name: _off(service) for service in (*apis, *workers)}
    accepted = []
    for _ in range(rounds):
        accepted += testbed.accept_all(testbed.push(len(workers) * 2, layers=[layer], host=link.host))
    outcomes = testbed.wait_final(TIMEOUT)
    totals = count_totals(testbed, accepted, outcomes)
    lost = [change for change in testbed.changes() if change.attempt and change.state is ImportState.QUEUED]
    return Verdict(
        held=totals.all_ready
        and not lost
        and all(outcome.attempt == 1 for outcome in outcomes)
        # Within a minute, because a response may be slow.
        and all(HOUR - 60 < abs(seconds) < HOUR + 60 for seconds in off.values()),
        figures={
            **totals.figures(),
            "leases_stolen": len(lost),
            "attempts": sum(outcome.attempt for outcome in outcomes),
            "clocks_off_seconds": sorted(off.values()),
            "slowest_import_seconds": max(outcome.seconds or 0 for outcome in outcomes),
        },
    )


def _clock(offset: int) -> Mapping[str, str]:
    """Return the environment of a process whose wall clock is off by `offset` seconds, but not its monotonic clock."""
    return {"LD_PRELOAD": str(library()), "FAKETIME": f"{offset:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def library() -> Path:
    """Return the path of libfaketime; LocalStackError if Debian's package is missing."""
    for found in Path("/usr/lib").glob(f"*/{LIBRARY}"):
        return found
    raise LocalStackError("libfaketime is missing: run `make setup`")


def _off(service: Service) -> int:
    """Return the offset of a service's clock from its Date header (RFC 9110, section 6.6.1), in seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/healthz")
        date = connection.getresponse().headers["Date"]
    finally:
        connection.close()
    return round(email.utils.parsedate_to_datetime(date).timestamp() - time.time())
