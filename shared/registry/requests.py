"""The requests of the OCI distribution specification that Longshore makes of one repository, as data.

Each method is a step of the specification (v1.1, "Endpoints") and returns what is sent, what counts as success, and
the words for an error.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from yarl import URL

from shared.errors.codes import Side
from shared.http_client.body import Body, StreamedBody
from shared.http_client.locations import origin, with_digest
from shared.http_client.request import OK, Request, Subject
from shared.http_client.session import STREAM_TIMEOUT
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.reference import MAX_NAME_LENGTH
from shared.registry.auth import Account
from shared.registry.download import range_header
from shared.registry.manifests import check_reference
from shared.registry.referrers.referrer_list import REFERRERS_ANSWERS
from shared.registry.scopes import DELETE, PULL, PULL_PUSH, Scopes
from shared.registry.tag_list import MAX_PAGE_BYTES, PAGE_SIZE
from shared.registry.uploads import UploadSession

OK_OR_MISSING = frozenset({200, 404})
# Some registries know no HEAD for manifests; then GET decides.
HEAD_ANSWERS = frozenset({200, 404, 405, 501})
OK_OR_PARTIAL = frozenset({200, 206})
CREATED = frozenset({201})
ACCEPTED = frozenset({202})
# The specification says 202; go-containerregistry takes the other two as well, having met them.
APPENDED = frozenset({201, 202, 204})
MOUNTED_OR_ACCEPTED = CREATED | ACCEPTED
SESSION_FOUND = frozenset({204})
# The specification says 201; older registries say the other two.
PUSHED = frozenset({200, 201, 202})
# 404: it is gone already. 405: the registry lets sessions run out by themselves.
CANCELLED = frozenset({200, 202, 204, 404, 405})
DELETED = frozenset({200, 202, 204, 404})
# Every name that references allow; checked again here, because the name becomes part of an address.
_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")


def check_name(name: str) -> str:
    """Return the repository's name, or raise ValueError."""
    if len(name) > MAX_NAME_LENGTH or _NAME.fullmatch(name) is None:
        raise ValueError(f"{name[:100]!r} is not a repository name")
    return name


@dataclass(frozen=True, slots=True)
class Steps:
    """Makes the requests for one repository under one account."""

    account: Account
    name: str

    def head_manifest(self, reference: str) -> Request:
        return self._manifest("HEAD", reference, HEAD_ANSWERS)

    def get_manifest(self, reference: str, accepts: frozenset[int] = OK) -> Request:
        return self._manifest("GET", reference, accepts)

    def put_manifest(self, reference: str, manifest: Manifest) -> Request:
        check_reference(reference)
        return Request(
            side=self.account.side,
            subject=Subject.PUSHED_MANIFEST,
            step=f"pushing the manifest of {self.named(reference)}",
            method="PUT",
            url=self._url(f"manifests/{reference}"),
            scopes=self._scopes,
            headers={"Content-Type": manifest.media_type},
            body=manifest.content,
            accepts=PUSHED,
        )

    def delete_manifest(self, digest: Digest) -> Request:
        return Request(
            side=self.account.side,
            subject=Subject.MANIFEST,
            step=f"deleting the manifest of {self.named(str(digest))}",
            method="DELETE",
            url=self._url(f"manifests/{digest}"),
            scopes=self._scopes | Scopes.repository(self.name, DELETE),
            accepts=DELETED,
        )

    def list_tags(self, page: URL | None = None, *, count: int = PAGE_SIZE) -> Request:
        return Request(
            side=self.account.side,
            subject=Subject.MANIFEST,
            step=f"listing the tags of {self.name}",
            method="GET",
            url=page or self._url(f"tags/list?n={count}"),
            scopes=self._scopes,
            accepts=OK_OR_MISSING,
            limit=MAX_PAGE_BYTES,
        )

    def list_referrers(self, subject: Digest, page: URL | None = None) -> Request:
        return Request(
            side=self.account.side,
            subject=Subject.MANIFEST,
            step=f"listing what refers to {self.named(str(subject))}",
            method="GET",
            url=page or self._url(f"referrers/{subject}"),
            scopes=self._scopes,
            headers={"Accept": media_types.OCI_INDEX},
            accepts=REFERRERS_ANSWERS,
        )

    def head_blob(self, blob: Descriptor) -> Request:
        return Request(
            side=self.account.side,
            subject=Subject.BLOB,
            step=f"looking for blob {blob.digest} in {self.name}",
            method="HEAD",
            url=self._url(f"blobs/{blob.digest}"),
            scopes=self._scopes,
            accepts=OK_OR_MISSING,
        )

    def get_blob(self, blob: Descriptor, offset: int, *, bulk: bool = False) -> Request:
        return Request(
            side=self.account.side,
            subject=Subject.BLOB,
            step=f"reading blob {blob.digest} of {self.name}",
            method="GET",
            url=self._url(f"blobs/{blob.digest}"),
            scopes=self._scopes,
            headers=range_header(blob, offset),
            bulk=bulk,
            accepts=OK_OR_PARTIAL,
            timeout=STREAM_TIMEOUT,
        )

    def mount_blob(self, blob: Descriptor, from_repository: str) -> Request:
        query = urlencode({"mount": str(blob.digest), "from": from_repository})
        return Request(
            side=self.account.side,
            subject=Subject.UPLOAD,
            step=f"mounting blob {blob.digest} from {from_repository} to {self.name}",
            method="POST",
            url=self._url(f"blobs/uploads/?{query}"),
            scopes=self._scopes | Scopes.repository(check_name(from_repository), PULL),
            accepts=MOUNTED_OR_ACCEPTED,
        )

    def start_upload(self) -> Request:
        return Request(
            side=self.account.side,
            subject=Subject.UPLOAD,
            step=f"starting an upload to {self.name}",
            method="POST",
            url=self._url("blobs/uploads/"),
            scopes=self._scopes,
            accepts=ACCEPTED,
        )

    def put_blob(self, session: UploadSession, digest: Digest, content: bytes) -> Request:
        return Request(
            side=self.account.side,
            subject=Subject.UPLOAD,
            step=f"uploading blob {digest} to {self.name}",
            method="PUT",
            url=with_digest(self._session_url(session), str(digest)),
            scopes=self._scopes,
            headers={"Content-Type": "application/octet-stream"},
            body=content,
            accepts=CREATED,
        )

    def find_session(self, session: UploadSession) -> Request:
        return Request(
            side=self.account.side,
            subject=Subject.UPLOAD,
            step=f"looking for an upload to {self.name}",
            method="GET",
            url=self._session_url(session),
            scopes=self._scopes,
            accepts=SESSION_FOUND,
        )

    def append_to_blob(self, session: UploadSession, offset: int, body: Body) -> Request:
        """The first bytes go without Content-Range, which several registries take for a chunk of limited size."""
        ranged = {"Content-Range": f"{offset}-{offset + body.size - 1}"} if offset else {}
        return Request(
            side=self.account.side,
            subject=Subject.UPLOAD,
            step=f"uploading a blob to {self.name}",
            method="PATCH",
            url=self._session_url(session),
            scopes=self._scopes,
            headers={"Content-Type": "application/octet-stream", **ranged},
            body=body,
            bulk=True,
            accepts=APPENDED,
            timeout=STREAM_TIMEOUT,
        )

    def stream_upload(self, session: UploadSession, body: StreamedBody) -> Request:
        return Request(
            side=self.account.side,
            subject=Subject.UPLOAD,
            step=f"streaming a blob to {self.name}",
            method="PATCH",
            url=self._session_url(session),
            scopes=self._scopes,
            headers={"Content-Type": "application/octet-stream"},
            body=body,
            accepts=APPENDED,
            timeout=STREAM_TIMEOUT,
        )

    def commit_upload(self, session: UploadSession, digest: Digest) -> Request:
        return Request(
            side=self.account.side,
            subject=Subject.UPLOAD,
            step=f"committing blob {digest} to {self.name}",
            method="PUT",
            url=with_digest(self._session_url(session), str(digest)),
            scopes=self._scopes,
            headers={"Content-Type": "application/octet-stream"},
            accepts=CREATED,
        )

    def cancel_upload(self, session: UploadSession) -> Request:
        return Request(
            side=self.account.side,
            subject=Subject.UPLOAD,
            step=f"cancelling an upload to {self.name}",
            method="DELETE",
            url=self._session_url(session),
            scopes=self._scopes,
            accepts=CANCELLED,
        )

    def named(self, reference: str) -> str:
        """Return `name:tag` or `name@digest`."""
        return f"{self.name}{'@' if ':' in reference else ':'}{reference}"

    @property
    def _scopes(self) -> Scopes:
        """A target's repository is pushed to in the end, so that one token serves every request to it."""
        return Scopes.repository(self.name, PULL if self.account.side is Side.SOURCE else PULL_PUSH)

    def _manifest(self, method: str, reference: str, accepts: frozenset[int]) -> Request:
        check_reference(reference)
        return Request(
            side=self.account.side,
            subject=Subject.MANIFEST,
            step=f"reading the manifest of {self.named(reference)}",
            method=method,
            url=self._url(f"manifests/{reference}"),
            scopes=self._scopes,
            headers={"Accept": media_types.ACCEPT_MANIFESTS},
            accepts=accepts,
        )

    def _url(self, path: str) -> URL:
        return URL(f"{self.account.base}/v2/{self.name}/{path}", encoded=True)

    def _session_url(self, session: UploadSession) -> URL:
        url = URL(session.location, encoded=True)
        if origin(url) != origin(self.account.base):
            raise ValueError("the upload session belongs to another registry")
        return url
