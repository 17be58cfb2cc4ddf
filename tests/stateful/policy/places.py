"""The sources, targets, callers and rules that the campaign draws from."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.stateful.policy.reference import Caller, Rule
from tests.stateful.world import ORIGINS

ANN = Caller(name="ann")
BOB = Caller(name="bob", groups=frozenset({"ml"}))
ROOT = Caller(name="root", admin=True)
CALLERS: Sequence[Caller] = (ANN, BOB, ROOT)

# The projects that exist in Harbor from the start; a pipeline pushes to the first one.
PROJECTS = ("prod", "team", "secret", "ann", "bob", "ml")
MAX_RULES = 4

_HEX = "0123456789abcdef" * 4


@dataclass(frozen=True, order=True, kw_only=True)
class Place:
    """A tag of a repository of the target."""

    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"

    @property
    def project(self) -> str:
        return self.repository.partition("/")[0]


# A pipeline's own tags are at the first place; then everybody's, a companion's, a mirror's, another project's.
PIPELINE = Place(repository="prod/payments-api", tag="stable")
PLACES: Sequence[Place] = (
    PIPELINE,
    Place(repository="prod/payments-api", tag="dev"),
    Place(repository="prod/payments-api", tag=f"sha256-{_HEX}.sig"),
    Place(repository="team/app", tag="1"),
    Place(repository="team/app", tag="2"),
    Place(repository="team/app", tag=f"sha256-{_HEX}"),
    Place(repository="imports/docker.io/library/postgres", tag="17"),
    Place(repository="imports/tools", tag="1"),
    Place(repository="secret/vault", tag="1"),
    Place(repository="ann/tools", tag="1"),
    Place(repository="bob/tools", tag="1"),
    Place(repository="ml/models", tag="1"),
)


def host_part(host: str) -> str:
    """Return a host as a part of a name in the target."""
    return host.replace(":", "-")


def random_rule(random: Random, name: str, host: str) -> Rule:
    """Return one of a few hundred rules."""
    return Rule(
        name=name,
        subjects=random.choice((("everybody",), ("user:ann",), ("user:bob",), ("group:ml",), ("group:no", "user:ann"))),
        sources=random.choice(
            (("**",), (f"{host}/**",), (f"{host}/{ORIGINS[0]}",), (f"{host}/origin/*", "quay.io/**"), ("docker.io/**",))
        ),
        targets=random.choice(
            (
                ("**",),
                ("team/*", "new*/**"),
                ("{user}/**",),
                ("{group}/**", "team/app"),
                ("{defaultProject}/{source}",),
                ("prod/payments-api",),
                ("imports/**", "secret/*"),
            )
        ),
        create_projects=random.random() < 0.5,
        overwrite=random.random() < 0.3,
        max_open=random.choice((None, None, 1, 2)),
    )
