"""Imports with a worker that the test plays: started through the API, pushed to the target, reported ready."""

import asyncio
import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from deploy.local.images.image import Image
from deploy.local.stack import LocalStackError, Remote
from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.image_content import ImageContent
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from tests.api_service.api import Answer, Api
from tests.api_service.conftest import Source

PROJECT = "imports"


@dataclass
class Job:
    """One import, on which the test reports as its worker."""

    api: Api
    image: Image
    image_id: int
    name: str
    repository: str
    tag: str
    attempt: int = 0
    sequence: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def claim(self) -> "Job":
        self.attempt = (await self.api.claim(self.name)).attempt
        self.sequence = itertools.count(1)
        return self

    async def send(self, state: ReportedState = ReportedState.RUNNING, **more: Any) -> Answer:
        report = ProgressReport(attempt=self.attempt, sequence=next(self.sequence), state=state, **more)
        return await self.api.report(self.name, report)

    async def tagging(self) -> Answer:
        """Ask for permission to write the tag."""
        return await self.send(ReportedState.TAGGING, tag_digest=self.image.digest)

    async def ready(self) -> Answer:
        layers = {
            blob.digest: LayerProgress(
                size=blob.size, offset=blob.size, status=LayerStatus.COMPLETED, transfer=Transfer.COPIED
            )
            for blob in self.image.blobs
        }
        content = ImageContent(
            source_digest=self.image.digest,
            digest=self.image.digest,
            size=1000,
            architecture="amd64",
            os="linux",
            platforms=("linux/amd64",),
            include_type="full",
        )
        return await self.send(ReportedState.READY, layers=layers, content=content)

    async def fail(self, code: str = "manifest_unsupported") -> Answer:
        return await self.send(ReportedState.FAILED, error=ReportedError(code=Code(code), detail="It failed."))

    async def fail_at_once(self) -> None:
        """Claim the import and report a permanent error."""
        await self.claim()
        assert (await self.fail()).status == 200


@dataclass(frozen=True, kw_only=True)
class Managed:
    """A running API, with the registries around it."""

    api: Api
    source: Source
    target: Remote

    async def start(
        self, image: Image | None = None, *, repository: str | None = None, tag: str = "1.0", token: str | None = None
    ) -> Job:
        """Start an import of this image, or of a new one, to `repository:tag` in the target."""
        name = repository or f"{PROJECT}/{secrets.token_hex(6)}"
        origin = f"origin/{secrets.token_hex(6)}"
        if image is None:
            image = self.source.push(origin, seed=secrets.token_hex(6))
        else:
            await asyncio.to_thread(Remote.of(self.source.registry).push, origin, "1.0", image)
        body = {"source": f"{self.source.host}/{origin}:1.0", "target": f"{name}:{tag}", "force": True}
        answer = await self.api.start(body, token=token)
        return Job(api=self.api, image=image, image_id=answer["imageId"], name=answer["name"], repository=name, tag=tag)

    async def push(self, job: Job, tag: str | None = None) -> None:
        """Push the import's image to the target."""
        await asyncio.to_thread(self.target.push, job.repository, tag or job.tag, job.image)

    async def ready(self, image: Image | None = None, **where: Any) -> Job:
        """Run an import to the state ready."""
        job = await (await self.start(image, **where)).claim()
        assert (await job.tagging()).status == 200
        await self.push(job)
        assert (await job.ready()).status == 200
        return job

    async def serves(self, repository: str, reference: str) -> str | None:
        """Return the digest that the target has for a tag or digest, or None."""
        try:
            return (await asyncio.to_thread(self.target.manifest, repository, reference)).digest
        except LocalStackError as error:
            if "404" not in str(error):
                raise
            return None
