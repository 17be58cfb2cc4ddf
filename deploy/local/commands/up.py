"""`make up`: start the stack in the background and print its addresses."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from rich.console import Console
from rich.markup import escape

from deploy.local.commands import run_folder
from deploy.local.images import seed
from deploy.local.paths import ROOT

# Seconds until everything must be ready. The first start downloads the packages for the demo image.
START_SECONDS = 600.0
POLL_SECONDS = 0.1


def main() -> int:
    """Start the stack unless it is running, and print the addresses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--target", choices=("registry", "harbor"), default="registry")
    options = parser.parse_args()
    workers = options.workers
    console = Console(soft_wrap=True, highlight=False)
    if workers < 0:
        console.print("[red]✘[/] WORKERS must not be negative")
        return 2
    already = run_folder.is_up()
    if already:
        console.print("The stack is already running; `make down` stops it.")
    elif not started(console, workers, ["--harbor"] if options.target == "harbor" else []):
        console.print(f"[red]✘[/] The stack did not start:\n{escape(run_folder.KEEPER_LOG.read_text())}")
        return 1
    if not wait_for_description():
        console.print("The stack is still starting or stopping.")
        return 1
    explain(console, json.loads(run_folder.DESCRIPTION.read_text()))
    return 0


def started(console: Console, workers: int, options: list[str]) -> bool:
    """Start a keeper and wait until the stack runs; returns False if the keeper ended instead."""
    run_folder.clear()
    run_folder.FOLDER.mkdir(mode=0o700, exist_ok=True)
    with run_folder.KEEPER_LOG.open("w") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "deploy.local.commands.keeper", "--workers", str(workers), *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    begun = time.monotonic()
    try:
        with console.status("starting PostgreSQL, RabbitMQ, two registries, the API and the workers"):
            while not run_folder.DESCRIPTION.exists():
                if keeper.poll() is not None or time.monotonic() - begun > START_SECONDS:
                    keeper.terminate()
                    return False
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        keeper.terminate()
        raise
    console.print(f"[green]✔[/] Up in {time.monotonic() - begun:.1f} s, {workers} worker(s).")
    return True


def wait_for_description() -> bool:
    """Wait until the stack that another command is starting is ready."""
    limit = time.monotonic() + START_SECONDS
    while not run_folder.DESCRIPTION.exists():
        if time.monotonic() > limit or not run_folder.is_up():
            return False
        time.sleep(POLL_SECONDS)
    return True


def explain(console: Console, stack: dict[str, Any]) -> None:
    """Print the addresses, and commands to try."""
    source, broker = stack["source_registry"], stack["rabbitmq"]
    image = f"$SOURCE/{seed.REPOSITORY}:{seed.TAG}"
    lines = (
        f"API              {stack['api']}",
        f"source registry  {source['url']}  (user {source['username']}, password {source['password']})",
        f"target registry  {stack['target_registry']['url']}",
        f"RabbitMQ         {broker['management']}  (user {broker['username']}, password {broker['password']})",
        f"PostgreSQL       {stack['database']}",
        f"everything       {run_folder.DESCRIPTION}",
        "",
        "Import the demo image, and list the images:",
        f"  . {run_folder.ENVIRONMENT}",
        f'  echo "$SOURCE_PASSWORD" | longshore import {image} --username $SOURCE_USERNAME --password-stdin',
        "  longshore images",
        "",
        "The same over HTTP: docs/guide-api.md. To stop the stack: make down",
    )
    console.print("\n".join(lines), markup=False)


if __name__ == "__main__":
    sys.exit(main())
