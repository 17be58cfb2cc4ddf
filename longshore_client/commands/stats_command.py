"""`longshore stats`: the target's figures, and the number of images that Longshore manages."""

import click

from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.options import json_option
from longshore_client.commands.with_client import with_client
from longshore_client.images import ImageQuery
from longshore_client.terminal.figures import size
from longshore_client.terminal.output import note, print_json, results
from longshore_client.terminal.tables import print_pairs

_SCOPES = {
    "target": "everything in the target",
    "visible": "the part of the target that Longshore's account can see",
    "managed": "the images that Longshore manages",
}


@click.command()
@json_option
def stats(*, as_json: bool) -> int:
    """Show the figures of the target."""

    async def operation(client: LongshoreClient) -> ExitCode:
        figures = await client.statistics()
        if as_json:
            print_json(figures.raw)
            return ExitCode.DONE
        managed = (await client.page(ImageQuery(), size=1)).total
        ready = (await client.page(ImageQuery(ready=True), size=1)).total
        as_of = figures.as_of.astimezone().strftime("%Y-%m-%d %H:%M:%S") if figures.as_of else ""
        pairs = (
            ("Projects", str(figures.projects)),
            ("Images", str(figures.images)),
            ("Size", size(figures.size)),
            ("Counted", _SCOPES.get(figures.scope, figures.scope)),
            ("As of", as_of),
            ("Managed here", f"{managed}, {ready} of them ready"),
        )
        print_pairs(results(), pairs)
        if figures.message:
            note(figures.message)
        return ExitCode.DONE

    return with_client(operation)
