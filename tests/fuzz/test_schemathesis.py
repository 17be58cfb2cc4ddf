"""schemathesis: valid and invalid data from the OpenAPI document against the whole product.

All checks but one are on for all operations: no server errors; statuses, media types, headers and bodies as described;
invalid data rejected and valid data accepted; 405 with Allow; no access without a token; deleted resources are not
found.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.local.stack import Remote, Scratch, Stack, synthetic_image

# The limit of a run; it takes about a minute on two cores. Seconds.
LIMIT = 240
# Requests per operation and phase, in addition to those that cover each keyword of its schemas.
EXAMPLES = 8
STORED = "fuzzed"
# This check also takes ids of what was deleted long before, and blames the newest creation for their 404.
LEFT_OUT = "ensure_resource_availability"
HOOKS = Path(__file__).with_name("hooks.py")


@dataclass(frozen=True, kw_only=True)
class Fuzzed:
    """A running stack, with an image to import and a stored account for it."""

    url: str
    description: Any
    admin: str
    worker: str
    source: str

    def configuration(self, *, codec: str) -> str:
        """Return schemathesis.toml: the same requests in every run, and a suitable token for each operation."""
        return f"""
            color = false
            continue-on-failure = true
            hooks = "{HOOKS}"
            request-timeout = 20
            headers = {{ Authorization = "Bearer {self.admin}" }}

            [generation]
            deterministic = true
            no-shrink = true
            max-examples = {EXAMPLES}
            codec = "{codec}"
            database = "none"

            # 422: dry runs of platforms that the image does not have.
            [[operations]]
            include-operation-id = "importImage"
            [operations.checks.positive_data_acceptance]
            expected-statuses = ["200", "403", "404", "409", "422"]

            # A password without an account to belong to, and an account that stays behind when the address changes.
            [[operations]]
            include-operation-id = "changeRegistry"
            [operations.checks.positive_data_acceptance]
            expected-statuses = ["200", "400", "404", "409"]

            # Names are unique, and a user has a limited number of tokens.
            [[operations]]
            include-operation-id = ["createImportRule", "changeImportRule", "createToken", "checkImportRules"]
            [operations.checks.positive_data_acceptance]
            expected-statuses = ["200", "201", "403", "404", "409"]

            [[operations]]
            include-operation-id = ["reportProgress", "beginAttempt", "admitImage"]
            headers = {{ Authorization = "Bearer {self.worker}" }}
        """

    def run(self, folder: Path, *, codec: str, phases: str, options: tuple[str, ...] = ()) -> str:
        """Run schemathesis and return its output; fail with the output if a check fails."""
        file = folder / "schemathesis.toml"
        file.write_text(self.configuration(codec=codec))
        # From a file: schemathesis does not test the operation that it reads the document from.
        description = folder / "openapi.json"
        description.write_bytes(orjson.dumps(self.description))
        command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(file), "run"]
        checks = ["--checks", "all", "--exclude-checks", LEFT_OUT]
        done = subprocess.run(
            [*command, str(description), *checks, "--url", self.url, "--phases", phases, *options],
            cwd=folder,
            env={**os.environ, "FUZZ_SOURCE": self.source, "FUZZ_STORED": STORED, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
        return done.stdout


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    with Scratch() as scratch, Stack(scratch, workers=1, fsync=False) as stack:
        Remote.of(stack.target).push("fuzz/app", "1.0", synthetic_image("fuzz", [1500], platforms=["linux/amd64"]))
        admin = stack.api.new_token("root", "admin")
        account = {"username": "fuzz", "password": "not-asked-for"}
        stored = {"name": STORED, "url": f"http://{stack.target.host}", **account}
        assert stack.api.request("POST", "/api/v1/image-registries", admin, stored)[0] == 201
        yield Fuzzed(
            url=stack.api.url,
            description=stack.api.request("GET", "/api/v1/openapi.json")[1],
            admin=admin,
            worker=stack.api.new_token("fuzz", "worker"),
            source=f"{stack.target.host}/fuzz/app:1.0",
        )


@pytest.mark.timeout(LIMIT + 60)
def test_no_request_made_from_the_description_shows_a_fault(fuzzed: Fuzzed, tmp_path: Path) -> None:
    """This runs all checks on all operations: each keyword of each schema, random data, and sequences of operations."""
    output = fuzzed.run(tmp_path, codec="ascii", phases="examples,coverage,fuzzing,stateful")
    number = sum(map(len, fuzzed.description["paths"].values()))
    assert f"Selected: {number}/{number}" in output
    assert f"Tested: {number}" in output


@pytest.mark.timeout(LIMIT + 60)
def test_no_text_of_any_script_shows_a_fault(fuzzed: Fuzzed, tmp_path: Path) -> None:
    """This is the test above with all of Unicode.

    The document allows some rare unprintable characters that the API rejects, so valid data may be rejected.
    """
    fuzzed.run(tmp_path, codec="utf-8", phases="fuzzing", options=("--exclude-checks", "positive_data_acceptance"))
