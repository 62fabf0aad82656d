"""Which faults of AWS pass: named for the workflow's retry. Every other one goes through as it is."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from botocore import exceptions

from tests.template import ROOT
from wanflow import aws
from wanflow.errors import AwsUnavailable
from wanflow.files import Files

URL = "https://dynamodb.example"


def client_error(code: str, status: int = 400) -> exceptions.ClientError:
    told: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(told, "PutItem")


@pytest.mark.parametrize(
    "fault",
    [
        client_error("ThrottlingException"),
        client_error("ProvisionedThroughputExceededException"),
        client_error("TransactionConflictException"),
        client_error("SlowDown", 503),
        client_error("InternalServerError", 500),
        client_error("SomethingNew", 500),
        exceptions.ReadTimeoutError(endpoint_url=URL),
        exceptions.ConnectTimeoutError(endpoint_url=URL),
        exceptions.EndpointConnectionError(endpoint_url=URL),
        exceptions.ConnectionClosedError(endpoint_url=URL),
        exceptions.SSLError(endpoint_url=URL, error=OSError("handshake")),
        exceptions.UnseekableStreamError(stream_object="a body that was read"),
    ],
    ids=str,
)
def test_a_fault_that_passes_is_named_with_what_was_tried(fault: Exception) -> None:
    with (
        pytest.raises(AwsUnavailable, match="could not write it") as caught,
        aws.naming_faults("write it"),
    ):
        raise fault
    assert caught.value.__cause__ is fault


@pytest.mark.parametrize(
    "fault",
    [
        client_error("ConditionalCheckFailedException"),
        client_error("ValidationException"),
        client_error("AccessDeniedException"),
        client_error("NoSuchKey", 404),
        exceptions.ParamValidationError(report="r"),
        exceptions.NoCredentialsError(),
        ValueError("a bug"),
    ],
    ids=str,
)
def test_every_other_fault_goes_through(fault: Exception) -> None:
    with pytest.raises(type(fault)), aws.naming_faults("write it"):
        raise fault


def test_a_code_is_read_where_there_is_one() -> None:
    assert aws.error_code(client_error("NoSuchKey")) == "NoSuchKey"
    assert aws.error_code(ValueError("x")) == ""


def test_putting_everything_together_imports_neither_botocore_nor_requests() -> None:
    """Both cost more than a refused request may take."""
    program = "import sys, wanflow.wiring; print('botocore.session' in sys.modules, 'requests' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "layers" / "common")}
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("region", "endpoint", "host"),
    [
        ("us-east-1", None, "https://a-bucket.s3.amazonaws.com/"),
        ("eu-central-1", None, "https://a-bucket.s3.eu-central-1.amazonaws.com/"),
        ("us-east-1", "http://127.0.0.1:4566", "http://127.0.0.1:4566/a-bucket"),
    ],
)
def test_links_into_the_bucket_name_its_region(
    monkeypatch: pytest.MonkeyPatch, region: str, endpoint: str | None, host: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    client = aws.s3.__wrapped__()  # a new one, which nobody else will get
    files = Files(lambda: client, "a-bucket")
    assert files.link("videos/a.mp4").startswith(host)
    assert files.post_form("uploads/a.png", "image/png", 10, 60)["url"] == host


@pytest.mark.parametrize(
    "make", [aws.dynamodb, aws.s3, aws.stepfunctions, aws.eventbridge, aws.secretsmanager, aws.sqs]
)
def test_a_client_is_made_without_a_look_at_which_services_there_are(
    moto_aws: None, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]
) -> None:
    def look(*_: object) -> None:
        raise AssertionError("the folders of all services were listed")

    monkeypatch.setattr("botocore.loaders.Loader.list_available_services", look)
    assert make().meta.service_model.service_name in aws.session().get_available_services()
