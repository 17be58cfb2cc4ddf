"""The registry API (/v2/): Harbor's steps before and after docker-registry (src/server/registry/route.go)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from aiohttp import web

from deploy.local.servers.harbor.artifact import Manifest
from deploy.local.servers.harbor.caller import Caller, identify
from deploy.local.servers.harbor.errors import HarborError, denied, not_found, precondition, unauthorized
from deploy.local.servers.harbor.project import Project
from deploy.local.servers.harbor.proxy import Proxy
from deploy.local.servers.harbor.settings import Settings
from deploy.local.servers.harbor.state import State
from deploy.local.servers.harbor.tokens import SERVICE, Tokens

# Bytes of a manifest; a larger one is refused with 413 (src/common/const.go, goharbor/harbor#23500).
MAX_MANIFEST = 4 * 1024 * 1024
ACTIONS = {"GET": "pull", "HEAD": "pull", "POST": "push", "PUT": "push", "PATCH": "push", "DELETE": "delete"}
SCOPES = {"pull": "pull", "push": "pull,push", "delete": "delete"}

# A project's quota without a limit.
UNLIMITED = -1
_UNIT = 1024

_MANIFEST = re.compile(r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)")
_TAGS = re.compile(r"/v2/(?P<name>.+)/tags/list")
_START = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/?")
_SESSION = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<session>[^/]+)")
_BLOB = re.compile(r"/v2/(?P<name>.+)/blobs/(?P<digest>[^/]+)")

Handler = Callable[[web.Request, Project, re.Match[str]], Awaitable[web.StreamResponse]]


class V2:
    """Answers everything below /v2/."""

    def __init__(self, settings: Settings, state: State, tokens: Tokens, proxy: Proxy) -> None:
        self._settings = settings
        self._state = state
        self._tokens = tokens
        self._proxy = proxy
        self._routes: tuple[tuple[str, re.Pattern[str], Handler], ...] = (
            ("PUT", _MANIFEST, self._put_manifest),
            ("GET HEAD", _MANIFEST, self._get_manifest),
            ("DELETE", _MANIFEST, self._delete_manifest),
            ("GET", _TAGS, self._list_tags),
            ("POST", _START, self._start_upload),
            ("PATCH", _SESSION, self._patch_upload),
            ("PUT", _SESSION, self._put_upload),
            ("GET DELETE", _SESSION, self._pass_on),
            ("GET HEAD", _BLOB, self._pass_on),
        )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Identify the caller and the operation, check the rights, and call the handler."""
        caller = self._caller(request)
        if request.path == "/v2/":
            return self._login(request, caller)
        for methods, pattern, handler in self._routes:
            match = pattern.fullmatch(request.path)
            if match and request.method in methods.split():
                project = self._authorized(request, caller, match["name"])
                return await handler(request, project, match)
        raise not_found(f"un-recognized request: {request.method} {request.path}")

    def _caller(self, request: web.Request) -> Caller:
        authorization = request.headers.get("Authorization", "")
        scheme, _, token = authorization.partition(" ")
        return self._tokens.read(token) if scheme.lower() == "bearer" else identify(self._settings, authorization)

    def _login(self, request: web.Request, caller: Caller) -> web.Response:
        if not caller.name:
            raise self._unauthorized("unauthorized", _challenge(request, []))
        return web.json_response({})

    def _authorized(self, request: web.Request, caller: Caller, name: str) -> Project:
        """Authorize a request as src/server/middleware/v2auth/auth.go does, with its checks in the same order."""
        wanted = [(name, ACTIONS[request.method])]
        if request.method == "POST" and "from" in request.query:
            wanted.append((request.query["from"], "pull"))
        scopes = [f"repository:{repository}:{SCOPES[action]}" for repository, action in wanted]
        for repository, action in wanted:
            if action == "pull" and request.method != "POST" and "Authorization" not in request.headers:
                message = "authorize header needed to send HEAD to repository"
                raise self._unauthorized(message, _challenge(request, scopes))
            project = self._state.projects.get(repository.partition("/")[0])
            if project is None:
                # Also for an administrator. The header is present and empty.
                raise self._unauthorized(f"project {repository.partition('/')[0]} not found", "")
            if not caller.can(action, project):
                message = f"unauthorized to access repository: {repository}, action: {action}"
                raise self._unauthorized(message, _challenge(request, scopes))
        return self._state.project(name.partition("/")[0])

    def _unauthorized(self, message: str, challenge: str) -> HarborError:
        # The cause is the message, and an error's text contains both (src/lib/errors/errors.go; goharbor/harbor#13988).
        error = unauthorized(f"{message}: {message}", challenge=challenge)
        error.headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        return error

    async def _pass_on(self, request: web.Request, _: Project, __: re.Match[str]) -> web.StreamResponse:
        return await self._proxy.pass_on(request)

    async def _get_manifest(self, request: web.Request, _: Project, match: re.Match[str]) -> web.StreamResponse:
        """Read the manifest by digest: the tag is in Harbor's database."""
        artifact = self._state.artifact(match["name"], match["reference"])
        return await self._proxy.pass_on(request, f"/v2/{match['name']}/manifests/{artifact.digest}")

    async def _put_manifest(self, request: web.Request, project: Project, match: re.Match[str]) -> web.StreamResponse:
        name, reference = match["name"], match["reference"]
        tag = None if ":" in reference else reference
        self._check_overwrite(project, name, tag)
        body = await _read_manifest(request)
        try:
            manifest = Manifest.parse(_digest(body), request.content_type, body)
        except (ValueError, KeyError, TypeError, AttributeError):
            return await self._proxy.ask(request, body)
        with reserved(project, self._state.missing(project, manifest)):
            answer = await self._proxy.ask(request, body)
            if answer.status == HTTPStatus.CREATED:
                self._state.add_manifest(project, name, manifest, tag)
        return answer

    async def _delete_manifest(self, _: web.Request, project: Project, match: re.Match[str]) -> web.StreamResponse:
        """Delete only in Harbor's database: docker-registry keeps the manifest until the garbage collection."""
        if ":" not in match["reference"]:
            raise HarborError(HTTPStatus.BAD_REQUEST, "UNSUPPORTED", f"unsupported digest {match['reference']}")
        artifact = self._state.artifact(match["name"], match["reference"])
        self._state.delete_artifact(project, self._state.repository(match["name"]), artifact.digest)
        return web.Response(status=HTTPStatus.ACCEPTED)

    async def _list_tags(self, _: web.Request, __: Project, match: re.Match[str]) -> web.StreamResponse:
        repository = self._state.repository(match["name"])
        return web.json_response({"name": repository.name, "tags": sorted(repository.tags)})

    async def _start_upload(self, request: web.Request, project: Project, _: re.Match[str]) -> web.StreamResponse:
        digest = request.query.get("mount", "")
        size = self._state.blobs.get(digest, 0)
        with reserved(project, 0 if digest in project.blobs else size):
            answer = await self._proxy.ask(request)
            if digest and answer.status == HTTPStatus.CREATED:
                self._state.add_blob(project, digest, size)
        return answer

    async def _patch_upload(self, request: web.Request, _: Project, match: re.Match[str]) -> web.StreamResponse:
        answer = await self._proxy.ask(request)
        last = answer.headers.get("Range", "").rpartition("-")[2]
        if answer.status == HTTPStatus.ACCEPTED and last.isdigit():
            self._state.uploads[match["session"]] = int(last) + 1
        return answer

    async def _put_upload(self, request: web.Request, project: Project, match: re.Match[str]) -> web.StreamResponse:
        """Check the quota with the announced length, before any byte of the blob is read."""
        digest = request.query.get("digest", "")
        size = (request.content_length or 0) + self._state.uploads.get(match["session"], 0)
        with reserved(project, 0 if digest in project.blobs else size):
            answer = await self._proxy.ask(request)
            if answer.status == HTTPStatus.CREATED:
                self._state.add_blob(project, digest, size)
                self._state.uploads.pop(match["session"], None)
        return answer

    def _check_overwrite(self, project: Project, name: str, tag: str | None) -> None:
        """Refuse to write an existing immutable tag, even with the same digest (…/middleware/immutable/pushmf.go)."""
        repository = project.repositories.get(name)
        if repository and tag in repository.tags and project.immutable(repository, tag):
            named = f"{repository.short_name}:{tag}"
            raise precondition(f"Failed to process request due to '{named}' configured as immutable.")


def _challenge(request: web.Request, scopes: list[str]) -> str:
    """Return the token service's challenge for a caller without credentials, and a Basic challenge for others."""
    if "Authorization" in request.headers:
        return 'Basic realm="harbor"'
    scope = f',scope="{" ".join(scopes)}"' if scopes else ""
    return f'Bearer realm="{request.scheme}://{request.host}/service/token",service="{SERVICE}"{scope}'


async def _read_manifest(request: web.Request) -> bytes:
    body = await request.content.read(MAX_MANIFEST + 1)
    while not request.content.at_eof() and len(body) <= MAX_MANIFEST:
        body += await request.content.read(MAX_MANIFEST + 1 - len(body))
    if len(body) > MAX_MANIFEST:
        too_large = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        raise HarborError(too_large, "REQUEST_ENTITY_TOO_LARGE", f"manifest exceeds {MAX_MANIFEST} bytes")
    return body


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@contextmanager
def reserved(project: Project, size: int) -> Iterator[None]:
    """Reserve quota for a request; HarborError (403 DENIED) if it does not fit (src/controller/quota/controller.go).

    Harbor reserves the bytes that a request will add before it carries it out: for a blob at its PUT, by the
    Content-Length; for a mount at its POST; for a manifest those of its blobs that the project does not have.
    """
    used = project.used + project.reserved
    if size and project.hard != UNLIMITED and used + size > project.hard:
        cause = (
            f"adding {display(size)} of storage resource, which when updated to current usage of {display(used)} "
            f"will exceed the configured upper limit of {display(project.hard)}."
        )
        # The message of an error contains its cause as well: src/lib/errors/errors.go, MarshalJSON.
        raise denied(f"Quota exceeded when processing the request of {cause}: {cause}")
    project.reserved += size
    try:
        yield
    finally:
        project.reserved -= size


def display(value: int) -> str:
    """Format bytes as Harbor does (src/pkg/quota/types/format.go)."""
    if value < _UNIT:
        return f"{value} B"
    power = (value.bit_length() - 1) // 10
    return f"{value / _UNIT**power:.1f} {'KMGTPE'[power - 1]}iB"
