"""botocore's clients, made when first used, and the one place where a passing AWS fault gets its name.

Importing botocore costs more than everything else together, so a request that is refused never does it. The clients are
those that boto3 would make; boto3 itself, which adds nothing that is used here, would cost a sixth more.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from wanflow.errors import AwsUnavailable

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_events.client import EventBridgeClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_stepfunctions.client import SFNClient

_PASSING = frozenset(
    {
        "InternalError",
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


@cache
def dynamodb() -> "DynamoDBClient":
    client: DynamoDBClient = _client("dynamodb")
    return client


@cache
def s3() -> "S3Client":
    # What is written comes with a CRC32 of our own, and TLS guards what is under way: botocore would sum each part of a
    # video again, and signing each byte too would cost a SHA-256 of all.
    options: dict[str, Any] = {"payload_signing_enabled": False}
    if "AWS_ENDPOINT_URL" not in os.environ:
        # Links name the bucket's region: at the global address a new bucket answers with a redirect for a while, and
        # no signature outlives that.
        options["addressing_style"] = "virtual"
    client: S3Client = _client("s3", signature_version="s3v4", request_checksum_calculation="when_required", s3=options)
    return client


@cache
def stepfunctions() -> "SFNClient":
    client: SFNClient = _client("stepfunctions")
    return client


@cache
def eventbridge() -> "EventBridgeClient":
    client: EventBridgeClient = _client("events")
    return client


@cache
def secretsmanager() -> "SecretsManagerClient":
    client: SecretsManagerClient = _client("secretsmanager")
    return client


@cache
def sqs() -> "SQSClient":
    client: SQSClient = _client("sqs")
    return client


def _client(service: str, **options: Any) -> Any:
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 5}, **options
    )
    return session().create_client(service, config=config)


_SERVICES = ["dynamodb", "events", "s3", "secretsmanager", "sqs", "stepfunctions"]


@cache
def session() -> "Session":
    """What all clients share: the credentials, the data of the services."""
    from botocore.loaders import Loader  # noqa: PLC0415
    from botocore.session import get_session  # noqa: PLC0415

    class KnowingLoader(Loader):
        """Does not look which services there are: four hundred folders, twice, in each cold start."""

        def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
            return _SERVICES

    shared = get_session()
    shared.register_component("data_loader", KnowingLoader())
    return shared


@contextmanager
def naming_faults(what: str) -> Iterator[None]:
    """Turn a fault of AWS that passes into `AwsUnavailable`; let every other one through.

    Args:
        what: the call in words, for the message: "read the job's record".
    """
    from botocore.exceptions import (  # noqa: PLC0415
        ClientError,
        ConnectionError,  # noqa: A004
        HTTPClientError,
        IncompleteReadError,
        UnseekableStreamError,
    )

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _PASSING or status >= 500:
            raise AwsUnavailable(f"could not {what}: {code}") from error
        raise
    except (ConnectionError, HTTPClientError, IncompleteReadError, UnseekableStreamError) as error:
        # The last one: a call broke whose body is a stream, which cannot be sent again.
        raise AwsUnavailable(f"could not {what}: {type(error).__name__}") from error


class ConditionFailed(Exception):
    """DynamoDB refused a write because its condition does not hold: somebody else was there before."""


@contextmanager
def writing(what: str) -> Iterator[None]:
    """`naming_faults` for a conditional write; one whose condition does not hold raises `ConditionFailed`."""
    try:
        with naming_faults(what):
            yield
    except Exception as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise
        raise ConditionFailed(f"could not {what}: the condition does not hold") from error


def error_code(error: Exception) -> str:
    """The code of a botocore ClientError, "" for anything else."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
