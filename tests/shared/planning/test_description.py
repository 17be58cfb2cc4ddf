"""An image's own description, which is used unless a user gives one."""

import json
from typing import Any

import pytest

from deploy.local.images.image import OCI, Image, Manifest, encode, index_of, memory_blob, platform_manifest
from shared.planning.image_config import DESCRIPTION, MAX_DESCRIPTION_LENGTH
from shared.planning.make_plan import make_plan
from shared.planning.plan import ImportPlan
from tests.import_worker.ends import DictSource

Labels = dict[str, Any] | None


def annotated(manifest: Manifest, annotations: Labels) -> Manifest:
    document = json.loads(manifest.body) | ({} if annotations is None else {"annotations": annotations})
    return Manifest(media_type=manifest.media_type, body=encode(document))


def single(*, annotation: Labels = None, label: Any = None, platform: str = "linux/amd64") -> Image:
    """Make an image without an index."""
    layer = memory_blob(OCI.tar, b"layer")
    manifest, config = platform_manifest(platform, [layer], created="2024-01-01T00:00:00Z", config={"Labels": label})
    return Image(root=annotated(manifest, annotation), children=(), blobs=(layer, config))


def multiple(*, annotation: Labels = None, children: dict[str, Image]) -> Image:
    index = index_of({platform: child.root for platform, child in children.items()})
    blobs = {blob.digest: blob for child in children.values() for blob in child.blobs}
    manifests = tuple(child.root for child in children.values())
    return Image(root=annotated(index, annotation), children=manifests, blobs=tuple(blobs.values()))


def named(text: Any) -> dict[str, Any]:
    return {"other": "x", DESCRIPTION: text}


async def plan(image: Image) -> ImportPlan:
    source = DictSource(image)
    return await make_plan(source, await source.resolve(), ())


async def described(image: Image) -> str:
    return (await plan(image)).description


async def test_a_label_in_the_config_describes_an_image() -> None:
    """Dockerfiles put the description there."""
    assert await described(single(label=named("A tool"))) == "A tool"


async def test_an_annotation_goes_before_the_label() -> None:
    """The annotation is more recent, and closer to the image."""
    assert await described(single(annotation=named("Annotated"), label=named("Labelled"))) == "Annotated"


async def test_an_index_is_described_by_itself_then_by_the_platform_that_is_shown() -> None:
    arm = single(label=named("For ARM"), platform="linux/arm64")
    children = {"linux/arm64": arm, "linux/amd64": single(annotation=named("For AMD"), label=named("Labelled"))}
    assert await described(multiple(annotation=named("For all"), children=children)) == "For all"
    assert await described(multiple(children=children)) == "For AMD"
    children["linux/amd64"] = single(label=named("Labelled"))
    assert await described(multiple(children=children)) == "Labelled"
    assert await described(multiple(children={"linux/arm64": arm})) == "For ARM"


@pytest.mark.parametrize("nothing", [None, {}, [], "text", named(None), named(5), named(""), named(["A tool"])])
async def test_what_does_not_describe_is_left_out(nothing: Any) -> None:
    assert await described(single(annotation=nothing, label=nothing)) == ""
    assert await described(single(annotation=nothing, label=named("Labelled"))) == "Labelled"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\t ", "two\nlines\t".strip()),
        ("a\0b\x07c\x1b[31m", "abc[31m"),
        ("half a pair: \ud800.", "half a pair: ."),
        ("turned \u202e around", "turned  around"),
        ("x" * (MAX_DESCRIPTION_LENGTH + 1), "x" * MAX_DESCRIPTION_LENGTH),
    ],
)
async def test_only_harmless_text_comes_through(text: str, shown: str) -> None:
    """The image's author is untrusted: the text is cut to the API's limit, and made safe to store and send."""
    found = await described(single(label=named(text)))
    assert found == shown
    found.encode()


async def test_an_index_of_nothing_has_a_plan() -> None:
    """An empty index is unusual but valid: the plan contains only the index."""
    found = await plan(multiple(children={}))
    assert (found.blobs, found.platforms, found.description, len(found.manifests)) == ((), (), "", 1)
