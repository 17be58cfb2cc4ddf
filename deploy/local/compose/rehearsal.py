"""Runs the compose file as an operator does: start, token, imports, more workers, restarts, upgrade, removal."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

from rich.filesize import decimal

from deploy.local.commands.runner import Steps
from deploy.local.compose.debian_images import load_debian_images
from deploy.local.compose.docker import VERSION, Docker
from deploy.local.compose.hardening import SECRETS, check_containers, check_no_secret, process_status, read_secrets
from deploy.local.compose.project import SOURCE, SOURCE_HERE, TARGET, Project, expect, get
from deploy.local.images import seed
from deploy.local.images.synthetic import synthetic_image
from deploy.local.paths import CACHE, ROOT
from deploy.local.processes.scratch import LocalStackError, write
from deploy.local.processes.server import new_password
from deploy.local.servers.certificates import issue_certificate
from deploy.make_secrets import SERVICE_USER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from deploy.local.compose.engine import ComposeEngine
    from deploy.local.images.image import Image

PROMETHEUS = "127.0.0.1:9090"
SECURE = "https://127.0.0.1:443"
PROXY_USER = 101
ROBOT = "robot$longshore"
# The source registry has a private address and no TLS.
SETTINGS = f"ALLOWED_PRIVATE={SOURCE}\nPLAIN_HTTP_HOSTS={SOURCE}\n"
BASE = "python:3.11-slim-bookworm"
OURS = ("localhost/longshore/api:dev", "localhost/longshore/worker:dev")
# The registry of the next version, and the services that are updated from it.
NEXT = f"{TARGET}/longshore"
SERVICES = ("make-secrets", "migrate", "worker-token", "api", "worker")
LABEL = "next"
LASTING = ("postgres", "rabbitmq", "registry", "api", "worker")

WORKERS = 3
SMALL = [4 * 1024 * 1024]
IMAGES = 9
# Large enough to take seconds from a registry with so small a share of a processor.
LARGE = [96 * 1024 * 1024] * 4
SLOW, FAST = "0.05", "2"
# The progress of a started import. Per cent.
BEGUN = 5
# docker-registry 2.8 always exits with this status.
ENDS_WITH = {"registry": "2"}
# Seconds for two scrapes, and for the DNS lookup before the first.
SCRAPE_SECONDS = 90.0
LOG_LINES = "10"


class Rehearsal(Steps):
    """One run. A step raises LocalStackError if its check fails."""

    def __init__(self, console: Console, engine: ComposeEngine) -> None:
        super().__init__(console)
        self.engine = engine
        self.folder = engine.scratch.folder / "checkout" / "deploy"
        copy_checkout(self.folder.parent)
        # Compose reads this file by default: it is for an operator's additions.
        shutil.copy(self.folder / "local/compose/override.yaml", self.folder / "compose.override.yaml")
        configuration = engine.scratch.make_folder("docker-configuration")
        self.docker = Docker(engine.host, configuration=configuration, folder=self.folder)
        self.project = Project(self.docker)

    def run(self) -> None:
        """Run all steps."""
        self.build()
        self.start()
        self.first_import()
        self.harden()
        self.scale()
        self.restart()
        self.reboot()
        self.interrupt_import()
        self.upgrade()
        self.set_account()
        self.change_secrets()
        self.serve_tls()
        self.monitor()
        self.remove()

    def build(self) -> None:
        """Build both images from the Dockerfile while the engine reaches the package registries."""
        with self.step("Started a Docker Engine"):
            self.engine.start()
            version = self.docker("version", "--format", "engine {{.Server.Version}}, command {{.Client.Version}}")
        self.say(f"Docker {version}, compose {VERSION}")
        with self.step("Loaded substitutes for public images, built from Debian packages"):
            load_debian_images(self.docker, self.folder, cache=CACHE, work=self.engine.scratch.folder)
        write(self.folder / ".env", (self.folder / ".env.example").read_text() + SETTINGS)
        with self.step("docker compose build"):
            self.docker.compose("build")
        base = self.docker.inspect(BASE)[0]["Size"]
        for image in OURS:
            size = self.docker.inspect(image)[0]["Size"]
            self.say(
                f"{image}: {decimal(size)}, of which the base is {decimal(base)} and Longshore {decimal(size - base)}"
            )

    def start(self) -> None:
        """Start everything on an isolated network."""
        with self.step("Restarted the engine on an isolated network with bridges and a firewall"):
            self.engine.isolate()
            self.docker("network", "create", "outside")
            place = ("--name", "source", "--network", "outside", "--publish", f"{SOURCE_HERE}:5000")
            self.docker("run", "--detach", "--restart", "unless-stopped", *place, "registry:2.8.3")
        with self.step("docker compose up: every service is healthy"):
            self.docker.compose("up", "--detach", "--wait")
        with self.step("docker compose exec api longshore-api token create"):
            create = ("longshore-api", "token", "create", "--user", "newcomer", "--role", "user")
            self.project.token = self.docker.compose("exec", "-T", "api", *create)

    def first_import(self) -> None:
        """Import an image with the `longshore` command of the API's image, and read it back."""
        self.project.push(seed.REPOSITORY, seed.TAG, seed.demo_image(CACHE))
        source = f"{SOURCE}/{seed.REPOSITORY}:{seed.TAG}"
        with self.step(f"docker compose exec api longshore import {source}"):
            name = self.project.longshore("import", source)
        self.verify(seed.REPOSITORY, seed.TAG)
        with self.step(f"docker run {name}"):
            output = self.docker("run", "--rm", name)
        self.say(f"Its output: {output}")

    def verify(self, repository: str, tag: str) -> None:
        """Compare an imported image with the source's."""
        found = self.project.verify(repository, tag)
        read = f"{found.manifests} manifests, {found.blobs} blobs, {decimal(found.size)}"
        self.say(f"{repository} read back from the target: {read}, each equal to the source's")

    def harden(self) -> None:
        """Check the restrictions of the containers, and that no secret is in images or logs."""
        containers = self.docker.containers()
        with self.step("No container runs as root, has or can gain a capability, or is unlimited"):
            check_containers(containers)
        usage = self.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").splitlines()
        memory = dict(line.split(" ", 1) for line in usage)
        for container in containers:
            name = container["Name"].strip("/")
            user = process_status(container["State"]["Pid"])["Uid"].split()[0]
            self.say(f"{name}: user {user}, memory {memory[name]}")
        with self.step("No secret is in images, their history, the containers' configuration or logs"):
            secrets = read_secrets(self.engine.root / "volumes") | {"a user's token": self.project.token}
            searched = check_no_secret(self.docker, OURS, secrets)
        self.say(f"Searched {searched:,} characters for {len(secrets)} secrets: {', '.join(sorted(secrets))}")

    def scale(self) -> None:
        """Run three workers, and import images in parallel."""
        with self.step(f"docker compose up --scale worker={WORKERS}"):
            self.docker.compose("up", "--detach", "--wait", "--scale", f"worker={WORKERS}")
        if len(self.docker.containers("worker")) != WORKERS:
            raise LocalStackError(f"there are not {WORKERS} workers")
        names = [f"team/app{number}" for number in range(IMAGES)]
        for name in names:
            self.project.push(name, "1.0", image_of(name, SMALL))
        with self.step(f"longshore import of {IMAGES} images at once"):
            self.project.longshore("import", *(f"{SOURCE}/{name}:1.0" for name in names))
        self.verify(names[-1], "1.0")

    def restart(self) -> None:
        """Restart everything, and check that the imported images are still listed."""
        before = self.project.images()
        with self.step("docker compose restart"):
            self.docker.compose("restart")
            self.docker.compose("up", "--detach", "--wait", "--no-recreate", "--scale", f"worker={WORKERS}")
        if self.project.images() != before:
            raise LocalStackError("the list of images differs after a restart")

    def reboot(self) -> None:
        """Restart the engine, as a reboot does: without compose, and in no order."""
        before = self.project.images()
        with self.step("Restarted the engine: every service starts again and is healthy"):
            self.engine.isolate()
            expect(self.healthy, "every service's health")
        again = {one["Name"].strip("/"): one["RestartCount"] for one in self.docker.containers(*LASTING)}
        self.say(f"Restarted until their dependencies were up: {', '.join(sorted(filter(again.get, again))) or 'none'}")
        if self.project.images() != before:
            raise LocalStackError("the list of images differs after the engine's restart")
        with self.step("longshore doctor reports no problem"):
            self.project.longshore("doctor")

    def healthy(self) -> bool:
        """Return whether all long-running containers are healthy."""
        states = [container["State"] for container in self.docker.containers(*LASTING)]
        return all(state["Running"] and state["Health"]["Status"] == "healthy" for state in states)

    def interrupt_import(self) -> None:
        """Stop everything during an import, and start again."""
        name = "team/large"
        self.project.push(name, "1.0", image_of(name, LARGE))
        self.docker("update", "--cpus", SLOW, "source")
        image_id = int(self.project.longshore("import", "--no-wait", f"{SOURCE}/{name}:1.0"))
        expect(lambda: self.project.details(image_id)["progress"] >= BEGUN, "the start of a slow import")
        details, since = self.project.details(image_id), time.time()
        if details["status"] != "importing":
            raise LocalStackError("the import ended before it was interrupted")
        with self.step(f"docker compose down with an import at {details['progress']} %"):
            self.docker.compose("down")
        self.check_ends(since)
        with self.step("docker compose up: the import resumes and becomes ready"):
            self.docker("update", "--cpus", FAST, "source")
            self.docker.compose("up", "--detach", "--wait")
            self.project.finish(image_id)
        self.verify(name, "1.0")

    def check_ends(self, since: float) -> None:
        """Check that the containers exited after SIGTERM, without an error and before the engine would kill them."""
        form = "{{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}"
        span = ("--since", f"{since:.0f}", "--until", f"{time.time() + 1:.0f}")
        ends = self.docker("events", *span, "--filter", "event=die", "--format", form).splitlines()
        statuses = dict(line.rsplit(" ", 1) for line in ends)
        wrong = {name: status for name, status in statuses.items() if status != ENDS_WITH.get(name.split("-")[1], "0")}
        if wrong or not statuses:
            raise LocalStackError(f"unexpected exit statuses: {wrong or 'no container was seen to exit'}")
        self.say(f"All {len(statuses)} containers exited without an error")

    def upgrade(self) -> None:
        """Publish another version in a registry, and upgrade to it as an operator does."""
        for image in OURS:
            name = f"{NEXT}/{image.split('/')[2].partition(':')[0]}:next"
            self.docker.build("--tag", name, "-", stdin=f"FROM {image}\nLABEL {LABEL}=1\n")
            self.docker("push", name)
            self.docker("rmi", name)
        before = self.project.images()
        self.set(LONGSHORE_IMAGES=NEXT, LONGSHORE_VERSION="next")
        with self.step("docker compose pull && docker compose up: the next version runs"):
            self.docker.compose("pull", *SERVICES)
            self.docker.compose("up", "--detach", "--wait")
        labels = {container["Config"]["Labels"].get(LABEL) for container in self.docker.containers("api", "worker")}
        if labels != {"1"} or self.project.images() != before:
            raise LocalStackError(f"the next version does not run, or lists other images: {labels}")

    def set_account(self) -> None:
        """Configure an account at the target, whose password is a file that only the services can read."""
        password = self.folder / "target_password"
        write(password, new_password())
        os.chown(password, SERVICE_USER, SERVICE_USER)
        self.set(TARGET_USERNAME=f"'{ROBOT}'", TARGET_PASSWORD_FILE=f"./{password.name}")
        with self.step("docker compose up with an account at the target"):
            self.docker.compose("up", "--detach", "--wait")
        if self.docker.compose("exec", "-T", "api", "printenv", "TARGET_USERNAME") != ROBOT:
            raise LocalStackError("the account's name differs from .env")
        check_no_secret(self.docker, [], {"of the account": password.read_text()})

    def change_secrets(self) -> None:
        """Rotate the key of stored accounts, and replace the workers' token."""
        volumes = self.engine.root / "volumes"
        before = read_secrets(volumes)
        again = ("up", "--detach", "--wait", "--force-recreate")
        with self.step("Rotated the key of stored accounts"):
            self.docker.compose("run", "--rm", "make-secrets", "new-key")
            self.docker.compose(*again, "--no-deps", "api", "worker")
            self.docker.compose("exec", "-T", "api", "longshore-api", "rotate-secrets")
            self.docker.compose("run", "--rm", "make-secrets", "drop-old-keys")
            self.docker.compose(*again, "--no-deps", "api", "worker")
        with self.step("Replaced the workers' token"):
            self.docker.compose("run", "--rm", "--no-deps", "worker-token", "rm /run/longshore/worker/token")
            self.docker.compose(*again, "worker")
        changed = {name for name, secret in read_secrets(volumes).items() if secret != before[name]}
        if not changed >= {f"{SECRETS}services/secret_keys", f"{SECRETS}worker/token"}:
            raise LocalStackError(f"only these secrets have changed: {changed}")

    def serve_tls(self) -> None:
        """Start the TLS proxy, and import through it from outside with a certificate of a private authority."""
        folder = self.engine.scratch.make_folder("authority")
        authority, files = issue_certificate(folder)
        for file in (files.certificate, files.key):
            shutil.chown(file, PROXY_USER)
        self.set(
            COMPOSE_PROFILES="registry,tls", TLS_CERTIFICATE_FILE=str(files.certificate), TLS_KEY_FILE=str(files.key)
        )
        with self.step("docker compose up with the profile tls"):
            self.docker.compose("up", "--detach", "--wait")
        name = "team/secure"
        self.project.push(name, "1.0", image_of(name, SMALL))
        with self.step(f"longshore import from outside, LONGSHORE_URL={SECURE}"):
            self.project.longshore_outside("import", f"{SOURCE}/{name}:1.0", url=SECURE, authority=authority)
        self.verify(name, "1.0")

    def set(self, **settings: str) -> None:
        """Append settings to .env, as an operator does; later lines override earlier ones."""
        with (self.folder / ".env").open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in settings.items())

    def monitor(self) -> None:
        """Start Prometheus, and check that it scrapes every process and accepts the alert rules."""
        with self.step("docker compose --profile monitoring up prometheus: it scrapes the API and the worker"):
            self.docker.compose("--profile", "monitoring", "up", "--detach", "--wait", "prometheus")
            expect(scraped, "Prometheus' targets", seconds=SCRAPE_SECONDS)
        groups = get(PROMETHEUS, "/api/v1/rules")["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        if not rules or any(rule["health"] == "err" for rule in rules):
            raise LocalStackError(f"Prometheus does not accept the alert rules: {rules}")
        self.say(f"Prometheus has {len(rules)} alert rules")

    def remove(self) -> None:
        """Remove everything."""
        with self.step("docker compose down --volumes leaves nothing"):
            self.docker.compose("--profile", "*", "down", "--volumes")
        ours = ("--quiet", "--filter", "label=com.docker.compose.project=longshore")
        left = self.docker("volume", "ls", *ours) + self.docker("ps", "--all", *ours)
        if left:
            raise LocalStackError(f"these volumes and containers are left: {left}")

    def show_logs(self) -> None:
        """Print the ends of the containers' logs, which are removed with the engine."""
        if self.engine.alive:
            self.console.print(self.docker.compose("ps", "--all"), markup=False)
            self.console.print(self.docker.compose("logs", "--no-color", "--tail", LOG_LINES), markup=False)


def scraped() -> bool:
    """Return whether Prometheus scrapes the API and the worker."""
    targets = get(PROMETHEUS, "/api/v1/targets")["data"]["activeTargets"]
    jobs = {target["labels"]["job"] for target in targets if target["health"] == "up"}
    return jobs == {"longshore-api", "longshore-worker"}


def image_of(name: str, layers: Sequence[int]) -> Image:
    """Return a synthetic image for one platform."""
    return synthetic_image(name, layers, platforms=["linux/amd64"], index=False)


def copy_checkout(folder: Path) -> None:
    """Copy the files of a release, without generated files and without an operator's .env."""
    ignored = shutil.ignore_patterns(".env", ".git", ".venv", ".cache", ".run", ".*_cache", "__pycache__", "tests")
    shutil.copytree(ROOT, folder, ignore=ignored)
