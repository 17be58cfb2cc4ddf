"""Imports that workers have claimed, with their ledgers."""

from import_worker.adapters.postgres_ledger import MIN_CLAIMED_SIZE, PostgresLedger
from import_worker.adapters.tag_ledger import PostgresTagLedger
from shared.db.database import Database
from shared.db.import_states import ClaimedImport
from shared.db.new_import import NewImport, insert_import
from shared.db.notifications import Notifications
from shared.db.outbox import WakeUpReason
from shared.model.blob_origin import BlobOrigin
from shared.model.owner import Owner, Requester
from shared.model.roles import Role
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from tests.import_worker.claiming import claim_named
from tests.import_worker.images import insert_image

BLOB = Descriptor(media_type="layer", digest=Digest.of(b"blob"), size=MIN_CLAIMED_SIZE)
SMALL = Descriptor(media_type="layer", digest=Digest.of(b"small"), size=MIN_CLAIMED_SIZE - 1)
ANONYMOUS = BlobOrigin(host="docker.io", with_account=False)


class Imports:
    """Claimed imports, each into a separate repository. Workers' statements run in `worker`, under their role."""

    def __init__(self, database: Database, worker: Database, notifications: Notifications) -> None:
        self.database = database
        self.worker = worker
        self.notifications = notifications
        self.ids: dict[str, int] = {}

    async def claimed(self, name: str, repository: str | None = None, origin: BlobOrigin = ANONYMOUS) -> PostgresLedger:
        """Add an import, claim it, and return its ledger; without a repository, into one of the project `team`."""
        async with self.database.transaction() as connection:
            image_id = await insert_image(connection, repository or f"team/{name}", name)
            requester = Requester(user="somebody", owner=Owner(subject="somebody"), role=Role.USER)
            new = NewImport(name=name, source="docker.io/a/b:1", requester=requester)
            self.ids[name] = await insert_import(connection, image_id, new, WakeUpReason.REQUESTED)
        return await self.claim(name, origin)

    async def claim(self, name: str, origin: BlobOrigin = ANONYMOUS) -> PostgresLedger:
        return PostgresLedger(self.worker, self.notifications, "harbor", await self._claim(name), origin)

    async def claim_tags(self, name: str) -> PostgresTagLedger:
        """Claim an import that was added before, and return its record of tags."""
        return PostgresTagLedger(database=self.worker, registry="harbor", claimed=await self._claim(name))

    async def _claim(self, name: str) -> ClaimedImport:
        claimed = await claim_named(self.database, name, by=self.worker)
        assert claimed
        return claimed

    async def run(self, statement: str, name: str) -> None:
        async with self.database.connection() as connection:
            await connection.execute(statement, self.ids[name])
