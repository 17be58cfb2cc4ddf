"""The blob of the bulk tests, its addresses, and the repository that serves it."""

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Side
from shared.registry.repository import Repository
from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.content import described, noise
from tests.shared.fixtures import Opener

CONTENT = noise(3_000_000, 7)
BLOB = described(CONTENT)
PATH = f"/v2/team/app/blobs/{BLOB.digest}"
UPLOADS = "/v2/team/app/blobs/uploads/"
SESSION = "/v2/team/app/blobs/uploads/1"
STARTED = Answer(status=202, headers={"Location": f"{SESSION}?_state=a%2Fb%3D"})
WHOLE = Answer(body=CONTENT)


async def there(opened: Opener, *servers: RegistryServer | HostileRegistry, side: Side = Side.TARGET) -> Repository:
    registries = await opened.loopback(*(server.host for server in servers), side=side)
    return registries.registry(servers[0].host).repository("team/app")
