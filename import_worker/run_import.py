"""Runs one claimed import from its first manifest to its outcome, and reports on it all the way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import structlog

from import_worker.copying.image import ImageCopy
from import_worker.copying.referrers import ReferrersCopy
from import_worker.copying.tag import Replaceable
from import_worker.endpoints import CopyEndpoints, PreparedImage
from import_worker.reporter import Reporter, SupersededError
from shared.db.import_states import ClaimedImport
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import NO_TAG, ExpectedTag
from shared.messages.progress_report import MAX_DETAIL_LENGTH
from shared.model.image_content import ImageContent
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.planning.plan import ImportPlan
from shared.runtime.concurrency import cancel_all
from shared.tracing.spans import Span, step

# Spent by a stopping worker on handing an import back; the lease runs out otherwise. Seconds.
HAND_BACK_TIMEOUT = 5.0

# Has an import's attempt begun, and returns the endpoints between which it copies.
OpenEndpoints = Callable[[ClaimedImport], Awaitable[CopyEndpoints]]

_log = structlog.stdlib.get_logger(__name__)


async def run_import(claimed: ClaimedImport, open_endpoints: OpenEndpoints, reporter: Reporter, *, layers: int) -> None:
    """Carry the import out, `layers` blobs at a time, and report its outcome.

    Cancelling this hands the import back to another worker. No exception but that cancellation is raised.
    """
    structlog.contextvars.bind_contextvars(
        import_name=claimed.name, attempt=claimed.attempt, request_id=claimed.request_id
    )
    # This event and "import ready" keep the names that docs/operations.md quotes.
    _log.info("import started", source=claimed.source)
    with step("attempt", {"longshore.attempt": claimed.attempt, "longshore.source": claimed.source}) as span:
        try:
            content = await _copy_while_reporting(claimed, open_endpoints, reporter, layers)
            await reporter.ready(content)
            _log.info("import ready", digest=content.digest, size=content.size)
        except SupersededError:
            _log.info("import.superseded")
        except asyncio.CancelledError:
            await _hand_back(reporter)
            raise
        except LongshoreError as error:
            await _report_failure(reporter, error, span)
        except Exception:  # noqa: BLE001 - a defect ends this import with a code, not the worker
            _log.exception("import.crashed")
            defect = LongshoreError(Code.INTERNAL_ERROR, "The worker failed; its log has the cause.")
            await _report_failure(reporter, defect, span)


async def _copy_while_reporting(
    claimed: ClaimedImport, open_endpoints: OpenEndpoints, reporter: Reporter, layers: int
) -> ImageContent:
    """Copy the image while the reporter runs; the first of them to end cancels the other."""
    copying = asyncio.create_task(_prepare_and_copy(claimed, open_endpoints, reporter, layers))
    reporting = asyncio.create_task(reporter.keep_reporting())
    try:
        await asyncio.wait({copying, reporting}, return_when=asyncio.FIRST_COMPLETED)
        if reporting.done():
            reporting.result()
        return copying.result()
    finally:
        await cancel_all([copying, reporting])


async def _prepare_and_copy(
    claimed: ClaimedImport, open_endpoints: OpenEndpoints, reporter: Reporter, layers: int
) -> ImageContent:
    endpoints = await open_endpoints(claimed)
    try:
        return await _copy(claimed, endpoints, reporter, layers)
    finally:
        await endpoints.settle()


async def _copy(claimed: ClaimedImport, endpoints: CopyEndpoints, reporter: Reporter, layers: int) -> ImageContent:
    await endpoints.check_import_allowed()
    with step("plan") as span:
        prepared = await _prepare(claimed, endpoints, reporter)
        plan = prepared.plan
        span.note({"longshore.blobs": len(plan.blobs), "longshore.bytes": plan.size})
    referrers = None
    if claimed.with_referrers and prepared.referrers:
        referrers = ReferrersCopy(plan, prepared.referrers, endpoints.target, endpoints.tags, endpoints.limits)
    copy = ImageCopy(
        plan,
        prepared.source,
        endpoints.target,
        ledger=endpoints.ledger,
        board=prepared.board,
        slots=layers,
        streams=endpoints.streams,
        large_streams=endpoints.large_streams,
        rate=endpoints.rate,
        slot=endpoints.slot,
        referrers=referrers,
        journal=endpoints.tags,
        first_attempt=claimed.attempt == 1 and not prepared.layers_in_target,
        pace=endpoints.pace,
    )
    content, root = _content(plan), plan.root.digest
    # The copy lets go of the manifests' bytes as it puts them.
    del plan, prepared
    await copy.run(claimed.tag, partial(reporter.fence, root), _replaceable(endpoints.terms.tag))
    return _with_referrers(content, referrers) if referrers else content


def _replaceable(expected: ExpectedTag) -> Replaceable:
    """Return the digests that the image's tag may have when it is written."""
    if expected.before is None:
        return Replaceable()
    before = set() if expected.before == NO_TAG else {expected.before}
    return Replaceable(digests=expected.replaceable | before)


async def _prepare(claimed: ClaimedImport, endpoints: CopyEndpoints, reporter: Reporter) -> PreparedImage:
    pinned = Digest.parse(claimed.source_digest) if claimed.source_digest else None
    platforms = [Platform.parse(platform) for platform in claimed.platforms]
    return await endpoints.source.prepare(pinned, platforms, endpoints.admission, reporter)


def _content(plan: ImportPlan) -> ImageContent:
    shown = plan.shown_platform
    return ImageContent(
        source_digest=str(plan.source_digest),
        digest=str(plan.root.digest),
        size=plan.size,
        architecture=shown.architecture if shown else "",
        os=shown.os if shown else "",
        platforms=tuple(map(str, plan.platforms)),
        include_type=plan.include_type,
        description=plan.description,
    )


def _with_referrers(content: ImageContent, referrers: ReferrersCopy) -> ImageContent:
    return replace(content, referrers=referrers.count, note=" ".join(referrers.left_out)[:MAX_DETAIL_LENGTH])


async def _report_failure(reporter: Reporter, error: LongshoreError, span: Span) -> None:
    span.fail(error.code, error.detail)
    _log.warning("import.attempt_failed", error=str(error))
    try:
        await reporter.failed(error)
    except SupersededError:
        _log.info("import.superseded")
    except LongshoreError as refused:
        # The lease runs out then.
        _log.error("import.outcome_not_delivered", error=str(refused))
    except asyncio.CancelledError:
        await _hand_back(reporter)
        raise


async def _hand_back(reporter: Reporter) -> None:
    try:
        async with asyncio.timeout(HAND_BACK_TIMEOUT):
            await reporter.handed_back()
        _log.info("import.handed_back")
    except (LongshoreError, SupersededError, TimeoutError) as error:
        # The lease runs out then.
        _log.warning("import.not_handed_back", error=repr(error))
