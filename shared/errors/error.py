"""The one exception that carries an error code."""

from collections.abc import Mapping

from shared.errors.codes import Code
from shared.errors.kinds import ERROR_KINDS


class LongshoreError(Exception):
    """An error with a code from the list.

    `detail` is one sentence for a person about this case, without secrets or driver messages. `fields` maps the
    request's invalid fields to their problems. `retry_after` is in seconds, if the other side named a time.
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        fields: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = ERROR_KINDS[code]
        self.detail = detail
        self.fields = dict(fields or {})
        self.retry_after = retry_after

    @property
    def code(self) -> Code:
        return self.kind.code

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"
