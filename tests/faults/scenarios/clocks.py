"""Services whose clocks are an hour off, in both directions, beside each other."""

from __future__ import annotations

import email.utils
import http.client
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.local.servers.longshore import Service
from deploy.local.stack import LocalStackError, start_together
from shared.model.states import ImportState
from tests.faults.bench.fates import count_fates
from tests.faults.bench.ground import Ground
from tests.faults.bench.verdict import Verdict
from tests.faults.fault import Direction, Pace

PROMISE = "Clocks do not matter: with API and workers an hour apart no lease is taken from a worker that has it."

HOUR = 3_600
# Of Debian's package libfaketime; the folder has the machine's name.
LIBRARY = "faketime/libfaketime.so.1"
# What the source gives of each layer: an import lasts longer than a lease (bench/plant.py). Bytes a second.
PACE = 100_000
PATIENCE = 180.0
ASK_SECONDS = 5.0


def play(ground: Ground) -> Verdict:
    """Import with every pair of clocks that can meet."""
    rounds, layer = ground.size.of(full=(6, 10 * PACE), short=(1, 4 * PACE))
    link = ground.link("source", ground.source.port)
    link.set(Pace(direction=Direction.TO_CLIENT, rate=PACE))
    offsets = (HOUR, -HOUR)
    apis = [ground.new_api(**_clock(offset)) for offset in offsets]
    workers = [ground.new_worker(api=api.url, **_clock(offset)) for api in apis for offset in offsets]
    start_together(*apis, *workers)
    off = {service.name: _off(service) for service in (*apis, *workers)}
    accepted = []
    for _ in range(rounds):
        accepted += ground.accept_all(ground.push(len(workers) * 2, layers=[layer], host=link.host))
    outcomes = ground.wait_final(PATIENCE)
    fates = count_fates(ground, accepted, outcomes)
    lost = [change for change in ground.changes() if change.attempt and change.state is ImportState.QUEUED]
    return Verdict(
        held=fates.all_ready
        and not lost
        and all(outcome.attempt == 1 for outcome in outcomes)
        # Within a minute: an answer may have been long on its way.
        and all(HOUR - 60 < abs(seconds) < HOUR + 60 for seconds in off.values()),
        figures={
            **fates.figures(),
            "leases_stolen": len(lost),
            "attempts": sum(outcome.attempt for outcome in outcomes),
            "clocks_off_seconds": sorted(off.values()),
            "slowest_import_seconds": max(outcome.seconds or 0 for outcome in outcomes),
        },
    )


def _clock(offset: int) -> Mapping[str, str]:
    """Return the environment of a process whose wall clock is so many seconds off; its monotonic one is not."""
    return {"LD_PRELOAD": str(library()), "FAKETIME": f"{offset:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def library() -> Path:
    """Return what makes a process see another time; LocalStackError where Debian's package is missing."""
    for found in Path("/usr/lib").glob(f"*/{LIBRARY}"):
        return found
    raise LocalStackError("libfaketime is missing: run `make setup`")


def _off(service: Service) -> int:
    """Return how far a service's own clock is off, as its answers tell (RFC 9110, section 6.6.1); seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/healthz")
        told = connection.getresponse().headers["Date"]
    finally:
        connection.close()
    return round(email.utils.parsedate_to_datetime(told).timestamp() - time.time())
