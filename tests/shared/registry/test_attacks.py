"""A registry that redirects Longshore to another server: each hop that it controls, to each kind of address.

A forbidden address is a trap: a listener on the same machine that counts connections. The account and the tokens are
canaries: the tests search the traps' requests, messages, tracebacks and logs for them.
"""

import json
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from import_worker.copying import stream
from import_worker.copying.image import ImageCopy
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.network.policy import NetworkPolicy
from shared.planning.make_plan import make_plan
from shared.runtime.backoff import Backoff
from tests.import_worker.ends import Board, DictLedger, DictTarget
from tests.scripted.registry import ScriptedRegistry
from tests.scripted.tokens import TokenService
from tests.shared.certificates import Authority
from tests.shared.content import described, read
from tests.shared.fixtures import Opener
from tests.shared.moving import REPOSITORY, move, source_at
from tests.shared.registry.hops import LARGE, LAYER, READS, WRITES, Hop, Scene, realm, referrers_link, tags_link
from tests.shared.traps import CREDENTIAL, PASSWORD, Names, leaks, with_canaries

# Names of this machine, or of a cloud's metadata service. {port} is the trap's.
INSIDE = (
    "127.0.0.1:{port}",
    "127.0.0.2:{port}",
    "localhost:{port}",
    "0.0.0.0:{port}",
    "[::1]:{port}",
    "[::]:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "[::ffff:7f00:1]:{port}",
    "[64:ff9b::7f00:1]:{port}",
    "169.254.169.254:80",
    "[fd00:ec2::254]:80",
    "100.100.100.200:80",
    "inside.example:{port}",
)
# Another name of this machine, which may be called.
STORAGE = "127.0.0.2"
# Spellings of 127.0.0.1 that the system's resolver knows and addresses do not have.
ODD = ("2130706433:{port}", "0x7f000001:{port}", "017700000001:{port}", "127.1:{port}")
# Under TLS the policy is the same, but the clients check it elsewhere.
PLACES = [("http", name) for name in INSIDE] + [("https", name) for name in (INSIDE[0], INSIDE[9], INSIDE[-1])]
# The hops that follow a name to another server; the others stay on the registry.
FOLLOWING = tuple(hop for hop in READS if hop not in {tags_link, referrers_link})
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
MANIFEST = b'{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}'


@pytest.fixture(autouse=True)
def quick_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts to copy a blob as in production, with shorter pauses between them."""
    monkeypatch.setattr(stream, "BLOB_RETRY", Backoff(first=0.01, maximum=0.1))


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@pytest.fixture(params=["http", "https"])
async def stage(request: pytest.FixtureRequest, opened: Opener, authority: Authority) -> "Stage":
    """Opens scenes, with and without TLS to the registry."""
    return Stage(opened, authority, secure=request.param == "https")


class Stage:
    def __init__(self, opened: Opener, authority: Authority, *, secure: bool) -> None:
        self.scheme = "https" if secure else "http"
        self._opened = opened
        self._authority = authority
        self._context = authority.server("attacker").context() if secure else None

    def storage(self) -> ScriptedRegistry:
        """Make a server with the registry's address and another name."""
        files = self._authority.server("storage", address=STORAGE)
        return ScriptedRegistry(address=STORAGE, tls=files.context() if self._context else None)

    @asynccontextmanager
    async def scene(
        self, side: Side, *names: str, private: tuple[str, ...] = (), elsewhere: ScriptedRegistry | None = None
    ) -> AsyncIterator[Scene]:
        """Open a scene; the trap's names are listed for plain http, so that only the tested rule protects Longshore."""
        service = TokenService(accounts={"alice": PASSWORD})
        async with (
            ScriptedRegistry(tls=self._context, tokens=service) as registry,
            elsewhere or ScriptedRegistry() as trap,
            ScriptedRegistry() as origin,
        ):
            plain = [name.format(port=trap.port) for name in names]
            policy = NetworkPolicy.of(
                allowed_private=[registry.host, *private],
                plain_http=plain if self._context else [*plain, registry.host],
                ca_files=dict.fromkeys((registry.host, trap.host), str(self._authority.file)),
                trusted=side is Side.TARGET,
            )
            for server in (registry, origin):
                for content in (LAYER, LARGE) * (server is origin or side is Side.SOURCE):
                    server.add_blob(REPOSITORY, content)
            registry.add_manifest(REPOSITORY, "1", MANIFEST, OCI_MANIFEST)
            registries = await self._opened(policy, side)
            reading = await self._opened.loopback(origin.host)
            yield Scene(registry=registry, trap=trap, registries=registries, origin=source_at(reading, origin.host))


async def fallen(hop: Hop, scene: Scene, to: str, caplog: pytest.LogCaptureFixture) -> LongshoreError:
    """Follow the hop to the trap; return the error, and check that nothing reveals a secret."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(LongshoreError) as caught:
        await hop(scene, to)
    told = "".join(traceback.format_exception(caught.value))
    assert not with_canaries(f"{caught.value!r} {told} {caplog.text}")
    assert leaks(scene.trap) == []
    return caught.value


@pytest.mark.parametrize(("stage", "name"), PLACES, indirect=["stage"])
@pytest.mark.parametrize("hop", READS)
async def test_no_hop_of_a_read_leads_inside(
    stage: Stage, names: Names, caplog: pytest.LogCaptureFixture, hop: Hop, name: str
) -> None:
    """Literals, mapped and translated addresses, metadata services, and names that lead there."""
    names.lead("inside.example", ["127.0.0.1"])
    async with stage.scene(Side.SOURCE, name) as scene:
        error = await fallen(hop, scene, f"{stage.scheme}://{name.format(port=scene.trap.port)}", caplog)
        assert error.code == ("source_host_refused" if hop in FOLLOWING else "source_protocol_error")
        assert scene.trap.connections == 0


@pytest.mark.parametrize("stage", ["http"], indirect=True)
@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("hop", READS)
async def test_no_hop_of_a_read_leads_to_an_odd_spelling(
    stage: Stage, caplog: pytest.LogCaptureFixture, hop: Hop, name: str
) -> None:
    """The resolver accepts a bare number as an address."""
    async with stage.scene(Side.SOURCE, name) as scene:
        error = await fallen(hop, scene, f"{stage.scheme}://{name.format(port=scene.trap.port)}", caplog)
        assert error.code in {"source_host_refused", "source_unreachable", "source_protocol_error"}
        assert scene.trap.connections == 0


@pytest.mark.parametrize(("stage", "name"), PLACES[::3], indirect=["stage"])
@pytest.mark.parametrize("hop", WRITES)
async def test_no_hop_of_a_write_leaves_the_target(
    stage: Stage, names: Names, caplog: pytest.LogCaptureFixture, hop: Hop, name: str
) -> None:
    """This includes hosts that a trusted target's requests may call: layers would be sent there."""
    names.lead("inside.example", ["127.0.0.1"])
    async with stage.scene(Side.TARGET, name) as scene:
        error = await fallen(hop, scene, f"{stage.scheme}://{name.format(port=scene.trap.port)}", caplog)
        assert error.code == "target_protocol_error"
        assert scene.trap.connections == 0


@pytest.mark.parametrize("hop", FOLLOWING)
async def test_a_foreign_host_gets_no_account_and_no_token(
    stage: Stage, caplog: pytest.LogCaptureFixture, hop: Hop
) -> None:
    """A host that may be called, such as storage, gets the request without credentials: its name differs."""
    async with stage.scene(Side.SOURCE, f"{STORAGE}:{{port}}", private=(STORAGE,), elsewhere=stage.storage()) as scene:
        # Its response is not an error for every hop.
        with suppress(pytest.fail.Exception):
            await fallen(hop, scene, scene.trap.url, caplog)
        assert scene.trap.asked
        assert leaks(scene.trap) == []
        assert any(asked.authorization for asked in scene.registry.asked) or hop is realm


@pytest.mark.parametrize("stage", ["https"], indirect=True)
@pytest.mark.parametrize("hop", READS)
async def test_no_hop_leaves_tls(stage: Stage, caplog: pytest.LogCaptureFixture, hop: Hop) -> None:
    """This holds even if the other host is listed for plain http, and may be called."""
    async with stage.scene(Side.SOURCE, "127.0.0.1:{port}", private=("127.0.0.1",)) as scene:
        error = await fallen(hop, scene, f"http://127.0.0.1:{scene.trap.port}", caplog)
        assert error.code == ("source_host_refused" if hop is realm else "source_protocol_error")
        assert scene.trap.connections == 0


async def test_the_urls_of_a_layer_are_never_asked(opened: Opener) -> None:
    """A foreign layer's descriptor is copied; neither Longshore nor the target fetches its URLs (CVE-2020-15157)."""
    async with ScriptedRegistry() as registry, ScriptedRegistry() as trap:
        config, foreign = described(b"{}", "application/vnd.oci.image.config.v1+json"), described(LAYER)
        entries = [
            {"mediaType": blob.media_type, "digest": str(blob.digest), "size": blob.size} for blob in (config, foreign)
        ]
        entries[1] |= {"mediaType": FOREIGN, "urls": [f"{trap.url}/layer"]}
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": entries[0], "layers": [entries[1]]}
        registry.add_blob(REPOSITORY, b"{}")
        registry.add_manifest(REPOSITORY, "1", json.dumps(body).encode(), OCI_MANIFEST)
        source = source_at(await opened.loopback(registry.host, trap.host), registry.host, CREDENTIAL)
        plan, target = await make_plan(source, await source.resolve(), ()), DictTarget()
        await ImageCopy(plan, source, target, ledger=DictLedger(), board=Board(), slots=1).run("1", _allowed)
        assert target.manifests["1"].content == json.dumps(body).encode()
        assert list(target.blobs) == [str(config.digest)]
        assert trap.connections == 0


async def _allowed() -> None:
    """A fence that permits every write."""


# Names whose answer changes between one look-up and the next.


async def test_a_name_that_turns_inside_is_not_followed_there(opened: Opener, names: Names) -> None:
    """DNS rebinding: the registry's name resolves to it at first, and to the trap at the next look-up."""
    async with ScriptedRegistry(address="127.0.0.5") as registry, ScriptedRegistry() as trap:
        registry.add_blob(REPOSITORY, LAYER)
        names.lead("rebind.example", ["127.0.0.5"], ["127.0.0.1"])
        first, second = f"rebind.example:{registry.port}", f"rebind.example:{trap.port}"
        policy = NetworkPolicy.of(allowed_private=["127.0.0.5"], plain_http=[first, second])
        there = (await opened(policy)).registry(first, CREDENTIAL).repository(REPOSITORY)
        assert await there.has_blob(described(LAYER))
        registry.on("GET", ".*/blobs/.*").redirect(f"http://{second}/latest/meta-data")
        with pytest.raises(LongshoreError) as caught:
            await read(there, described(LAYER))
        assert caught.value.code == "source_host_refused"
        assert names.asked == ["rebind.example"] * 2
        assert trap.connections == 0


async def test_an_upload_is_not_rebound(opened: Opener, names: Names) -> None:
    """A layer's bytes use another connection than the session's start, with a separate name look-up."""
    async with ScriptedRegistry(address="127.0.0.5") as target, ScriptedRegistry() as origin:
        origin.add_blob(REPOSITORY, LARGE)
        async with _trap_at(target.port) as trap:
            names.lead("rebind.example", ["127.0.0.5"], ["127.0.0.1"])
            host = f"rebind.example:{target.port}"
            target.on("POST", ".*").set_header("Location", lambda said: said.removeprefix(target.url))
            policy = NetworkPolicy.of(allowed_private=["127.0.0.5", origin.host], plain_http=[host, origin.host])
            registries = await opened(policy, Side.TARGET)
            scene = Scene(registry=target, trap=trap, registries=registries, origin=source_at(registries, origin.host))
            writer = type(scene.target)(registries.registry(host).repository(REPOSITORY))
            with pytest.raises(LongshoreError) as caught:
                await move(described(LARGE), scene.origin, writer)
            # The operator's own setting leads there, hence the target's code.
            assert caught.value.code == "target_protocol_error"
            assert "may not be called" in caught.value.detail
            assert target.requests("POST")
            assert trap.connections == 0


async def test_of_several_addresses_only_the_allowed_one_is_called(opened: Opener, names: Names) -> None:
    """A name may resolve to both at once; the private address is skipped."""
    async with ScriptedRegistry(address="127.0.0.5") as registry, _trap_at(registry.port) as trap:
        registry.add_blob(REPOSITORY, LAYER)
        names.lead("both.example", ["127.0.0.1", "127.0.0.5"])
        host = f"both.example:{registry.port}"
        policy = NetworkPolicy.of(allowed_private=["127.0.0.5"], plain_http=[host])
        there = (await opened(policy)).registry(host).repository(REPOSITORY)
        for _ in range(3):
            assert await read(there, described(LAYER)) == LAYER
        assert trap.connections == 0


@asynccontextmanager
async def _trap_at(port: int) -> AsyncIterator[ScriptedRegistry]:
    """Open a trap on the loopback address at the port that another server has on its own."""
    trap = ScriptedRegistry()
    trap.port = port
    async with trap:
        yield trap
