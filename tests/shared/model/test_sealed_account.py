"""The stored form of a registry account."""

import pytest
from cryptography.fernet import Fernet

from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.model.sealed_account import open_account, seal_account
from shared.runtime.secret_box import SecretBox

CREDENTIAL = Credential("robot", 'quote " and ü')


@pytest.fixture
def box() -> SecretBox:
    return SecretBox([Fernet.generate_key().decode()])


def test_the_worker_reads_what_the_api_stored(box: SecretBox) -> None:
    """Both sides use these two functions, so that the form has one definition."""
    sealed = seal_account(box, CREDENTIAL)
    assert sealed
    assert b"robot" not in sealed
    assert open_account(box, sealed) == CREDENTIAL


def test_anonymous_access_stores_nothing(box: SecretBox) -> None:
    assert seal_account(box, None) is None
    assert open_account(box, None) is None


def test_the_stored_fields_keep_their_names(box: SecretBox) -> None:
    """Rows of an older release stay readable."""
    old = box.seal('{"username": "robot", "password": "secret"}')
    assert open_account(box, old) == Credential("robot", "secret")


def test_an_account_sealed_with_another_key_is_an_error(box: SecretBox) -> None:
    sealed = seal_account(SecretBox([Fernet.generate_key().decode()]), CREDENTIAL)
    with pytest.raises(LongshoreError, match="SECRET_KEYS"):
        open_account(box, sealed)
