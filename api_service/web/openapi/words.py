"""What the fields of requests mean, in words for their readers; the schemas themselves only check."""

from collections.abc import Mapping

_DIGEST = "`sha256:` and 64, or `sha512:` and 128 hexadecimal digits."
_ACCOUNT = "The account's name."
_PASSWORD = "The account's password or token; encrypted at rest, never shown again."  # noqa: S105 - words
_REGISTRY_NAME = "What imports name it by: letters, digits, `.`, `_` and `-`."
_URL = "`https://host[:port]`; plain http only for hosts that the operator has listed."
_DEFAULT = "Whether it stands in front of sources that name no registry; one is the default at most."

WORDS: Mapping[str, Mapping[str, str]] = {
    "ImageQuery": {
        "page_num": "Which page, counted from 0.",
        "page_size": "How many images a page has.",
        "orderBy": "What the images are ordered by.",
        "order": "In which direction.",
        "tag": "Only images with this text in `repository:tag`, in any case; `%` and `_` mean themselves.",
        "ready": "Only ready images, or only the others.",
        "userName": "Only this user's images; the whole name.",
        "flat": "One object an image, instead of grouped by repository.",
    },
    "Import": {
        "source": "What to import, as for `docker pull`: `[registry/]repository[:tag][@digest]`.",
        "sourceRegistry": "Stands in front of a source that names no registry; must be the same where it names one.",
        "target": "Where to: `project/repository:tag`. Else the default project, the source's host and its repository.",
        "platforms": "Which platforms of an index; all of them where nothing is said.",
        "credentials": "An account of the source registry, or the name of a stored one.",
        "description": "Shown in lists. Else the image's own description.",
        "force": "Import although the image is there, or replace another one in the target.",
        "dryRun": "Say what would be done, and do nothing.",
        "referrers": "Whether signatures, SBOMs and the like come along; the operator's choice where nothing is said.",
    },
    "Credentials": {"username": _ACCOUNT, "password": "The account's password or token."},
    "Retry": {"credentials": "An account of the source registry, or the name of a stored one."},
    "NewRegistry": {
        "name": _REGISTRY_NAME,
        "url": _URL,
        "username": _ACCOUNT,
        "password": _PASSWORD,
        "isDefault": _DEFAULT,
    },
    "RegistryChange": {
        "name": _REGISTRY_NAME,
        "url": _URL,
        "username": f"{_ACCOUNT} Null removes the account.",
        "password": f"{_PASSWORD} Null removes the account.",
        "isDefault": _DEFAULT,
    },
    "ProgressReport": {
        "version": "The report's form.",
        "attempt": "The attempt that the worker claimed: the fence.",
        "sequence": "Counts the attempt's reports; an older one changes nothing.",
        "state": "What the worker does; with `tagging` it asks for leave to write the tag.",
        "layers": "By digest, those that changed since the last report that was answered.",
        "sourceDigest": f"What is being copied; later attempts stay with it. {_DIGEST}",
        "tagDigest": f"What the tag is going to point to. {_DIGEST}",
        "error": "Why the attempt ended.",
        "content": "What the target serves now.",
    },
    "ReportedLayer": {
        "size": "Bytes.",
        "offset": "Bytes that have arrived, at most `size`.",
        "status": "Where the blob stands.",
        "transfer": "How it came to be in the target.",
    },
    "ReportedError": {
        "code": "From the closed list of codes.",
        "detail": "One sentence about this case.",
        "retryAfter": "Seconds, where the other side gave them.",
    },
    "ReportedContent": {
        "sourceDigest": _DIGEST,
        "digest": f"What the tag points to. {_DIGEST}",
        "size": "Bytes of all distinct blobs and manifests.",
        "architecture": "Of the linux/amd64 image if there is one, else of the first.",
        "os": "As for `architecture`.",
        "platforms": "Of every part.",
        "includeType": "The whole image, or a chosen subset.",
        "description": "The image's own.",
        "referrers": "How many artifacts that refer to it came along.",
        "note": "What is not as people may expect, such as a signature that was left out.",
    },
}
