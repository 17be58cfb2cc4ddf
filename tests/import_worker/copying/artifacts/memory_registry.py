"""A registry in memory that has what docker-registry lacks: the referrers API of distribution spec 1.1."""

import json
import re
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.local.images.image import OCI, Manifest, sha256

MAX_BODY = 64 * 1024 * 1024
_PATH = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs/uploads|blobs|tags|referrers)/(?P<reference>.*)")

Handler = Callable[[web.Request, "_Repository", str], Awaitable[web.Response]]


@dataclass
class _Repository:
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def find(self, reference: str) -> Manifest | None:
        return self.manifests.get(self.tags.get(reference, reference))


@dataclass
class MemoryRegistry:
    """`page_size` is how many entries a page of tags or of referrers has; `api` whether there is a referrers API.

    `answers` maps parts of paths to statuses: a request with such a path gets the status instead of the real answer.
    """

    api: bool = True
    page_size: int = 1000
    asked: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    repositories: dict[str, _Repository] = field(default_factory=lambda: defaultdict(_Repository))
    host: str = ""
    username: str | None = None
    password: str | None = None
    ca_file: None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["MemoryRegistry"]:
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._answer)
        async with TestServer(app, host="127.0.0.1") as server:
            self.host = f"127.0.0.1:{server.port}"
            yield self

    def referrers(self, repository: str, subject: str) -> list[dict[str, Any]]:
        """Return descriptors of the manifests that name this subject, as the specification defines them."""
        documents = [(each, each.document) for each in self.repositories[repository].manifests.values()]
        return [
            _described(manifest, document)
            for manifest, document in documents
            if document.get("subject", {}).get("digest") == subject
        ]

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path_qs}")
        for part, status in self.answers.items():
            if part in request.path:
                return web.json_response({"errors": [{"code": "UNKNOWN", "message": "as ordered"}]}, status=status)
        found = _PATH.fullmatch(request.path)
        if found is None:
            return web.json_response({})
        handler: Handler = getattr(self, f"_{found['kind'].replace('/', '_')}")
        return await handler(request, self.repositories[found["name"]], found["reference"])

    async def _manifests(self, request: web.Request, repository: _Repository, reference: str) -> web.Response:
        if request.method == "PUT":
            return await self._put_manifest(request, repository, reference)
        manifest = repository.find(reference)
        if manifest is None:
            return _error(404, "MANIFEST_UNKNOWN")
        if request.method == "DELETE":
            del repository.manifests[manifest.digest]
            repository.tags = {tag: to for tag, to in repository.tags.items() if to != manifest.digest}
            return web.Response(status=202)
        headers = {"Docker-Content-Digest": manifest.digest, "Content-Type": manifest.media_type}
        return web.Response(body=manifest.body, headers=headers)

    async def _put_manifest(self, request: web.Request, repository: _Repository, reference: str) -> web.Response:
        manifest = Manifest(media_type=request.headers["Content-Type"], body=await request.read())
        document = manifest.document
        blobs = [document["config"], *document["layers"]] if "config" in document else []
        missing = [blob for blob in blobs if blob["digest"] not in repository.blobs and not blob.get("urls")]
        missing += [child for child in document.get("manifests", []) if child["digest"] not in repository.manifests]
        if missing:
            return _error(404, "MANIFEST_BLOB_UNKNOWN")
        repository.manifests[manifest.digest] = manifest
        if ":" not in reference:
            repository.tags[reference] = manifest.digest
        headers = {"Docker-Content-Digest": manifest.digest, "Location": request.path}
        if self.api and "subject" in document:
            headers["OCI-Subject"] = document["subject"]["digest"]
        return web.Response(status=201, headers=headers)

    async def _referrers(self, request: web.Request, _: _Repository, subject: str) -> web.Response:
        if not self.api:
            return _error(404, "NOT_FOUND")
        name = request.path.removeprefix("/v2/").partition("/referrers/")[0]
        entries = self.referrers(name, subject)
        page, link = self._page(request, entries)
        document = {"schemaVersion": 2, "mediaType": OCI.index, "manifests": page}
        return web.Response(body=json.dumps(document).encode(), headers={"Content-Type": OCI.index, **link})

    async def _tags(self, request: web.Request, repository: _Repository, _: str) -> web.Response:
        page, link = self._page(request, sorted(repository.tags))
        return web.json_response({"tags": page}, headers=link)

    def _page(self, request: web.Request, entries: list[Any]) -> tuple[list[Any], dict[str, str]]:
        start = int(request.query.get("from", 0))
        end = start + self.page_size
        link = {"Link": f'<{request.path}?from={end}>; rel="next"'} if end < len(entries) else {}
        return entries[start:end], link

    async def _blobs(self, _: web.Request, repository: _Repository, digest: str) -> web.Response:
        if digest not in repository.blobs:
            return _error(404, "BLOB_UNKNOWN")
        return web.Response(body=repository.blobs[digest], headers={"Content-Type": "application/octet-stream"})

    async def _blobs_uploads(self, request: web.Request, repository: _Repository, _: str) -> web.Response:
        if request.method == "POST":
            return web.Response(status=202, headers={"Location": f"{request.path}{secrets.token_hex(8)}"})
        content = await request.read()
        digest = request.query["digest"]
        if sha256(content) != digest:
            return _error(400, "DIGEST_INVALID")
        repository.blobs[digest] = content
        return web.Response(status=201, headers={"Location": request.path})


def _described(manifest: Manifest, document: dict[str, Any]) -> dict[str, Any]:
    artifact_type = document.get("artifactType") or document.get("config", {}).get("mediaType")
    return manifest.descriptor(artifactType=artifact_type, annotations=document.get("annotations", {}))


def _error(status: int, code: str) -> web.Response:
    return web.json_response({"errors": [{"code": code}]}, status=status)
