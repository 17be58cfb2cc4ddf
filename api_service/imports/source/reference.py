"""Parses the reference in a request."""

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.reference import Reference, normal_registry, split_registry


def read_source(source: str, source_registry: str | None, *, default: str | None = None) -> Reference:
    """Parse `source` as Docker does; `source_registry` is its registry if `source` names none.

    `default` is the registry if both name none; without a default it is Docker Hub. Raises `reference_malformed`,
    `source_registry_conflict`, and `validation_failed` for a malformed source_registry.
    """
    registry = _read_registry(source_registry) if source_registry else None
    reference = _read_reference(source, registry or default)
    if registry and reference.registry != registry:
        raise LongshoreError(
            Code.SOURCE_REGISTRY_CONFLICT,
            f"source names the registry {reference.registry}, sourceRegistry says {registry}.",
        )
    return reference


def names_registry(source: str, source_registry: str | None) -> bool:
    """Return whether the request names a registry."""
    return bool(source_registry) or split_registry(source)[0] is not None


def _read_registry(text: str) -> str:
    try:
        return normal_registry(text)
    except ValueError as error:
        raise LongshoreError(
            Code.VALIDATION_FAILED,
            "sourceRegistry is not a registry's address.",
            fields={"sourceRegistry": f"{error}."},
        ) from None


def _read_reference(source: str, registry: str | None) -> Reference:
    if "://" in source:
        raise LongshoreError(Code.REFERENCE_MALFORMED, "A reference has no scheme: remove everything up to '://'.")
    try:
        return Reference.parse(source, registry=registry)
    except ValueError as error:
        raise LongshoreError(Code.REFERENCE_MALFORMED, f"source cannot be read: {error}.") from None
