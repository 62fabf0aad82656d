"""The provider's key: read once in a while, and anew when it was refused."""

from typing import Any

import pytest

from wanflow.errors import AwsUnavailable
from wanflow.secret import CACHE_SECONDS, CachedSecret


class Vault:
    """Secrets Manager as far as it is used; counts what it is asked."""

    def __init__(self) -> None:
        self.value = " first-key\n"
        self.asked = 0
        self.fault: Exception | None = None

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return {"SecretString": self.value}


class Seconds:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def vault() -> Vault:
    return Vault()


def secret(vault: Vault, seconds: Seconds) -> CachedSecret:
    return CachedSecret(lambda: vault, "arn", seconds)  # type: ignore[arg-type,return-value]


def test_a_secret_is_read_once_and_without_the_blanks_of_a_paste(vault: Vault) -> None:
    cached = secret(vault, Seconds())
    assert [cached.read(), cached.read(False), cached.read()] == ["first-key"] * 3
    assert vault.asked == 1


def test_a_refused_key_is_read_anew_at_once(vault: Vault) -> None:
    cached = secret(vault, Seconds())
    cached.read()
    vault.value = "second-key"
    assert cached.read() == "first-key"
    assert cached.read(True) == "second-key"
    assert cached.read() == "second-key"
    assert vault.asked == 2


def test_the_cache_has_an_end(vault: Vault) -> None:
    seconds = Seconds()
    cached = secret(vault, seconds)
    cached.read()
    vault.value = "second-key"
    seconds.now += CACHE_SECONDS - 1
    assert cached.read() == "first-key"
    seconds.now += 1
    assert cached.read() == "second-key"


def test_a_passing_fault_is_named_and_spoils_no_cache(vault: Vault) -> None:
    from botocore.exceptions import ReadTimeoutError

    cached = secret(vault, Seconds())
    cached.read()
    vault.fault = ReadTimeoutError(endpoint_url="https://secrets.example")
    with pytest.raises(AwsUnavailable):
        cached.read(True)
    assert cached.read() == "first-key"
