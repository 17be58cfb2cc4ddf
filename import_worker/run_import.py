"""One claimed import from its first manifest to its outcome, reported on all the way."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import structlog

from import_worker.admission import Admission
from import_worker.copying.ends import BlobLedger, Source
from import_worker.copying.image import ImageCopy, ProgressBoard
from import_worker.copying.referrers import ReferrersCopy, ReferrersTarget
from import_worker.engine.source import EngineSource
from import_worker.reporter import Reporter, SupersededError
from shared.db.import_states import ClaimedImport
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import MAX_DETAIL_LENGTH
from shared.model.image_content import ImageContent
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.planning.make_plan import make_plan
from shared.planning.plan import ImportPlan
from shared.planning.referrers import ReferrersSource
from shared.runtime.concurrency import cancel_all
from shared.tracing.spans import Span, step

# What a stopping worker spends on giving an import back. Seconds; the lease runs out by itself otherwise.
HAND_BACK_TIMEOUT = 5.0

_log = structlog.stdlib.get_logger(__name__)


class ReferredSource(Source, ReferrersSource, Protocol):
    """A source that can also be asked what refers to its images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What an import copies between.

    `check_import_allowed` raises while a rate limit of either end holds new imports back; `streams` is entered for
    each blob that is streamed.
    """

    source: ReferredSource | EngineSource
    target: ReferrersTarget
    ledger: BlobLedger
    admission: Admission
    check_import_allowed: Callable[[], Awaitable[None]]
    streams: AbstractAsyncContextManager[None]


async def run_import(
    claimed: ClaimedImport, open_ends: Callable[[ClaimedImport], Ends], reporter: Reporter, *, layers: int
) -> None:
    """Carry the import out, `layers` blobs at a time, and report its outcome.

    Cancelling this gives the import back for another worker. Nothing but that cancellation is raised.
    """
    structlog.contextvars.bind_contextvars(
        import_name=claimed.name, attempt=claimed.attempt, request_id=claimed.request_id
    )
    _log.info("import started", source=claimed.source)
    with step("attempt", {"longshore.attempt": claimed.attempt, "longshore.source": claimed.source}) as span:
        try:
            content = await _while_reporting(claimed, open_ends, reporter, layers)
            await reporter.ready(content)
            _log.info("import ready", digest=content.digest, size=content.size)
        except SupersededError:
            _log.info("import taken away")
        except asyncio.CancelledError:
            await _hand_back(reporter)
            raise
        except LongshoreError as error:
            await _report_failure(reporter, error, span)
        except Exception:  # noqa: BLE001 - a defect ends this import with a code, not the worker
            _log.exception("import failed unexpectedly")
            defect = LongshoreError(Code.INTERNAL_ERROR, "The worker failed; its log has the cause.")
            await _report_failure(reporter, defect, span)


async def _while_reporting(
    claimed: ClaimedImport, open_ends: Callable[[ClaimedImport], Ends], reporter: Reporter, layers: int
) -> ImageContent:
    """Copy the image with the reporter running beside it; whichever ends first ends the other."""
    copying = asyncio.create_task(_copy(claimed, open_ends(claimed), reporter, layers))
    reporting = asyncio.create_task(reporter.keep_reporting())
    try:
        await asyncio.wait({copying, reporting}, return_when=asyncio.FIRST_COMPLETED)
        if reporting.done():
            reporting.result()
        return copying.result()
    finally:
        await cancel_all([copying, reporting])


async def _copy(claimed: ClaimedImport, ends: Ends, reporter: Reporter, layers: int) -> ImageContent:
    await ends.check_import_allowed()
    with step("plan") as span:
        planned = await _plan(claimed, ends, reporter)
        plan = planned.plan
        span.note({"longshore.blobs": len(plan.blobs), "longshore.bytes": plan.size})
    referrers = _referrers(claimed, plan, ends)
    copy = ImageCopy(
        plan,
        planned.source,
        ends.target,
        ledger=ends.ledger,
        board=planned.board,
        slots=layers,
        streams=ends.streams,
        referrers=referrers,
        # An engine's layers are there already, though no tag is.
        first_attempt=claimed.attempt == 1 and planned.source is ends.source,
    )
    await copy.run(claimed.tag, partial(reporter.fence, plan.root.digest))
    return _content(plan, referrers)


def _referrers(claimed: ClaimedImport, plan: ImportPlan, ends: Ends) -> ReferrersCopy | None:
    """Return what brings the referrers, where they are asked for; nothing on an engine refers to its images."""
    if isinstance(ends.source, EngineSource) or not claimed.with_referrers:
        return None
    return ReferrersCopy(plan, ends.source, ends.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """What is to be copied, where it is read, and where it shows."""

    plan: ImportPlan
    source: Source
    board: ProgressBoard


async def _plan(claimed: ClaimedImport, ends: Ends, reporter: Reporter) -> _Planned:
    """Find out what is to be copied, as far as it can be known; an engine's layers are in the target by then."""
    pinned = Digest.parse(claimed.source_digest) if claimed.source_digest else None
    wanted = [Platform.parse(platform) for platform in claimed.platforms]
    if isinstance(ends.source, EngineSource):
        return await _push(ends.source, pinned, wanted, ends.admission, reporter)
    digest = pinned or await ends.source.resolve()
    reporter.pin(digest)
    plan = await make_plan(ends.source, digest, wanted)
    await ends.admission.admit(plan)
    return _Planned(plan=plan, source=ends.source, board=reporter)


async def _push(
    source: EngineSource, pinned: Digest | None, wanted: Sequence[Platform], admission: Admission, reporter: Reporter
) -> _Planned:
    image = await source.describe(pinned, wanted)
    reporter.pin(image.id)
    await admission.prepare()
    pushed = await source.push(image, reporter)
    plan = await make_plan(pushed, pushed.manifest.digest, wanted)
    return _Planned(plan=replace(plan, source_digest=image.id), source=pushed, board=pushed.board(reporter))


def _content(plan: ImportPlan, referrers: ReferrersCopy | None) -> ImageContent:
    shown = plan.shown_platform
    note = " ".join(referrers.left_out) if referrers else ""
    return ImageContent(
        source_digest=str(plan.source_digest),
        digest=str(plan.root.digest),
        size=plan.size,
        architecture=shown.architecture if shown else "",
        os=shown.os if shown else "",
        platforms=tuple(map(str, plan.platforms)),
        include_type=plan.include_type,
        description=plan.description,
        referrers=referrers.count if referrers else 0,
        note=note[:MAX_DETAIL_LENGTH],
    )


async def _report_failure(reporter: Reporter, error: LongshoreError, span: Span) -> None:
    span.fail(error.code, error.detail)
    _log.warning("attempt failed", error=str(error))
    try:
        await reporter.failed(error)
    except SupersededError:
        _log.info("import taken away")
    except LongshoreError as refused:
        _log.error("outcome not delivered; the lease will run out", error=str(refused))
    except asyncio.CancelledError:
        await _hand_back(reporter)
        raise


async def _hand_back(reporter: Reporter) -> None:
    try:
        async with asyncio.timeout(HAND_BACK_TIMEOUT):
            await reporter.handed_back()
        _log.info("import handed back")
    except (LongshoreError, SupersededError, TimeoutError) as error:
        _log.warning("import not handed back; the lease will run out", error=repr(error))
