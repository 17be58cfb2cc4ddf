"""`make demo`: start everything, import an image, list it and verify it.

Run as `python -m deploy.local.commands.demo [SOURCE]`; the exit status is 0 only if every check passed.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from deploy.local.commands.details import follow
from deploy.local.commands.progress import short, view_for
from deploy.local.commands.runner import Steps, new_console, run_to_end
from deploy.local.images import seed
from deploy.local.images.verify import Place, verify
from deploy.local.paths import CACHE
from deploy.local.stack import Harbor, LocalStackError, Remote, Scratch, Stack

# Seconds for the import itself: the demo's own image takes one or two, an image from the internet as long as the line
# needs.
IMPORT_SECONDS = 1800.0

HTTP_OK = 200
STARTED = 1

IMAGE_COLUMN = "image in the target"


class RefusedError(LocalStackError):
    """The API answered with a problem, whose hint says what to do."""


class Demo(Steps):
    """One run. A step raises LocalStackError if its check fails."""

    def __init__(self, console: Console, stack: Stack, source: str | None) -> None:
        super().__init__(console)
        self.stack = stack
        self.own_image = source is None
        self.source = source or f"{stack.source.host}/{seed.REPOSITORY}:{seed.TAG}"

    def run(self) -> None:
        """Run all steps."""
        target = "a Harbor stand-in" if isinstance(self.stack.target, Harbor) else "a target registry"
        with self.step(f"Started PostgreSQL, RabbitMQ, a source registry, {target}, the API and a worker"):
            self.stack.start()
        if self.own_image:
            with self.step("Pushed an image for two platforms to the private source registry"):
                Remote.of(self.stack.source).push(seed.REPOSITORY, seed.TAG, seed.demo_image(CACHE))
        image_id = self.post()
        self.follow(image_id)
        artifact, repository = self.list(image_id)
        self.verify(artifact, repository)
        with self.step("Stopped the services and the servers"):
            self.stop()

    def post(self) -> int:
        """Request the import and return the image's id."""
        request: dict[str, Any] = {"source": self.source}
        if self.own_image:
            request["credentials"] = {"username": self.stack.source.username, "password": self.stack.source.password}
        answer = self.ask("POST", "/api/v1/images:import", request)
        if answer["state"] != STARTED:
            raise LocalStackError(f"the import did not start: {answer}")
        self.say(f"POST /api/v1/images:import {self.source}: {answer['message'].lower()}")
        return int(answer["imageId"])

    def follow(self, image_id: int) -> None:
        """Show the layers until the import has ended, and check that it is ready."""
        with view_for(self.console) as view:
            for details in follow(self.stack.api.url, self.stack.user_token, image_id, seconds=IMPORT_SECONDS):
                view.show(details)
        if details["status"] != "ready":
            raise LocalStackError(f"the import failed: {details['error'] or details['message']}")
        unfinished = [digest for digest, layer in details["layersDetail"].items() if layer["progress"] != 100]  # noqa: PLR2004
        if unfinished or not details["layersDetail"]:
            raise LocalStackError(f"the image is ready, but its layers are not at 100 %: {unfinished}")
        self.say(f"Imported: {len(details['layersDetail'])} blobs, {decimal(details['bytesTotal'])}")

    def list(self, image_id: int) -> tuple[dict[str, Any], str]:
        """Show the API's list, and return the imported artifact and its repository."""
        listed = self.ask("GET", "/api/v1/images")
        rows = [(group, artifact) for group in listed["images"] for artifact in group["artifacts"]]
        self.console.print()
        self.console.print(image_table(rows))
        self.console.print()
        for group, artifact in rows:
            if artifact["id"] == image_id:
                return artifact, group["repo"]
        raise LocalStackError(f"the list does not hold image {image_id}")

    def verify(self, artifact: dict[str, Any], repository: str) -> None:
        """Read the image back from the target without the product's code, and compare every byte."""
        target = Place(remote=Remote.of(self.stack.target), repository=repository)
        source = Place(remote=Remote.of(self.stack.source), repository=seed.REPOSITORY) if self.own_image else None
        expected = [artifact["digest"]]
        with self.step("GET /v2/…/manifests: the tag in the target points to the digest that the API lists"):
            expected.append(target.remote.manifest(repository, artifact["imageTag"]).digest)
            if source is not None:
                expected.append(source.remote.manifest(seed.REPOSITORY, seed.TAG).digest)
            if len(set(expected)) != 1:
                raise LocalStackError(f"the digests in the list, the target and the source differ: {expected}")
        against = "each equal to the source's" if source else "each hashed to its digest"
        started = time.monotonic()
        found = verify(artifact["digest"], target, source)
        counted = f"{found.manifests} manifests, {found.blobs} blobs, {decimal(found.size)}"
        self.say(f"Read back from the target: {counted}, {against}", f"{time.monotonic() - started:.1f} s")

    def stop(self) -> None:
        """Stop everything; the services must exit after SIGTERM without an error."""
        self.stack.stop()
        for service in (*self.stack.workers, self.stack.api):
            if service.process is None or service.process.status() != 0:
                raise LocalStackError(f"{service.name} did not exit with status 0 after SIGTERM")

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Call the API as the demo's user."""
        status, answer = self.stack.api.request(method, path, self.stack.user_token, body)
        if status != HTTP_OK:
            reason = " ".join(answer[part] for part in ("detail", "hint") if answer.get(part))
            raise RefusedError(f"{method} {path}: {status} {answer['code']}\n  {reason}")
        return answer


def image_table(rows: list[tuple[dict[str, Any], dict[str, Any]]]) -> Table:
    """Return the images of the API's list as a table."""
    table = Table(
        title="GET /api/v1/images", title_justify="left", title_style="", box=SIMPLE, show_edge=False, pad_edge=False
    )
    for heading in ("id", IMAGE_COLUMN, "status", "size", "digest"):
        table.add_column(heading, overflow="fold", no_wrap=heading != IMAGE_COLUMN)
    for group, artifact in rows:
        image = f"{group['repo']}:{artifact['imageTag']}"
        cells = (artifact["status"], decimal(artifact["size"]), short(artifact["digest"]))
        table.add_row(str(artifact["id"]), image, *cells)
    return table


def main() -> int:
    """Run the demo and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=("registry", "harbor"), default="registry")
    parser.add_argument("source", nargs="?")
    options = parser.parse_args()
    console = new_console()
    return run_to_end(console, lambda: run_demo(console, options.source, harbor=options.target == "harbor"))


def run_demo(console: Console, source: str | None, *, harbor: bool) -> None:
    """Run the demo on a stack of its own; if a check fails, print the ends of the services' logs."""
    with Scratch() as scratch:
        stack = Stack(scratch, harbor=harbor)
        try:
            Demo(console, stack, source).run()
        except RefusedError:
            raise
        except LocalStackError:
            show_logs(console, stack)
            raise


def show_logs(console: Console, stack: Stack) -> None:
    """Print the ends of the services' logs, which are removed with the stack."""
    for service in (stack.api, *stack.workers):
        if service.process is not None:
            console.print(f"--- {service.process.log}", style="dim")
            console.print(service.process.tail(), highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(main())
