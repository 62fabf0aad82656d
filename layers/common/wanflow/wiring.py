"""Where everything is put together: environment, clients, clock. One function for each Lambda, made once."""

import os
import random
import secrets
import time
from functools import cache
from typing import TYPE_CHECKING

from wanflow import aws
from wanflow.accept import Intake
from wanflow.clock import utc_now
from wanflow.files import Files
from wanflow.polling import PollSchedule
from wanflow.pricing import Prices
from wanflow.records import JobRecords
from wanflow.settings import AcceptSettings, StoreSettings, WanSettings, load

if TYPE_CHECKING:
    from wanflow.api import Api
    from wanflow.finish import Finisher
    from wanflow.inbox import Inbox
    from wanflow.workflow import Workflow


@cache
def _stores() -> tuple[JobRecords, Files]:
    settings = load(StoreSettings, os.environ)
    return JobRecords(aws.dynamodb, settings.table_name, utc_now), Files(aws.s3, settings.bucket_name)


def _intake(settings: AcceptSettings) -> Intake:
    records, files = _stores()
    return Intake(
        records,
        files,
        aws.stepfunctions,
        state_machine_arn=settings.state_machine_arn,
        prices=Prices(settings.price_720p_per_second, settings.price_1080p_per_second),
        clock=utc_now,
        randbits=secrets.randbits,
    )


@cache
def api() -> "Api":
    from wanflow.api import Api  # noqa: PLC0415

    settings = load(AcceptSettings, os.environ)
    records, files = _stores()
    schedule = PollSchedule(settings.typical_render_seconds)
    return Api(_intake(settings), records, files, schedule=schedule, clock=utc_now)


@cache
def inbox() -> "Inbox":
    from wanflow.inbox import Inbox  # noqa: PLC0415

    _, files = _stores()
    return Inbox(_intake(load(AcceptSettings, os.environ)), files)


@cache
def workflow() -> "Workflow":
    from wanflow.connections import open_session  # noqa: PLC0415
    from wanflow.delivery import ReferenceDelivery  # noqa: PLC0415
    from wanflow.secret import CachedSecret  # noqa: PLC0415
    from wanflow.wan_client import WanClient  # noqa: PLC0415
    from wanflow.workflow import Rules, Workflow  # noqa: PLC0415

    settings = load(WanSettings, os.environ)
    records, files = _stores()
    wan = WanClient(
        open_session,
        CachedSecret(aws.secretsmanager, settings.wan_api_key_secret_arn, time.monotonic).read,
        base_url=settings.wan_api_base_url,
        submit_path=settings.wan_submit_path,
        status_path=settings.wan_status_path,
    )
    rules = Rules(settings.job_deadline_seconds, settings.max_generation_attempts, settings.on_unknown_submit)
    return Workflow(
        records,
        files,
        wan,
        ReferenceDelivery(files, settings.reference_delivery),
        schedule=PollSchedule(settings.typical_render_seconds),
        rules=rules,
        clock=utc_now,
        random=random.random,
    )


@cache
def finisher() -> "Finisher":
    from wanflow.finish import Finisher  # noqa: PLC0415

    records, files = _stores()
    return Finisher(records, files, aws.eventbridge)
