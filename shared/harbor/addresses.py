"""Writes names into the paths of Harbor's API.

Sources: the API description of Harbor 2.x ("If it contains slash, encode it twice over": a/b, a%2Fb, a%252Fb) and its
handlers, which decode the repository's name once more than everything else. A name that was encoded only once is split
at its slashes when the path is first decoded, and then names nothing.
"""

from urllib.parse import quote

from shared.oci.reference import MAX_NAME_LENGTH

# The root of Harbor's API on its host.
API = "/api/v2.0"


def split_repository(name: str) -> tuple[str, str]:
    """Split the registry's name `project/rest` into Harbor's project and the repository's name in it.

    Raises ValueError where there is no project: Harbor has no repositories outside of projects.
    """
    project, slash, rest = name.partition("/")
    if not project or not slash or not rest:
        raise ValueError(f"{name[:MAX_NAME_LENGTH]!r} names no Harbor project (project/repository)")
    return project, rest


def segment(value: str) -> str:
    """Encode one path segment: a project, a tag, a digest."""
    # A segment of dots alone means a step up the path, even when it is encoded.
    if not value or not value.strip("."):
        raise ValueError(f"{value!r} cannot stand in a path")
    return quote(value, safe=":")


def repository_segment(name: str) -> str:
    """Encode a repository's name, without its project, twice."""
    return quote(segment(name), safe=":")


def project_path(project: str) -> str:
    return f"/projects/{segment(project)}"


def artifacts_path(project: str, repository: str) -> str:
    return f"{project_path(project)}/repositories/{repository_segment(repository)}/artifacts"
