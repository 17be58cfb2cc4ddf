"""Descriptions of the fields of requests; the schemas only validate."""

from collections.abc import Mapping

_CLAIM_TOKEN = "The random token of the worker's claim; absent from workers of earlier releases."  # noqa: S105 - words
_DIGEST = "`sha256:` and 64, or `sha512:` and 128 hexadecimal digits."
_ACCOUNT = "The account's name."
_PASSWORD = "The account's password or token; encrypted at rest, never shown again."  # noqa: S105 - words
_REGISTRY_NAME = "The name that imports use: letters, digits, `.`, `_` and `-`."
_URL = "`https://host[:port]`; plain http only for hosts that the operator has listed."
_DEFAULT = "Whether it is the registry of sources that name none; at most one is the default."

_RULE = {
    "name": "The rule's name, which refusals and dry runs show; unique.",
    "subjects": "`everybody`, `user:NAME` or `group:NAME`; NAME is the subject, as `whoami` shows it.",
    "sources": "Patterns of `host/repository`, such as `quay.io/**`.",
    "targets": "Patterns of `project/repository`. `{user}` and `{group}` stand for the caller's, `{defaultProject}` "
    "and `{source}` for the parts of the name that an import gets without `target`.",
    "createProjects": "Whether missing projects of the target are created.",
    "overwriteForeignTags": "Whether `force` replaces tags that Longshore did not write.",
    "maxImageBytes": "The limit of one image, in bytes.",
    "maxOpenImports": "The limit of each user's imports that are queued, running or waiting.",
    "maxBytesPerMonth": "The limit of each user's bytes in a calendar month, UTC.",
    "weight": "While imports of several users wait, how many of a user run for each one of a user with weight 1. "
    "Default: 1. A change holds for imports that are accepted from then on.",
}

WORDS: Mapping[str, Mapping[str, str]] = {
    "ImageQuery": {
        "page_num": "The page, counted from 0.",
        "page_size": "The number of images on a page.",
        "orderBy": "The field to order by.",
        "order": "The direction.",
        "tag": "Only images with this text in `repository:tag`, in any case; `%` and `_` mean themselves.",
        "ready": "Only ready images, or only the others.",
        "userName": "Only this user's images; the full name.",
        "flat": "One object per image, instead of groups by repository.",
    },
    "AuditQuery": {
        "userName": "Only this user's requests; the full name, as the events show it.",
        "operation": "Only this operation, such as `importImage`.",
        "object": "Only this object, such as `imports/app:1.0`.",
        "code": "Only requests that ended with this error code.",
        "refused": "Only requests that ended with an error code, or only the others.",
        "since": "Only events at this time or later.",
        "until": "Only events before this time.",
        "before": "Only events before the one with this id: the previous page's `nextBefore`.",
        "page_size": "The number of events on a page.",
    },
    "DetailsQuery": {
        "page_num": "A page of the layers, counted from 0; without it, the layers that move.",
        "page_size": "The number of layers on a page.",
    },
    "Import": {
        "source": "The image to import, as for `docker pull`: `[registry/]repository[:tag][@digest]`.",
        "sourceRegistry": "The registry of a source that names none; must be the same if the source names one.",
        "target": "`project/repository:tag` in the target. Default: default project, source host, source repository.",
        "platforms": "The platforms of an index to import; default: all.",
        "credentials": "An account of the source registry, or the name of a stored one.",
        "description": "Shown in lists. Default: the image's own description.",
        "force": "Import even if the target has the image, or replace another image there.",
        "dryRun": "Report what the import would do, and do nothing.",
        "referrers": "Whether to import signatures, SBOMs and the like; default: the operator's setting.",
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
    "RuleCheck": {
        "source": "The image, as in the request to import it.",
        "target": "The target, as in the request to import it.",
        "user": "Admins only: the user to check for, instead of the caller.",
        "groups": "The groups of that user.",
    },
    "NewRule": _RULE,
    "RuleChange": _RULE | {name: f"{_RULE[name]} Null removes it." for name in _RULE if name.startswith("max")},
    "NewToken": {
        "description": "A line that says what the token is for.",
        "expiresInDays": "Its lifetime. Default, and the most for your own: the operator's setting API_TOKEN_DAYS.",
        "userName": "Admins: the user of the token, whom only API tokens name. Default: you.",
        "role": "At most your own role, which is the default; for another user, `user` is.",
        "groups": "Admins: its groups. Default: a copy of yours; for another user, none.",
    },
    "TokenQuery": {
        "all": "Tokens of all users; for admins.",
        "userName": "Only tokens with this user's name.",
        "state": "Only tokens in this state.",
        "page_num": "The page, counted from 0.",
        "page_size": "The number of tokens on a page.",
    },
    "ProgressReport": {
        "version": "The version of the report's form.",
        "attempt": "The attempt that the worker claimed: the fence.",
        "claimToken": _CLAIM_TOKEN,
        "sequence": "The number of the report within the attempt; an older report changes nothing.",
        "state": "The worker's step; with `tagging` it requests permission to write the tag.",
        "layers": "By digest, the layers that changed since the last answered report.",
        "sourceDigest": f"The digest being copied; later attempts copy the same. {_DIGEST}",
        "tagDigest": f"The digest that the tag will point to. {_DIGEST}",
        "error": "Why the attempt ended.",
        "content": "The image that the target serves now.",
    },
    "AttemptStart": {
        "version": "The version of the request's form.",
        "attempt": "The attempt that the worker claimed.",
        "claimToken": _CLAIM_TOKEN,
    },
    "ImageAdmission": {
        "version": "The version of the request's form.",
        "attempt": "The attempt that the worker claimed.",
        "claimToken": _CLAIM_TOKEN,
        "bytes": "The size of the image: all its blobs and manifests.",
    },
    "ReportedLayer": {
        "size": "Bytes.",
        "offset": "Bytes received, at most `size`.",
        "status": "The state of the blob.",
        "transfer": "How the target got it.",
    },
    "ReportedError": {
        "code": "From the closed list of codes.",
        "detail": "One sentence about this case.",
        "retryAfter": "Seconds, if the other side sent them.",
    },
    "ReportedContent": {
        "sourceDigest": _DIGEST,
        "digest": f"The digest that the tag points to. {_DIGEST}",
        "size": "Bytes of all distinct blobs and manifests.",
        "architecture": "Of the linux/amd64 image if there is one, else of the first.",
        "os": "As for `architecture`.",
        "platforms": "Of every part.",
        "includeType": "The whole image, or a chosen subset.",
        "description": "The image's own.",
        "referrers": "The number of imported referrers.",
        "note": "Anything unexpected for people, such as a signature that was left out.",
    },
}
