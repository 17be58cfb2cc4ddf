"""The data of the screenshots: images of many owners and ages, running imports, and a failed one.

The images are really imported, from small stand-ins. Afterwards they get the names, sizes and ages of well-known
images, because a loopback address and layers of a few bytes would mean nothing to a reader.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.local.stack import Stack, synthetic_image
from tests.system.conftest import Product

MB = 1_000_000
HOST = "harbor.example.com"
BOTH = ("linux/amd64", "linux/arm64")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An image of the list, with its age in hours and its size in megabytes."""

    repository: str
    tag: str
    host: str
    owner: str
    hours: float
    size: float
    platforms: Sequence[str] = BOTH
    description: str = ""


IMAGES = (
    Shown(repository="prometheus/prometheus", tag="v3.5.0", host="quay.io", owner="ben", hours=900, size=371.2),
    Shown(repository="library/postgres", tag="16.10", host="docker.io", owner="anna", hours=700, size=894.6),
    Shown(repository="library/postgres", tag="17.6", host="docker.io", owner="anna", hours=410, size=917.3),
    Shown(repository="grafana/grafana", tag="12.1.1", host="docker.io", owner="ben", hours=300, size=1402.8),
    Shown(repository="library/alpine", tag="3.21", host="docker.io", owner="demo", hours=120, size=25.1),
    Shown(repository="library/alpine", tag="3.22", host="docker.io", owner="demo", hours=52, size=25.6),
    Shown(
        repository="team/checkout",
        tag="2.3.1",
        host="registry.example.com",
        owner="demo",
        hours=30,
        size=183.9,
        platforms=("linux/amd64",),
    ),
    Shown(
        repository="team/checkout",
        tag="2.4.0",
        host="registry.example.com",
        owner="demo",
        hours=3,
        size=184.4,
        platforms=("linux/amd64",),
        description="Release candidate for the autumn campaign",
    ),
)
REGISTRIES = (
    ("docker-hub", "https://docker.io", "acme-pull", True),
    ("quay", "https://quay.io", "acme+longshore", False),
    ("team", "https://registry.example.com", "longshore", False),
)
LAYERS = (
    ("config", 8_412, 1.0, "copied"),
    ("base", 29_780_000, 1.0, "existing"),
    ("jdk", 212_450_000, 1.0, "mounted"),
    ("libraries", 96_320_000, 1.0, "copied"),
    ("models", 388_100_000, 0.46, None),
    ("assets", 141_870_000, 0.61, None),
    ("app", 18_260_000, 0.0, None),
)


def fill(product: Product) -> None:
    """Import all images that are shown as ready."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda shown: _import(product, shown), IMAGES))
    for name, url, username, is_default in REGISTRIES:
        body = {"name": name, "url": url, "username": username, "password": "secret", "isDefault": is_default}
        stack = product.stack
        status, answer = stack.api.request("POST", "/api/v1/image-registries", stack.admin_token, body)
        assert status == 201, answer


def _import(product: Product, shown: Shown) -> None:
    image = synthetic_image(f"{shown.repository}:{shown.tag}", [2_000], platforms=shown.platforms)
    product.push(image, shown.repository, shown.tag)
    image_id = product.start(shown.repository, shown.tag, description=shown.description)
    product.ready(image_id)
    product.sql(
        f"""
        UPDATE images SET source = '{shown.host}/{shown.repository}:{shown.tag}', created_by = '{shown.owner}',
            size = {round(shown.size * MB)}, created_at = now() - interval '{shown.hours} hours' WHERE id = {image_id};
        """
    )


def add_moving(product: Product) -> int:
    """Add a running import with layers of every kind, and return its image's id."""
    image_id = _add_image(product, "team/search", "5.0.2", "importing", minutes=2)
    import_id = _add_import(product, image_id, "search-5.0.2-b7kq2mdxwz", "running")
    for position, (name, size, share, transfer) in enumerate(LAYERS):
        status = "completed" if share == 1 else "downloading" if share else "pending"
        kind = f"'{transfer}'" if transfer else "NULL"
        product.sql(
            f"""
            INSERT INTO import_layers (import_id, digest, position, size, byte_offset, status, transfer)
            VALUES ({import_id}, '{_digest(name)}', {position}, {size}, {round(size * share)}, '{status}', {kind});
            """
        )
    move(product, import_id, 0)
    return image_id


def move(product: Product, import_id: int, bytes_more: int) -> None:
    """Add this number of bytes to each layer that is being downloaded."""
    product.sql(
        f"""
        UPDATE import_layers SET byte_offset = least(size - 1, byte_offset + {bytes_more})
            WHERE import_id = {import_id} AND status = 'downloading';
        UPDATE imports SET bytes_done = sums.done, bytes_total = sums.whole, progress = 100 * sums.done / sums.whole,
            rate = 61.3e6, moved_at = now(), sequence = sequence + 1, updated_at = now(),
            lease_until = now() + interval '1 hour'
            FROM (SELECT sum(byte_offset) AS done, sum(size) AS whole FROM import_layers
                  WHERE import_id = {import_id}) AS sums WHERE id = {import_id};
        """
    )


def add_failed(product: Product) -> int:
    """Add an import that its source refused, and return its image's id."""
    image_id = _add_image(product, "team/billing", "1.9.0", "failed", minutes=26)
    _add_import(product, image_id, "billing-1.9.0-x4wq8nrtcd", "failed")
    return image_id


def add_rate_limit(product: Product) -> None:
    """Store a rate limit of Docker Hub for manifests, as Docker Hub sets one."""
    product.sql(
        """
        INSERT INTO registry_limits (host, account, scope, resumes_at, share)
        VALUES ('docker.io', '', 'manifests', now() + interval '42 minutes', 0.5);
        """
    )


def newest_import(product: Product, image_id: int) -> int:
    return int(product.sql(f"SELECT max(id) FROM imports WHERE image_id = {image_id}"))


def _add_image(product: Product, repository: str, tag: str, status: str, *, minutes: int) -> int:
    return int(
        product.sql(
            f"""
            INSERT INTO images (registry_host, repository, tag, status, source, created_by, created_at)
            VALUES ('{HOST}', 'imports/{repository}', '{tag}', '{status}',
                    'registry.example.com/{repository}:{tag}', 'demo', now() - interval '{minutes} minutes')
            RETURNING id;
            """
        ).split()[0]
    )


def _add_import(product: Product, image_id: int, name: str, state: str) -> int:
    detail = "registry.example.com says that the account longshore may not read team/billing."
    lease = "now() + interval '1 hour', 'worker-b'" if state == "running" else "NULL, NULL"
    error = f"'source_denied', '{detail}'" if state == "failed" else "NULL, NULL"
    return int(
        product.sql(
            f"""
            INSERT INTO imports (name, image_id, state, source, requested_by, attempt, lease_until, lease_owner,
                                 error_code, error_detail, started_at)
            SELECT '{name}', id, '{state}', source, created_by, 1, {lease}, {error}, now() FROM images
            WHERE id = {image_id} RETURNING id;
            """
        ).split()[0]
    )


def _digest(name: str) -> str:
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def prepared(stack: Stack) -> Stack:
    """Give the target a well-known name, and leave the source's address out of image names."""
    source = stack.source.host
    stack.api.settings |= {"TARGET_NAME": HOST, "DROP_HOST_FOR": source, "LEASE_SECONDS": "600"}
    return stack
