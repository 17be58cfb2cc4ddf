"""The way in: the target's management, of the kind that the settings name."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from shared.errors.codes import Side
from shared.harbor.client import open_harbor
from shared.registry.client import open_registries
from shared.settings import SharedSettings
from shared.target.harbor import HarborTarget
from shared.target.kind import TargetKind
from shared.target.management import TargetManagement
from shared.target.plain_registry import PlainRegistry


@asynccontextmanager
async def open_target(settings: SharedSettings) -> AsyncIterator[TargetManagement]:
    """Open the target that TARGET_URL and TARGET_KIND name; closes every connection at the end.

    Its clients keep limits of their own: readiness must not fail, nor a deletion wait, for a limit on imports.
    """
    target, network = settings.target, settings.target_network
    async with AsyncExitStack() as stack:
        registries = await stack.enter_async_context(open_registries(network, Side.TARGET))
        registry = registries.registry(target.host, target.credential)
        if target.kind is TargetKind.REGISTRY:
            yield PlainRegistry(registry)
        else:
            yield HarborTarget(
                await stack.enter_async_context(open_harbor(network, target.host, target.credential)), registry
            )
