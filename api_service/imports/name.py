"""Names of imports: unique, and readable in logs, in the queue's console and in a URL."""

import re
import secrets
import string

# The limit of a DNS label, so that other systems accept the name. Characters.
MAX_LENGTH = 63
# 50 random bits: imports of one image would have to number in the millions before two collide.
RANDOM_LENGTH = 10
# No vowels or their lookalikes, so that no words appear; no dot or dash, so that the suffix can be recognized.
_ALPHABET = "".join(sorted(set(string.ascii_lowercase + string.digits) - set("aeioul01")))
_NOT_ALLOWED = re.compile(r"[^a-z0-9.]+")
_NAME = re.compile(rf"[a-z0-9.-]{{1,{MAX_LENGTH}}}")


def new_import_name(repository: str, tag: str) -> str:
    """Return a name such as `alpine-3.20-k7xq2m9zrt`: the repository's last part, the tag, and a random suffix."""
    suffix = _random_text()
    slug = _NOT_ALLOWED.sub("-", f"{repository.rpartition('/')[2]}-{tag}".lower())
    longest = MAX_LENGTH - RANDOM_LENGTH - 1
    return f"{slug[:longest].strip('-.') or 'image'}-{suffix}"


def _random_text() -> str:
    """Return the suffix from one random number: each call to `secrets` is a system call."""
    number, text = secrets.randbelow(len(_ALPHABET) ** RANDOM_LENGTH), ""
    for _ in range(RANDOM_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        text += _ALPHABET[index]
    return text


def is_import_name(text: str) -> bool:
    """Return whether a text has the form of an import's name."""
    return _NAME.fullmatch(text) is not None
