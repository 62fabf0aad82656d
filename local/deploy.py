"""`sam deploy` of the built template to the local engine, and what a caller needs to know of the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local import surroundings
from local.build import empty_config
from local.processes import Children
from local.settings import HOST, REGION, SAM, STACK_NAME, Settings

ARTIFACT_BUCKET = "wanflow-artifacts"
STAGE = "v1"


@dataclass(frozen=True)
class Endpoints:
    """What `.local/endpoints.json` holds."""

    api_url: str
    console_url: str
    api_key: str
    wan_url: str
    wan_api_key: str
    aws_endpoint: str
    region: str
    bucket: str
    table: str
    state_machine_arn: str
    webhook_secret: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def client(service: Any, settings: Settings) -> Any:
    """A boto3 client of the local engine, whatever the user's own AWS settings are."""
    return boto3.session.Session().client(
        service,
        region_name=REGION,
        endpoint_url=settings.aws_endpoint,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - the engine takes any
        config=Config(signature_version="s3v4" if service == "s3" else None, proxies={}),
    )


def parameters(settings: Settings) -> dict[str, str]:
    """The template's parameters for a stack on this machine."""
    chosen = {
        "WanApiBaseUrl": settings.provider.base_url,
        # One person tries things out here, sometimes with a load test: the usage plan must not be in the way.
        "ThrottleRate": "200",
        "ThrottleBurst": "400",
        "QuotaPerDay": "0",
        # A page under development is served from some port of this machine.
        "CorsOrigins": "*",
    }
    if settings.provider.is_mock:
        chosen["TypicalRenderSeconds"] = str(max(1, round(settings.render_seconds)))
        # The mock has no limit unless it is given one, its videos take seconds, and its faults are asked for:
        # a rehearsal of them is no outage that should pause submits.
        chosen["MaxConcurrentTasks"] = "100"
        chosen["JobDeadlineSeconds"] = "120"
        chosen["PauseAfterFailures"] = "0"
    else:
        # The provider cannot fetch a presigned URL of a bucket on this machine.
        chosen["ReferenceDelivery"] = "data_uri"
    return {**chosen, **settings.parameters}


def deploy(children: Children, settings: Settings, template: Path) -> Mapping[str, str]:
    """Deploy, seed the Wan key, and give the stack's outputs."""
    client("s3", settings).create_bucket(Bucket=ARTIFACT_BUCKET)
    command: list[str | Path] = [SAM, "deploy", "--template-file", template, "--stack-name", STACK_NAME]
    command += ["--s3-bucket", ARTIFACT_BUCKET, "--region", REGION, "--config-file", empty_config(settings)]
    command += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"]
    command += ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters(settings).items())]
    children.run("sam deploy", command, surroundings.for_sam(settings), settings.log_dir / "sam-deploy.log")
    stack = client("cloudformation", settings).describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    client("secretsmanager", settings).put_secret_value(
        SecretId=outputs["WanApiKeySecretArn"], SecretString=settings.provider.api_key
    )
    return outputs


def endpoints(settings: Settings, outputs: Mapping[str, str]) -> Endpoints:
    key = client("apigateway", settings).get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)
    secret = client("secretsmanager", settings).get_secret_value(SecretId=outputs["WebhookSecretArn"])
    # The stack's own ApiUrl output has the form of AWS; the engine serves the same API under this path.
    api_url = f"http://{HOST}:{settings.aws_port}/_aws/execute-api/{outputs['ApiId']}/{STAGE}"
    return Endpoints(
        api_url=api_url,
        console_url=f"{api_url}/",
        api_key=key["value"],
        wan_url=settings.provider.base_url,
        wan_api_key=settings.provider.api_key,
        aws_endpoint=settings.aws_endpoint,
        region=REGION,
        bucket=outputs["BucketName"],
        table=outputs["TableName"],
        state_machine_arn=outputs["StateMachineArn"],
        webhook_secret=f"whsec_{secret['SecretString']}",
    )
