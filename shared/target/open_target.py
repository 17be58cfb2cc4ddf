"""Opens the target's management, of the kind that the settings name."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from shared.errors.codes import Side
from shared.harbor.client import open_harbor
from shared.network.policy import NetworkPolicy
from shared.registry.client import open_registries
from shared.target.harbor import HarborTarget
from shared.target.management import TargetManagement
from shared.target.plain_registry import PlainRegistry
from shared.target.settings import TargetKind, TargetSettings


@asynccontextmanager
async def open_target(target: TargetSettings, network: NetworkPolicy) -> AsyncIterator[TargetManagement]:
    """Open the target's management; close every connection at the end.

    Its clients do not share the imports' rate limits: a limit on imports must not fail readiness or delay a deletion.
    """
    async with AsyncExitStack() as stack:
        registries = await stack.enter_async_context(open_registries(network, Side.TARGET))
        registry = registries.registry(target.host, target.credential)
        if target.kind is TargetKind.REGISTRY:
            yield PlainRegistry(registry)
        else:
            yield HarborTarget(
                await stack.enter_async_context(open_harbor(network, target.host, target.credential)), registry
            )
