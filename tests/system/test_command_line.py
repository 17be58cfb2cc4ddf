"""The `longshore` command with the whole product: its output matches the work of the workers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.stack import synthetic_image
from tests.longshore_client.pty_terminal import in_terminal
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("system")

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "longshore_client.cli")
KIB = 1024
MIB = 1024 * KIB


def environment(product: Product, home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "XDG_CONFIG_HOME": str(home),
        "LONGSHORE_URL": product.stack.api.url,
        "LONGSHORE_TOKEN": product.stack.user_token,
    }


def longshore(product: Product, home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command; imports use the source registry's account."""
    source = product.stack.source
    account = ("--username", source.username, "--password-stdin") if arguments[0] == "import" else ()
    return subprocess.run(
        [*COMMAND, *map(str, (*arguments, *account))],
        env=environment(product, home),
        input=f"{source.password}\n",
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_the_printed_reference_can_be_pulled(product: Product, tmp_path: Path) -> None:
    """The layers that a second image shares with the first are mounted, and the output says so."""
    layers = [2 * MIB, 30 * KIB]
    first = product.push(synthetic_image("command line", layers, shared=2))
    second = product.push(synthetic_image("command line", layers, shared=2))
    host = product.stack.source.host
    with product.workers():
        done = longshore(product, tmp_path, "import", f"{host}/{first}:latest")
        assert done.returncode == 0, done
        [image] = json.loads(longshore(product, tmp_path, "images", first, "--json").stdout)
        product.verify(image, first)
        assert done.stdout == f"{image['registryHost']}/{image['repo']}:latest\n"
        again = longshore(product, tmp_path, "import", f"{host}/{second}:latest")
        assert "mounted, 2.1 MB" in again.stderr
        there = longshore(product, tmp_path, "import", f"{host}/{first}:latest")
        assert (there.returncode, there.stdout) == (0, done.stdout)
        assert "nothing was imported" in there.stderr


def test_a_list_becomes_images(product: Product, tmp_path: Path) -> None:
    names = [product.push(synthetic_image(f"list {number}", [20_000])) for number in range(5)]
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{product.stack.source.host}/{name}:latest\n" for name in names))
    plan = longshore(product, tmp_path, "import", "-f", listed, "--dry-run")
    assert (plan.returncode, len(plan.stdout.splitlines())) == (0, 6)
    with product.workers():
        done = longshore(product, tmp_path, "import", "-f", listed, "--json")
    assert done.returncode == 0, done
    assert {entry["state"] for entry in json.loads(done.stdout)} == {"ready"}
    assert "5 images: 5 ready" in done.stderr


def test_an_image_is_deleted_after_a_yes(product: Product, tmp_path: Path) -> None:
    """The manifest is kept for the other tag, and deleted with the last one."""
    image = synthetic_image("deleted", [20_000])
    name = product.push(image, tag="1")
    product.push(image, name, tag="2")
    with product.workers():
        first, second = (product.start(name, tag) for tag in ("1", "2"))
        product.ready(first)
        product.ready(second)
    for image_id, answer, message in (
        (first, "n", "Nothing was deleted."),
        (first, "y", f"The same digest in this repository: 2 (image {second}). They stay"),
        (second, "y", "tag and manifest are gone from the target."),
    ):
        with in_terminal([*COMMAND, "delete", str(image_id)], environment(product, tmp_path), columns=200) as terminal:
            terminal.wait_for("Delete this image? [y/N]: ")
            terminal.type(f"{answer}\n")
            assert terminal.end() == (1 if answer == "n" else 0)
            assert message in terminal.output.decode()


def test_doctor_finds_the_product_well(product: Product, tmp_path: Path) -> None:
    done = longshore(product, tmp_path, "doctor")
    assert done.returncode == 0, done
    assert "✘" not in done.stdout
