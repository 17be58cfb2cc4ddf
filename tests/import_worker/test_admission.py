"""Admission of an image: the project is prepared, and the missing bytes are compared with its quota."""

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import pytest

from deploy.local.images.image import Image
from deploy.local.stack import synthetic_image
from import_worker.admission import Admission
from import_worker.attempt import Attempt
from import_worker.reporter import SupersededError
from shared.db import blobs as ledger
from shared.db.database import open_database
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import Admitted, AttemptStart, AttemptTerms, ImageAdmission
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.planning.make_plan import make_plan
from shared.planning.plan import ImportPlan
from shared.target.management import Removal, TargetStatistics, TargetTag
from shared.target.project_quota import ProjectQuota
from tests.import_worker.ends import DictSource, DictTarget

REPOSITORY = "imports/app"
UNLIMITED = AttemptTerms()


@dataclass
class Management:
    """A target whose project has this quota."""

    answer: ProjectQuota | LongshoreError | None = None
    refusal: LongshoreError | None = None
    prepared: list[str] = field(default_factory=list)
    exists: bool | None = True

    async def check(self) -> None:
        raise NotImplementedError

    async def prepare_repository(self, repository: str) -> None:
        if self.refusal:
            raise self.refusal
        self.prepared.append(repository)

    async def has_project(self, repository: str) -> bool | None:
        return self.exists

    async def project_quota(self, repository: str) -> ProjectQuota | None:
        if isinstance(self.answer, LongshoreError):
            raise self.answer
        return self.answer

    async def find_tag(self, repository: str, tag: str) -> Digest | None:
        raise NotImplementedError

    async def discard_upload(self, repository: str, address: str) -> bool:
        raise NotImplementedError

    async def look_up_tag(self, repository: str, tag: str) -> TargetTag | None:
        raise NotImplementedError

    async def point_tag(self, repository: str, tag: str, digest: Digest, *, replaces: Digest) -> bool:
        raise NotImplementedError

    async def remove_tag(self, repository: str, tag: str, digest: Digest, *, siblings: bool) -> Removal:
        raise NotImplementedError

    async def remove_referrer_tags(
        self, repository: str, digest: Digest, *, is_ours: Callable[[str, Digest], Awaitable[bool]]
    ) -> None:
        raise NotImplementedError

    async def statistics(self) -> TargetStatistics | None:
        raise NotImplementedError


@dataclass
class ProjectLedger:
    known: frozenset[Digest] = frozenset()

    async def held_by_project(self, blobs: Sequence[Descriptor]) -> AbstractSet[Digest]:
        return self.known & {blob.digest for blob in blobs}


@pytest.fixture
def image() -> Image:
    return synthetic_image("admitted", [3000, 2000], platforms=("linux/amd64",), index=False)


@pytest.fixture
async def plan(image: Image) -> ImportPlan:
    return await make_plan(DictSource(image), Digest.parse(image.digest), ())


@dataclass
class Admitting:
    """An API that admits images until it is told to stop."""

    rule_creates_projects: bool = True
    stops: bool = False
    asked: list[int] = field(default_factory=list)

    async def begin(self, name: str, start: AttemptStart) -> AttemptTerms:
        raise NotImplementedError

    async def admit(self, name: str, admission: ImageAdmission) -> Admitted:
        assert (name, admission.attempt) == ("app-1.0-x", 2)
        self.asked.append(admission.bytes)
        if self.stops:
            raise SupersededError
        return Admitted(may_create_project=self.rule_creates_projects)


def admission(
    management: Management,
    target: DictTarget | None = None,
    *known: Descriptor,
    terms: AttemptTerms = UNLIMITED,
    api: Admitting | None = None,
) -> Admission:
    return Admission(
        attempt=Attempt(api=api or Admitting(), name="app-1.0-x", number=2),
        terms=terms,
        management=management,
        repository=REPOSITORY,
        target=target or DictTarget(),
        ledger=ProjectLedger(frozenset(blob.digest for blob in known)),
    )


def quota_of(free: int) -> ProjectQuota:
    return ProjectQuota(project="imports", limit=10_000 + free, used=10_000)


def missing_bytes(plan: ImportPlan) -> int:
    return sum(blob.size for blob in plan.blobs)


async def test_an_image_that_fits_is_admitted_without_a_look_at_its_blobs(plan: ImportPlan) -> None:
    """The repository is prepared in any case."""
    management = Management(quota_of(plan.size))
    await admission(management).admit(plan)
    assert management.prepared == [REPOSITORY]


async def test_an_image_that_does_not_fit_is_refused_with_figures(plan: ImportPlan) -> None:
    """One missing byte is enough."""
    await admission(Management(quota_of(missing_bytes(plan)))).admit(plan)
    with pytest.raises(LongshoreError) as caught:
        await admission(Management(quota_of(missing_bytes(plan) - 1))).admit(plan)
    assert caught.value.code == "target_quota_exceeded"
    assert "Project imports may hold" in caught.value.detail


async def test_blobs_that_the_repository_has_do_not_count(plan: ImportPlan) -> None:
    """A retry after most of the image was copied must not fail because of its own blobs."""
    largest = max(plan.blobs, key=lambda blob: blob.size)
    target = DictTarget(blobs={str(largest.digest): b""})
    await admission(Management(quota_of(missing_bytes(plan) - largest.size)), target).admit(plan)


async def test_blobs_that_the_project_has_elsewhere_do_not_count(plan: ImportPlan) -> None:
    """Harbor charges a project once for a blob, in however many repositories it is."""
    largest = max(plan.blobs, key=lambda blob: blob.size)
    await admission(Management(quota_of(missing_bytes(plan) - largest.size)), None, largest).admit(plan)


@pytest.mark.parametrize(
    "answer", [None, LongshoreError(Code.TARGET_DENIED, "No."), LongshoreError(Code.TARGET_STALLED, "No.")]
)
async def test_an_unknown_quota_is_left_to_the_push(plan: ImportPlan, answer: LongshoreError | None) -> None:
    """Not every account may see a quota, and not every target has one."""
    await admission(Management(answer)).admit(plan)


async def test_a_project_that_cannot_be_made_ends_the_import(plan: ImportPlan) -> None:
    """This happens before a byte is moved."""
    refusal = LongshoreError(Code.TARGET_PROJECT_MISSING, "There is no project.")
    with pytest.raises(LongshoreError) as caught:
        await admission(Management(refusal=refusal)).admit(plan)
    assert caught.value is refusal


async def test_a_missing_project_is_created_only_with_permission(plan: ImportPlan) -> None:
    """The rule may allow imports into existing projects alone."""
    terms = AttemptTerms(may_create_project=False)
    with pytest.raises(LongshoreError) as caught:
        await admission(management := Management(exists=False), terms=terms).admit(plan)
    assert caught.value.code == "target_not_allowed"
    assert "no project imports" in caught.value.detail
    assert management.prepared == []


@pytest.mark.parametrize("exists", [True, None])
async def test_an_existing_project_needs_no_permission(plan: ImportPlan, exists: bool | None) -> None:
    """Neither does one that the target hides from the account: the push finds out."""
    management = Management(exists=exists)
    await admission(management, terms=AttemptTerms(may_create_project=False)).admit(plan)
    assert management.prepared == []


async def test_the_bytes_of_a_limited_import_are_admitted_first(plan: ImportPlan) -> None:
    """An import that its rule's limit ends has created no project."""
    terms, api, management = AttemptTerms(limited=True), Admitting(stops=True), Management(exists=False)
    with pytest.raises(SupersededError):
        await admission(management, terms=terms, api=api).admit(plan)
    assert (api.asked, management.prepared) == ([plan.size], [])


async def test_the_rule_that_admits_the_bytes_decides_about_the_project(plan: ImportPlan) -> None:
    """It may be another one than the rule that the import began by, if that one's limit is too low."""
    terms, api = AttemptTerms(limited=True, may_create_project=True), Admitting(rule_creates_projects=False)
    with pytest.raises(LongshoreError, match="target_not_allowed"):
        await admission(Management(exists=False), terms=terms, api=api).admit(plan)


async def test_an_import_without_limits_asks_nothing(plan: ImportPlan) -> None:
    """Most imports have no limit in bytes, and cost no further request."""
    api = Admitting()
    await admission(Management(), api=api).admit(plan)
    assert api.asked == []


async def test_the_ledger_knows_what_a_project_holds(database_url: str) -> None:
    """A project's repositories begin with its name and a slash; other projects and registries do not count."""
    async with open_database(database_url, application="test", size=1) as database, database.connection() as connection:
        for registry, repository, digest in (
            ("harbor", "imports/a", "sha256:1"),
            ("harbor", "imports/a/b", "sha256:2"),
            ("harbor", "imports2/a", "sha256:3"),
            ("other", "imports/a", "sha256:4"),
            ("harbor", "imports/a", "sha256:5"),
        ):
            await ledger.record(connection, registry, repository, [digest])
        wanted = [f"sha256:{number}" for number in range(1, 5)]
        assert await ledger.held_by_project(connection, "harbor", "imports", wanted) == {"sha256:1", "sha256:2"}
