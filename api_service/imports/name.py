"""Names of imports: readable in logs, in a queue's console and in an address, and never twice the same."""

import re
import secrets
import string

# As for a DNS label, so that a name can serve anywhere. Characters.
MAX_LENGTH = 63
# 50 random bits: imports of one image would have to number in the millions before two collide.
RANDOM_LENGTH = 10
# No vowels or their lookalikes, so that no words arise; no dot or dash, so that the suffix can be told apart.
_ALPHABET = "".join(sorted(set(string.ascii_lowercase + string.digits) - set("aeioul01")))
_NOT_ALLOWED = re.compile(r"[^a-z0-9.]+")
_NAME = re.compile(rf"[a-z0-9.-]{{1,{MAX_LENGTH}}}")


def new_import_name(repository: str, tag: str) -> str:
    """Return such as `alpine-3.20-k7xq2m9zrt`, from the last part of the repository and the tag."""
    suffix = _random_text()
    slug = _NOT_ALLOWED.sub("-", f"{repository.rpartition('/')[2]}-{tag}".lower())
    room = MAX_LENGTH - RANDOM_LENGTH - 1
    return f"{slug[:room].strip('-.') or 'image'}-{suffix}"


def _random_text() -> str:
    """Draw all characters at once: each draw is a system call."""
    number, text = secrets.randbelow(len(_ALPHABET) ** RANDOM_LENGTH), ""
    for _ in range(RANDOM_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        text += _ALPHABET[index]
    return text


def is_import_name(text: str) -> bool:
    """Tell whether a text can be an import's name at all."""
    return _NAME.fullmatch(text) is not None
