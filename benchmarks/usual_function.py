"""The baseline of cold_start.py: a video API as most are written, Powertools, pydantic, clients made at import.

It checks a part of what serve_api checks, writes one record and starts one execution.
"""

import os
import time
import uuid
from typing import Any, Literal

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, ValidationError

logger = Logger()
dynamodb = boto3.client("dynamodb")
workflow = boto3.client("stepfunctions")
app = APIGatewayRestResolver()


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    prompt: str = Field(min_length=1)
    reference_urls: list[AnyUrl] = Field(min_length=1, max_length=5)
    audio_url: AnyUrl | None = None


class Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    size: str = "1920*1080"
    duration: int = Field(default=5, ge=2, le=15)
    prompt_extend: bool = True
    watermark: bool = False
    audio: bool = True
    shot_type: Literal["single", "multi"] = "single"
    seed: int | None = Field(default=None, ge=0)


class VideoRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    model: Literal["wan26_r2v"]
    input: Input
    parameters: Parameters = Parameters()
    metadata: dict[str, str] = {}


@app.post("/videos")
def create_video() -> Response[str]:
    try:
        request = VideoRequest.model_validate_json(app.current_event.body or "")
    except ValidationError as error:
        return Response(400, "application/json", error.json(include_url=False))
    job_id = uuid.uuid4().hex
    text = request.model_dump_json()
    item = {"pk": {"S": job_id}, "request": {"S": text}, "created_at": {"N": str(time.time())}}
    new = "attribute_not_exists(pk)"
    dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": os.environ["TABLE_NAME"], "Item": item, "ConditionExpression": new}}]
    )
    workflow.start_execution(stateMachineArn=os.environ["STATE_MACHINE_ARN"], name=job_id, input=text)
    return Response(202, "application/json", f'{{"id": "{job_id}"}}')


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
