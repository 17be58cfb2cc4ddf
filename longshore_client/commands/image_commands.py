"""`longshore images` and `show`."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from datetime import UTC, datetime

import click

from longshore_client.client import MAX_PAGE_SIZE, LongshoreClient
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.image_key import find_image
from longshore_client.commands.options import json_option
from longshore_client.commands.with_client import with_client
from longshore_client.images import FullImage, Image, ImageQuery
from longshore_client.import_details import ImportDetails, Layer
from longshore_client.terminal.figures import age, short_digest, size
from longshore_client.terminal.output import hint_text, note, print_json, results
from longshore_client.terminal.progress_text import layer_outcome, progress_line
from longshore_client.terminal.tables import Column, print_pairs, print_table

# One or two screens; --all lists more. Images.
DEFAULT_LIMIT = 50
_ORDERS = {
    "created": "createdTime",
    "name": "repo",
    "tag": "tag",
    "size": "size",
    "user": "userName",
    "status": "status",
}
_HIDDEN = "hidden, as the layers are: for the owner, admins, and users whose rules allow this source and target"
_COLUMNS = (
    Column(title="ID", justify="right", no_wrap=True),
    Column(title="IMAGE"),
    Column(title="STATUS", no_wrap=True),
    Column(title="SIZE", justify="right", no_wrap=True),
    Column(title="CREATED", no_wrap=True, min_width=72),
    Column(title="DIGEST", no_wrap=True, min_width=88),
    Column(title="USER", min_width=100),
    Column(title="SOURCE", min_width=150),
)


@click.command()
@click.argument("text", required=False)
@click.option("--ready/--not-ready", default=None, help="List only images that are ready, or only the others.")
@click.option("--user", metavar="NAME", help="List only the images of this user.")
@click.option(
    "--sort", type=click.Choice(list(_ORDERS)), default="created", show_default=True, help="The order of the list."
)
@click.option("--asc", is_flag=True, help="Sort in ascending order.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, show_default=True, help="The most images to list."
)
@click.option("--all", "everything", is_flag=True, help="List all images.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the ids.")
@json_option
def images(
    text: str | None,
    *,
    ready: bool | None,
    user: str | None,
    sort: str,
    asc: bool,
    limit: int,
    everything: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """List the images that Longshore manages.

    TEXT is a part of repository:tag.
    """
    query = ImageQuery(tag=text, ready=ready, user=user, order_by=_ORDERS[sort], descending=not asc)

    async def operation(client: LongshoreClient) -> ExitCode:
        found, total = await _collect(client, query, None if everything else limit)
        _print(found, quiet=quiet, as_json=as_json)
        if len(found) < total and not as_json:
            note(f"{len(found)} of {total} images; --all lists all.")
        return ExitCode.DONE

    return with_client(operation)


@click.command()
@click.argument("image", metavar="ID|NAME")
@click.option("--all-layers", is_flag=True, help="Show every layer, however many the image has.")
@json_option
def show(image: str, *, all_layers: bool, as_json: bool) -> int:
    """Show one image and its newest import, layer by layer."""

    async def operation(client: LongshoreClient) -> ExitCode:
        found = await find_image(client, image)
        details = await client.details(found.id)
        if all_layers and details.layers_summary.total > len(details.layers):
            details = await _with_all_layers(client, found.id, details)
        if as_json:
            print_json({"image": found.raw, "importingDetails": details.raw})
        else:
            print_pairs(results(), [*_image_pairs(found), *_import_pairs(details)])
            _print_layers(details)
        return ExitCode.DONE

    return with_client(operation)


async def _collect(client: LongshoreClient, query: ImageQuery, limit: int | None) -> tuple[Sequence[Image], int]:
    """Return the images up to the limit, and the number of all that match."""
    found: list[Image] = []
    total = 0
    async with aclosing(client.pages(query, size=min(limit or MAX_PAGE_SIZE, MAX_PAGE_SIZE))) as pages:
        async for page in pages:
            found, total = [*found, *page.images], page.total
            if limit and len(found) >= limit:
                break
    return found[:limit], total


def _print(found: Sequence[Image], *, quiet: bool, as_json: bool) -> None:
    if as_json:
        print_json([image.raw for image in found])
    elif quiet:
        for image in found:
            click.echo(image.id)
    elif found:
        now = datetime.now(UTC)
        print_table(results(), _COLUMNS, [_row(image, now) for image in found])
    else:
        note("No images.")


def _row(image: Image, now: datetime) -> Sequence[str]:
    return (
        str(image.id),
        image.name,
        image.status,
        size(image.size) if image.size else "",
        age(image.created, now),
        short_digest(image.digest),
        image.user,
        image.source,
    )


def _image_pairs(image: FullImage) -> Sequence[tuple[str, str]]:
    return (
        ("Image", str(image.id)),
        ("Reference", image.reference),
        ("By digest", _HIDDEN if image.content_hidden else image.digest_reference or ""),
        ("Status", image.status),
        ("Size", size(image.size) if image.size else ""),
        ("Platforms", ", ".join(image.platforms)),
        ("Contains", {"partial": "a chosen subset of platforms"}.get(image.include_type, "")),
        ("Referrers", str(image.referrers) if image.referrers else ""),
        ("Source", image.source),
        ("Source digest", image.source_digest or ""),
        ("Description", image.description),
        ("User", image.user),
        ("Created", image.created.astimezone().strftime("%Y-%m-%d %H:%M:%S") if image.created else ""),
    )


def _import_pairs(details: ImportDetails) -> Sequence[tuple[str, str]]:
    failure = details.error
    return (
        ("Import", f"{details.name}, {details.state}, attempt {details.attempt}"),
        ("Progress", progress_line(details) if details.bytes_total else ""),
        ("Message", details.message),
        ("Hint", hint_text(failure.code, failure.hint) if failure else ""),
        ("Code", f"{failure.code}, {failure.side}" if failure else ""),
    )


async def _with_all_layers(client: LongshoreClient, image_id: int, details: ImportDetails) -> ImportDetails:
    """Return the details with the layers of all pages."""
    document = dict(details.raw)
    async with aclosing(client.layers(image_id)) as layers:
        found = [layer async for layer in layers]
    document["layersDetail"] = {layer.digest: _layer_json(layer) for layer in found}
    document["layersSummary"] = {**details.raw["layersSummary"], "shown": len(found)}
    return ImportDetails.of(document)


def _layer_json(layer: Layer) -> Mapping[str, object]:
    return {name: value for name, value in asdict(layer).items() if name != "digest"}


def _print_layers(details: ImportDetails) -> None:
    columns = (
        Column(title="LAYER", no_wrap=True),
        Column(title="SIZE", justify="right", no_wrap=True),
        Column(title="DONE", justify="right", no_wrap=True),
        Column(title="HOW", no_wrap=True),
    )
    rows = [
        (short_digest(layer.digest), size(layer.size), f"{layer.progress} %", layer_outcome(layer) or layer.status)
        for layer in details.layers
    ]
    if rows:
        click.echo()
        print_table(results(), columns, rows)
    total = details.layers_summary.total
    if len(rows) < total:
        note(f"{len(rows)} of {total} layers, those that move first; --all-layers shows all.")
