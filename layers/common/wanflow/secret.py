"""The provider's API key from Secrets Manager: cached for a while, read anew when it was refused."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from wanflow import aws

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

CACHE_SECONDS = 300


class CachedSecret:
    """One secret, as plain text.

    Args:
        monotonic: seconds from any fixed point.
    """

    def __init__(self, client: Callable[[], "SecretsManagerClient"], arn: str, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._arn = arn
        self._monotonic = monotonic
        self._value = ""
        self._good_until = float("-inf")

    def read(self, anew: bool = False) -> str:
        """The secret; with `anew` past the cache, because the provider refused the cached one."""
        if anew or self._monotonic() >= self._good_until:
            with aws.naming_faults("read the Wan API key"):
                answer = self._client().get_secret_value(SecretId=self._arn)
            self._value = answer["SecretString"].strip()
            self._good_until = self._monotonic() + CACHE_SECONDS
        return self._value
