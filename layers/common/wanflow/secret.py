"""Secrets from Secrets Manager, cached for a while: the provider's API key, the keys that webhooks are signed with."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from wanflow import aws
from wanflow.clock import Clock
from wanflow.errors import BadSetting

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

CACHE_SECONDS = 300
OVERLAP_SECONDS = 48 * 3600
"""How long webhooks are signed with the previous secret too, from the rotation on: two days of retries."""

_SIGNING_BYTES = range(24, 513)
"""Length of a signing secret ("Signature scheme" of the Standard Webhooks specification)."""


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


class SigningSecrets:
    """The secrets that webhooks are signed with: two for a while after a rotation, else one.

    Secrets Manager itself keeps the previous value, under the label AWSPREVIOUS, when a new one is put.
    """

    def __init__(self, client: Callable[[], "SecretsManagerClient"], arn: str, clock: Clock) -> None:
        self._client = client
        self._arn = arn
        self._clock = clock
        self._values: tuple[str, ...] = ()
        self._read_at: datetime | None = None

    def read(self) -> tuple[str, ...]:
        """The valid secrets, the current one first, each `whsec_` and base64.

        Raises:
            BadSetting: one of them is no signing secret.
        """
        now = self._clock()
        if self._read_at is None or now - self._read_at >= timedelta(seconds=CACHE_SECONDS):
            current, made_at = self._get("AWSCURRENT")
            is_fresh = now - made_at < timedelta(seconds=OVERLAP_SECONDS)
            self._values = (current, *(self._previous() if is_fresh else ()))
            self._read_at = now
        return self._values

    def _previous(self) -> tuple[str, ...]:
        try:
            return (self._get("AWSPREVIOUS")[0],)
        except Exception as error:
            if aws.error_code(error) == "ResourceNotFoundException":
                return ()
            raise

    def _get(self, stage: str) -> tuple[str, datetime]:
        with aws.naming_faults("read the webhook secret"):
            answer = self._client().get_secret_value(SecretId=self._arn, VersionStage=stage)
        return signing_secret(answer["SecretString"]), answer["CreatedDate"]


def signing_secret(text: str) -> str:
    """A signing secret in the specification's form; what the stack makes comes without `whsec_`.

    Raises:
        BadSetting: it is none.
    """
    key = text.strip().removeprefix("whsec_")
    try:
        size = len(base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size not in _SIGNING_BYTES:
        raise BadSetting("the webhook secret must be whsec_ and the base64 of 24 to 512 bytes")
    return f"whsec_{key}"
