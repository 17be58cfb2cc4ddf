"""The subjects of rules and access lists, and the placeholders that stand for a caller in their patterns. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from api_service.auth.identity import MAX_GROUP_LENGTH, MAX_SUBJECT_LENGTH, Identity
from api_service.rules.rule import EVERYBODY, GROUP_PREFIX, USER_PREFIX, Placeholder
from shared.oci.reference import is_component


def check_subject(subject: str) -> None:
    """Raise ValueError with a sentence for a person unless the text is `everybody`, `user:NAME` or `group:NAME`."""
    if subject == EVERYBODY:
        return
    for prefix, longest in ((USER_PREFIX, MAX_SUBJECT_LENGTH), (GROUP_PREFIX, MAX_GROUP_LENGTH)):
        if subject.startswith(prefix):
            name = subject.removeprefix(prefix)
            if not 0 < len(name) <= longest or name != name.strip() or not name.isprintable():
                raise ValueError(
                    f"a name after {prefix!r} has 1 to {longest} printable characters, and no blanks at its ends"
                )
            return
    raise ValueError(f"a subject is {EVERYBODY!r}, '{USER_PREFIX}NAME' or '{GROUP_PREFIX}NAME'")


def own_subjects(subjects: Iterable[str], by: Identity) -> tuple[str, ...]:
    """Return those of the subjects that are the caller, one of the caller's groups, or everybody."""
    own = {EVERYBODY, f"{USER_PREFIX}{by.owner.subject}", *(f"{GROUP_PREFIX}{group}" for group in by.groups)}
    return tuple(subject for subject in subjects if subject in own)


def has_subject(subjects: Sequence[str], by: Identity) -> bool:
    """Return whether the caller is one of the subjects, or in one of their groups."""
    return EVERYBODY in subjects or bool(own_subjects(subjects, by))


def caller_values(by: Identity) -> Mapping[Placeholder, Sequence[str]]:
    """Return the values of the placeholders that stand for the caller; names that no repository can have are none."""
    return {
        Placeholder.USER: [by.owner.subject] if is_component(by.owner.subject) else [],
        Placeholder.GROUP: sorted(group for group in by.groups if is_component(group)),
    }


def expand(pattern: str, values: Mapping[Placeholder, Sequence[str]]) -> Iterator[str]:
    """Yield the pattern with its placeholders replaced; nothing if one of them has no value."""
    if "{" not in pattern:
        yield pattern
        return
    expanded = [pattern]
    for placeholder, candidates in values.items():
        if (mark := f"{{{placeholder}}}") in pattern:
            expanded = [each.replace(mark, value) for each in expanded for value in candidates]
    yield from expanded
