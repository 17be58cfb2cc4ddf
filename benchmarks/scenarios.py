"""The scenarios of the copy benchmark: their images, and the number of concurrent imports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from deploy.local.images.image import Image
from deploy.local.images.synthetic import synthetic_image

KIB = 1 << 10
MIB = 1 << 20
# A smoke test has smaller layers, by this factor, and fewer images; only the form of its report counts.
QUICK_DIVISOR = 1024
QUICK_IMAGES = 3


@dataclass(frozen=True, kw_only=True)
class Job:
    """One image in the source registry that is copied to the target: to this project, or to Longshore's choice."""

    repository: str
    tag: str
    image: Image
    project: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A set of jobs. `workers` is the number of Longshore's workers, `parallel` that of concurrent peer processes.

    `filled`: the target has all images before each run. `account`: the source needs one; Longshore runs alone then.
    """

    name: str
    about: str
    jobs: Callable[[int], list[Job]]
    images: int = 1
    workers: int = 1
    parallel: int = 1
    filled: bool = False
    account: bool = False

    def make(self, *, quick: bool) -> list[Job]:
        """Return the jobs; `quick` makes small ones for a smoke test."""
        jobs = self.jobs(QUICK_DIVISOR if quick else 1)
        return jobs[:QUICK_IMAGES] if quick else jobs


def _single(name: str, sizes: list[int]) -> Callable[[int], list[Job]]:
    def jobs(divisor: int) -> list[Job]:
        layers = [max(KIB, size // divisor) for size in sizes]
        image = synthetic_image(name, layers, platforms=["linux/amd64"], index=False)
        return [Job(repository=f"bench/{name}", tag="1.0", image=image)]

    return jobs


def _platforms(divisor: int) -> list[Job]:
    sizes = [max(KIB, size // divisor) for size in (16 * MIB, 4 * MIB, MIB, 64 * KIB)]
    platforms = ["linux/amd64", "linux/arm64", "linux/s390x", "linux/ppc64le"]
    return [Job(repository="bench/multi", tag="1.0", image=synthetic_image("multi", sizes, platforms=platforms))]


def _family(divisor: int) -> list[Job]:
    """Return tags with the same base layers: each tag is one platform of the same synthetic image."""
    base, own = 128 * MIB // divisor, 8 * MIB // divisor
    jobs = []
    for number in range(20):
        # A made-up architecture gives each tag its own last layer.
        platform = f"linux/member{number}"
        image = synthetic_image("family", [base, base, base, own], platforms=[platform], shared=3, index=False)
        jobs.append(Job(repository="bench/family", tag=f"v{number}", image=image))
    return jobs


def _family_of_teams(divisor: int) -> list[Job]:
    """Return the same tags as `_family`, shared out among four projects."""
    return [replace(job, project=f"team{number % 4}") for number, job in enumerate(_family(divisor))]


def _there(divisor: int) -> list[Job]:
    sizes = [max(KIB, size // divisor) for size in [MIB] * 8]
    images = [synthetic_image(f"nothing{number}", sizes) for number in range(10)]
    return [Job(repository=f"bench/nothing{number}", tag="1.0", image=image) for number, image in enumerate(images)]


def _many(divisor: int) -> list[Job]:
    sizes = [max(KIB, size // divisor) for size in (256 * KIB, 64 * KIB, 16 * KIB)]
    jobs = []
    for number in range(100):
        image = synthetic_image(f"many{number}", sizes, platforms=["linux/amd64"], index=False)
        jobs.append(Job(repository=f"bench/many{number}", tag="1.0", image=image))
    return jobs


SCENARIOS = (
    Scenario(name="cold", about="4 layers of 256 MiB", jobs=_single("cold", [256 * MIB] * 4)),
    Scenario(name="one", about="1 layer of 1 GiB", jobs=_single("one", [1024 * MIB])),
    Scenario(name="small", about="40 layers of 256 KiB", jobs=_single("small", [256 * KIB] * 40)),
    Scenario(name="multi", about="an index of 4 platforms, 4 layers each, 84 MiB", jobs=_platforms),
    Scenario(
        name="family",
        about="20 tags over 3 layers of 128 MiB with 8 MiB each, at once",
        jobs=_family,
        images=20,
        workers=4,
        parallel=4,
    ),
    Scenario(
        name="family-account",
        about="the same from a registry with a password, into four projects",
        jobs=_family_of_teams,
        images=20,
        workers=4,
        parallel=4,
        account=True,
    ),
    Scenario(
        name="nothing",
        about="10 images of 2 platforms with 8 layers that the target has",
        jobs=_there,
        images=10,
        parallel=4,
        filled=True,
    ),
    Scenario(name="many", about="100 images of 3 small layers, at once", jobs=_many, images=100, workers=4, parallel=4),
)
