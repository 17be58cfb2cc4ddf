"""The steps of one sign-in at a registry."""

from enum import StrEnum


class SignInStep(StrEnum):
    """A step, in the order in which they are taken. The values are those of the API."""

    REACH = "reach"
    """The registry is called, under the network policy and with TLS, and answers HTTP."""
    SIGN_IN = "signIn"
    """The registry or its token service accepts the account. Skipped if the registry asks for no authorization."""
    ANSWER = "answer"
    """The registry answers as the distribution specification says (end-1)."""
