"""A registry that follows the distribution specification until a rule makes it misbehave.

    async with ScriptedRegistry() as registry:
        registry.on("PUT", r"/v2/.*/blobs/uploads/.*", times=1).cut_after(1_000)

Every request is recorded in `asked`; the stored blobs and manifests are in `contents`.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from http import HTTPStatus

from tests.scripted.answer import Answer, as_json, refusal
from tests.scripted.behaviour import UNCHANGED, Behaviour
from tests.scripted.blobs import answer_blob, unknown_blob
from tests.scripted.connection import Connection
from tests.scripted.contents import Contents, Document, digest_of
from tests.scripted.deliver import deliver
from tests.scripted.manifests import answer_manifest, answer_tags, keep
from tests.scripted.received_request import ReceivedRequest
from tests.scripted.rule import Rule
from tests.scripted.server import LOOPBACK, Server
from tests.scripted.shape import first, shaped
from tests.scripted.tokens import TokenService
from tests.scripted.uploads import answer_start, answer_upload

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STEPS = re.compile(
    r"/v2/(?P<name>.+)/(?:(?P<start>blobs/uploads/?)|blobs/uploads/(?P<session>[^/]+)|blobs/(?P<blob>[^/]+)"
    r"|manifests/(?P<manifest>[^/]+)|(?P<tags>tags/list))"
)


class ScriptedRegistry(Server):
    """A registry in memory on a loopback port."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        address: str = LOOPBACK,
        tokens: TokenService | None = None,
        realm: str | None = None,
    ) -> None:
        """Require tokens of the service `tokens`, at `realm`; every registry with a service has it at /token."""
        super().__init__(tls=tls, address=address)
        self.contents = Contents()
        self.tokens = tokens
        self.realm = realm
        self._rules: list[Rule] = []

    def on(self, method: str, path: str, *, times: int | None = None, after: int = 0) -> Rule:
        """Return a rule for the requests whose whole method and path (without query) match these patterns.

        Of several rules the first that fits counts. It leaves out the first `after` requests that fit it, and is used
        up after `times` of them.
        """
        rule = Rule(method, path, times=times, after=after)
        self._rules.append(rule)
        return rule

    def add_blob(self, repository: str, content: bytes) -> str:
        """Put a blob into a repository; returns its digest."""
        digest = digest_of(content)
        self.contents.stock(repository).blobs[digest] = content
        return digest

    def add_manifest(self, repository: str, reference: str, body: bytes, media_type: str) -> str:
        """Put a manifest into a repository, whether or not its blobs exist; returns its digest."""
        document = Document(media_type=media_type, body=body)
        keep(self.contents.stock(repository), reference, document)
        return document.digest

    def blob(self, repository: str, digest: str) -> bytes | None:
        """Return a pushed blob; None if it does not exist."""
        return self.contents.find(repository).blobs.get(digest)

    async def exchange(self, asked: ReceivedRequest, connection: Connection) -> bool:
        rule = next((rule for rule in self._rules if rule.takes(asked)), None)
        behaviour = rule.behaviour if rule else UNCHANGED
        if asked.headers.get("expect") == "100-continue" and not behaviour.withholds_continue:
            await connection.send(_CONTINUE)
        answer = await self._answer(asked, connection, behaviour)
        for change in behaviour.changes:
            answer = change(answer)
        await asyncio.sleep(behaviour.wait)
        return await deliver(connection, asked, answer, behaviour)

    async def _answer(self, asked: ReceivedRequest, connection: Connection, behaviour: Behaviour) -> Answer:
        body = shaped(connection.body(asked), behaviour if asked.has_body else UNCHANGED, connection)
        if behaviour.early_after is not None:
            body = first(body, behaviour.early_after)
        refused = self._refused(asked) if behaviour.answer is None else None
        made = refused or behaviour.answer
        answer = await self._carry_out(asked, body) if made is None else made(asked) if callable(made) else made
        async for _ in body:
            pass
        return answer

    def _refused(self, asked: ReceivedRequest) -> Answer | None:
        if self.tokens is None or asked.path == "/token":
            return None
        return self.tokens.challenge(asked, self.realm or f"{self.url}/token")

    async def _carry_out(self, asked: ReceivedRequest, body: AsyncIterator[bytes]) -> Answer:
        if asked.path == "/token" and self.tokens:
            return self.tokens.answer(asked)
        if asked.path == "/v2/":
            return as_json({}, Docker_Distribution_Api_Version="registry/2.0")
        step = _STEPS.fullmatch(asked.path)
        if step is None:
            return refusal(HTTPStatus.NOT_FOUND, "UNKNOWN")
        return await self._step(asked, step, body)

    async def _step(self, asked: ReceivedRequest, step: re.Match[str], body: AsyncIterator[bytes]) -> Answer:
        name = step["name"]
        if step["start"]:
            return answer_start(self.contents, asked, name, self.url)
        if step["session"]:
            return await answer_upload(self.contents, asked, step["session"], body, self.url)
        if step["manifest"]:
            return await answer_manifest(self.contents, asked, name, step["manifest"], body, base=self.url)
        if step["tags"]:
            return answer_tags(self.contents, asked, name)
        return answer_blob(self.contents, asked, name, step["blob"]) if ":" in step["blob"] else unknown_blob()
