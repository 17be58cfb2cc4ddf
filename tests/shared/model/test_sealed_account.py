"""The stored form of a registry account, and its binding to the place that it was made for."""

import json
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.model.sealed_account import (
    Binding,
    Purpose,
    open_account,
    open_stored,
    seal,
    seal_account,
    seal_stored,
    unseal,
)
from shared.runtime.secret_box import SecretBox

CREDENTIAL = Credential("robot", 'quote " and ü')
HOST = "registry.example.com:5000"
# One place for each part of a binding, with another value than the first place has.
PLACE = Binding(purpose=Purpose.STORED_REGISTRY, host=HOST, username="robot")
OTHER_PLACES = (
    replace(PLACE, host="other.example.com"),
    replace(PLACE, username="admin"),
    replace(PLACE, purpose=Purpose.IMPORT),
)


@pytest.fixture
def box() -> SecretBox:
    return SecretBox([Fernet.generate_key().decode()])


class OpenBox:
    """A box without encryption, for what is inside."""

    def seal(self, text: str) -> bytes:
        return text.encode()

    def open(self, sealed: bytes) -> str:
        return sealed.decode()


def test_an_import_s_account_is_read_as_it_was_stored(box: SecretBox) -> None:
    sealed = seal_account(box, CREDENTIAL, host=HOST)
    assert sealed
    assert b"robot" not in sealed
    assert open_account(box, sealed, host=HOST) == CREDENTIAL


def test_a_stored_password_is_read_as_it_was_stored(box: SecretBox) -> None:
    assert open_stored(box, seal_stored(box, CREDENTIAL, host=HOST), host=HOST, username="robot") == CREDENTIAL


def test_anonymous_access_stores_nothing(box: SecretBox) -> None:
    assert seal_account(box, None, host=HOST) is None
    assert open_account(box, None, host=HOST) is None


@pytest.mark.parametrize("other", OTHER_PLACES)
@pytest.mark.parametrize("back", [False, True])
def test_an_account_opens_nowhere_else(box: SecretBox, other: Binding, back: bool) -> None:
    """Another host, user name or purpose; the error has neither the password nor the key."""
    made, tried = (other, PLACE) if back else (PLACE, other)
    credential = Credential(made.username or "robot", CREDENTIAL.password)
    sealed = seal(box, credential, made)
    assert unseal(box, sealed, made) == credential
    with pytest.raises(LongshoreError, match="credentials_unreadable") as caught:
        unseal(box, sealed, tried)
    assert CREDENTIAL.password not in f"{caught.value!r} {caught.value.detail} {caught.value.__cause__}"


@pytest.mark.parametrize("field", ["version", "purpose", "host", "username", "password"])
@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_a_text_that_lacks_a_part_does_not_open(field: str, value: object) -> None:
    """Such texts come from no release; a key that is known to others could have made them."""
    box = OpenBox()
    fields = json.loads(seal(box, CREDENTIAL, PLACE))
    with pytest.raises(LongshoreError, match="credentials_unreadable"):
        unseal(box, json.dumps({**fields, field: value}).encode(), PLACE)


def test_the_first_form_still_opens(box: SecretBox) -> None:
    """Rows of an earlier release stay readable."""
    account = box.seal('{"username": "robot", "password": "secret"}')
    assert open_account(box, account, host=HOST) == Credential("robot", "secret")
    assert open_stored(box, box.seal("secret"), host=HOST, username="robot") == Credential("robot", "secret")


def test_the_first_form_does_not_change_its_purpose(box: SecretBox) -> None:
    """An import's account is no stored password, and a stored password is no import's account."""
    with pytest.raises(LongshoreError, match="credentials_unreadable"):
        open_stored(box, box.seal('{"username": "robot", "password": "secret"}'), host=HOST, username="robot")
    with pytest.raises(LongshoreError, match="credentials_unreadable"):
        open_account(box, box.seal("secret"), host=HOST)


@given(password=st.text() | st.sampled_from(["{}", "[]", "12", "null", '{"a": 1}', "[" * 100_000]))
def test_every_password_of_the_first_form_opens(password: str) -> None:
    """Passwords that are JSON by chance, too."""
    opened = open_stored(OpenBox(), password.encode(), host=HOST, username="robot")
    assert opened == Credential("robot", password)


def test_workers_of_the_last_release_read_the_present_form() -> None:
    """They take these two fields of an import's account and ignore the others."""
    sealed = seal_account(OpenBox(), CREDENTIAL, host=HOST) or b""
    fields = json.loads(sealed)
    assert (fields["username"], fields["password"]) == (CREDENTIAL.username, CREDENTIAL.password)


def test_an_account_sealed_with_another_key_is_an_error(box: SecretBox) -> None:
    sealed = seal_account(SecretBox([Fernet.generate_key().decode()]), CREDENTIAL, host=HOST)
    with pytest.raises(LongshoreError, match="SECRET_KEYS"):
        open_account(box, sealed, host=HOST)
