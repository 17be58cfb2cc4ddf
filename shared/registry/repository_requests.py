"""The requests of the OCI distribution specification that Longshore makes to one repository, as data.

Each method is an endpoint of the specification (v1.1, "Endpoints"). It returns the request with the statuses that
count as success and the words for an error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, Unpack
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from shared.errors.codes import Side
from shared.http_client.body import Body, StreamedBody
from shared.http_client.locations import origin
from shared.http_client.request import OK
from shared.http_client.session import STREAM_TIMEOUT
from shared.http_client.wire import MAX_ERROR_BODY_SIZE
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.reference import MAX_NAME_LENGTH
from shared.registry.auth import Account
from shared.registry.download import range_header
from shared.registry.manifests import check_reference
from shared.registry.pages import MAX_TAG_PAGE_SIZE, REFERRERS_STATUSES, TAGS_PER_PAGE
from shared.registry.request import NO_SCOPES, RegistryRequest, Resource
from shared.registry.scopes import DELETE, PULL, PULL_PUSH, Scopes
from shared.registry.uploads import UploadSession, with_digest

OK_OR_MISSING = frozenset({200, 404})
# Some registries do not support HEAD for manifests; GET is then used instead.
HEAD_STATUSES = frozenset({200, 404, 405, 501})
OK_OR_PARTIAL = frozenset({200, 206})
CREATED = frozenset({201})
ACCEPTED = frozenset({202})
# The specification says 202; go-containerregistry also accepts the other two, which some registries send.
APPENDED = frozenset({201, 202, 204})
MOUNTED_OR_ACCEPTED = CREATED | ACCEPTED
SESSION_FOUND = frozenset({204})
# The specification says 201; older registries send the other two.
PUSHED = frozenset({200, 201, 202})
UPLOAD_CANCELLED = frozenset({200, 202, 204})
# 404: the session is gone already. 405: the registry only lets sessions expire.
CANCELLED = UPLOAD_CANCELLED | {404, 405}
DELETED = frozenset({200, 202, 204, 404})
OCTET_STREAM = {"Content-Type": "application/octet-stream"}
# Every name that references allow; checked again here, because the name becomes part of an address.
_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")

# The path of an upload below a repository's blobs; without %, so that no server reads another path in it. GHCR says
# `upload`, all others `uploads`.
_UPLOAD = re.compile(r"uploads?/[A-Za-z0-9_~=+:@-][A-Za-z0-9._~=+:@-]*")


def check_name(name: str) -> str:
    """Return the repository's name, or raise ValueError."""
    if len(name) > MAX_NAME_LENGTH or _NAME.fullmatch(name) is None:
        raise ValueError(f"{name[:100]!r} is not a repository name")
    return name


class RequestParts(TypedDict, total=False):
    """The fields of a request that only some endpoints set."""

    headers: Mapping[str, str]
    body: bytes | StreamedBody | Body | None
    bulk: bool
    accepts: frozenset[int]
    limit: int
    timeout: aiohttp.ClientTimeout


@dataclass(frozen=True, slots=True)
class RepositoryRequests:
    """Builds the requests to one repository under one account."""

    account: Account
    name: str

    def head_manifest(self, reference: str) -> RegistryRequest:
        return self._read_manifest("HEAD", reference, HEAD_STATUSES)

    def get_manifest(self, reference: str, accepts: frozenset[int] = OK) -> RegistryRequest:
        return self._read_manifest("GET", reference, accepts)

    def put_manifest(self, reference: str, manifest: Manifest) -> RegistryRequest:
        check_reference(reference)
        return self._request(
            Resource.PUSHED_MANIFEST,
            f"pushing the manifest of {self.named(reference)}",
            "PUT",
            self._url(f"manifests/{reference}"),
            headers={"Content-Type": manifest.media_type},
            body=manifest.content,
            accepts=PUSHED,
        )

    def delete_manifest(self, digest: Digest) -> RegistryRequest:
        return self._request(
            Resource.MANIFEST,
            f"deleting the manifest of {self.named(str(digest))}",
            "DELETE",
            self._url(f"manifests/{digest}"),
            more_scopes=Scopes.repository(self.name, DELETE),
            accepts=DELETED,
        )

    def list_tags(self, page: URL | None = None, *, count: int = TAGS_PER_PAGE) -> RegistryRequest:
        return self._request(
            Resource.MANIFEST,
            f"listing the tags of {self.name}",
            "GET",
            page or self._url(f"tags/list?n={count}"),
            accepts=OK_OR_MISSING,
            limit=MAX_TAG_PAGE_SIZE,
        )

    def list_referrers(self, subject: Digest, page: URL | None = None) -> RegistryRequest:
        return self._request(
            Resource.MANIFEST,
            f"listing what refers to {self.named(str(subject))}",
            "GET",
            page or self._url(f"referrers/{subject}"),
            headers={"Accept": media_types.OCI_INDEX},
            accepts=REFERRERS_STATUSES,
        )

    def head_blob(self, blob: Descriptor) -> RegistryRequest:
        return self._request(
            Resource.BLOB,
            f"looking for blob {blob.digest} in {self.name}",
            "HEAD",
            self._url(f"blobs/{blob.digest}"),
            accepts=OK_OR_MISSING,
        )

    def get_blob(self, blob: Descriptor, offset: int, *, bulk: bool = False) -> RegistryRequest:
        return self._request(
            Resource.BLOB,
            f"reading blob {blob.digest} of {self.name}",
            "GET",
            self._url(f"blobs/{blob.digest}"),
            headers=range_header(blob, offset),
            bulk=bulk,
            accepts=OK_OR_PARTIAL,
            timeout=STREAM_TIMEOUT,
        )

    def mount_blob(self, blob: Descriptor, from_repository: str) -> RegistryRequest:
        query = urlencode({"mount": str(blob.digest), "from": from_repository})
        return self._request(
            Resource.UPLOAD,
            f"mounting blob {blob.digest} from {from_repository} to {self.name}",
            "POST",
            self._url(f"blobs/uploads/?{query}"),
            more_scopes=Scopes.repository(check_name(from_repository), PULL),
            accepts=MOUNTED_OR_ACCEPTED,
        )

    def start_upload(self) -> RegistryRequest:
        url = self._url("blobs/uploads/")
        return self._request(Resource.UPLOAD, f"starting an upload to {self.name}", "POST", url, accepts=ACCEPTED)

    def put_blob(self, session: UploadSession, digest: Digest, content: bytes) -> RegistryRequest:
        step = f"uploading blob {digest} to {self.name}"
        return self._commit(session, digest, step, body=content)

    def get_upload(self, session: UploadSession) -> RegistryRequest:
        return self._upload("GET", session, f"looking for an upload to {self.name}", accepts=SESSION_FOUND)

    def find_upload(self, session: UploadSession) -> RegistryRequest:
        """Return the request for an upload that may be gone; then the response has the error's code."""
        return self._upload(
            "GET",
            session,
            f"looking for an upload to {self.name}",
            accepts=SESSION_FOUND | {404},
            limit=MAX_ERROR_BODY_SIZE,
        )

    def patch_upload(self, session: UploadSession, offset: int, body: Body) -> RegistryRequest:
        """Return the request for a chunk from the offset on.

        The first chunk has no Content-Range: several registries take that header for a chunk of limited size.
        """
        content_range = {"Content-Range": f"{offset}-{offset + body.size - 1}"} if offset else {}
        return self._upload(
            "PATCH",
            session,
            f"uploading a blob to {self.name}",
            headers=OCTET_STREAM | content_range,
            body=body,
            bulk=True,
            accepts=APPENDED,
            timeout=STREAM_TIMEOUT,
        )

    def stream_upload(self, session: UploadSession, body: StreamedBody) -> RegistryRequest:
        return self._upload(
            "PATCH",
            session,
            f"streaming a blob to {self.name}",
            headers=OCTET_STREAM,
            body=body,
            accepts=APPENDED,
            timeout=STREAM_TIMEOUT,
        )

    def commit_upload(self, session: UploadSession, digest: Digest) -> RegistryRequest:
        return self._commit(session, digest, f"committing blob {digest} to {self.name}")

    def cancel_upload(self, session: UploadSession) -> RegistryRequest:
        step, scopes = f"cancelling an upload to {self.name}", Scopes.repository(self.name, DELETE)
        return self._upload("DELETE", session, step, more_scopes=scopes, accepts=CANCELLED)

    def is_upload(self, address: str) -> bool:
        """Return whether this is the address of an upload on this registry and below this repository."""
        try:
            path = self._session_url(UploadSession(address)).raw_path
        except ValueError:
            return False
        prefix = f"/v2/{self.name}/blobs/"
        return path.startswith(prefix) and _UPLOAD.fullmatch(path.removeprefix(prefix)) is not None

    def named(self, reference: str) -> str:
        """Return `name:tag` or `name@digest`."""
        return f"{self.name}{'@' if ':' in reference else ':'}{reference}"

    def _read_manifest(self, method: str, reference: str, accepts: frozenset[int]) -> RegistryRequest:
        check_reference(reference)
        return self._request(
            Resource.MANIFEST,
            f"reading the manifest of {self.named(reference)}",
            method,
            self._url(f"manifests/{reference}"),
            headers={"Accept": media_types.ACCEPT_MANIFESTS},
            accepts=accepts,
        )

    def _upload(
        self,
        method: str,
        session: UploadSession,
        step: str,
        *,
        more_scopes: Scopes = NO_SCOPES,
        **parts: Unpack[RequestParts],
    ) -> RegistryRequest:
        url = self._session_url(session)
        return self._request(Resource.UPLOAD, step, method, url, more_scopes=more_scopes, **parts)

    def _commit(
        self, session: UploadSession, digest: Digest, step: str, *, body: bytes | None = None
    ) -> RegistryRequest:
        url = with_digest(self._session_url(session), digest)
        return self._request(Resource.UPLOAD, step, "PUT", url, headers=OCTET_STREAM, body=body, accepts=CREATED)

    def _request(
        self,
        resource: Resource,
        step: str,
        method: str,
        url: URL,
        *,
        more_scopes: Scopes = NO_SCOPES,
        **parts: Unpack[RequestParts],
    ) -> RegistryRequest:
        """Return a request with the side and the scopes of this repository.

        A target's repository is pushed to in the end, so pull and push are requested together: one token then serves
        every request to it.
        """
        actions = PULL if self.account.side is Side.SOURCE else PULL_PUSH
        scopes = Scopes.repository(self.name, actions) | more_scopes
        return RegistryRequest(
            side=self.account.side, resource=resource, step=step, method=method, url=url, scopes=scopes, **parts
        )

    def _url(self, path: str) -> URL:
        return URL(f"{self.account.base}/v2/{self.name}/{path}", encoded=True)

    def _session_url(self, session: UploadSession) -> URL:
        url = URL(session.location, encoded=True)
        if origin(url) != origin(self.account.base):
            raise ValueError("the upload session belongs to another registry")
        return url
