"""The messages with which an attempt starts, as both services read and write them."""

from dataclasses import replace
from uuid import uuid4

import pytest

from shared.messages.attempt_start import (
    NO_TAG,
    AttemptStart,
    AttemptStartSchema,
    AttemptTerms,
    ExpectedTag,
    ImageAdmission,
    ImageAdmissionSchema,
    dump_admission,
    dump_start,
    dump_terms,
    load_terms,
)
from shared.model.credential import Credential

DIGEST = "sha256:" + 64 * "a"
ALL_TERMS = AttemptTerms(
    credential=Credential("reader", "hunter2"),
    may_create_project=False,
    tag=ExpectedTag(before=NO_TAG, replaceable=frozenset({DIGEST, "sha256:" + 64 * "b"})),
    limited=True,
    max_image_bytes=1_000,
    seconds_left=3_600.5,
)


@pytest.mark.parametrize("terms", [AttemptTerms(), ALL_TERMS])
def test_terms_arrive_as_they_were_sent(terms: AttemptTerms) -> None:
    """The worker reads the same terms from the answer that the API wrote."""
    assert load_terms(dump_terms(terms)) == terms


def test_requests_arrive_as_they_were_sent() -> None:
    """The API reads the same requests from the bodies that the worker wrote."""
    for token in (None, uuid4()):
        start = AttemptStart(attempt=3, claim_token=token)
        assert AttemptStartSchema().load(dump_start(start)) == start
    admission = ImageAdmission(attempt=3, claim_token=uuid4(), bytes=2**40)
    assert ImageAdmissionSchema().load(dump_admission(admission)) == admission


def test_fields_of_a_later_release_are_ignored() -> None:
    """A worker of this release understands the answer of the next one."""
    later = dump_terms(ALL_TERMS)
    assert load_terms({**later, "later": 1, "tag": {**later["tag"], "later": 1}}) == ALL_TERMS


def test_an_api_of_the_last_release_sends_no_deadline() -> None:
    """Without it, the worker only compares a transfer with others."""
    answer = dump_terms(ALL_TERMS)
    del answer["secondsLeft"]
    assert load_terms(answer) == replace(ALL_TERMS, seconds_left=None)


@pytest.mark.parametrize("missing", ["credentials", "mayCreateProject", "tag", "limited", "maxImageBytes"])
def test_terms_without_a_part_are_no_terms(missing: str) -> None:
    """A default in place of a missing part could grant more than the API did."""
    answer = dump_terms(ALL_TERMS)
    del answer[missing]
    with pytest.raises(ValueError, match=missing):
        load_terms(answer)


def test_the_password_shows_in_no_repr() -> None:
    """Terms may reach a log or a traceback."""
    assert "hunter2" not in repr(ALL_TERMS)
