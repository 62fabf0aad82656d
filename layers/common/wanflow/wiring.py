"""Where everything is put together: environment, clients, clock. One function for each Lambda, made once."""

import os
import random
import secrets
import time
from functools import cache
from typing import TYPE_CHECKING

from wanflow import aws
from wanflow.accept import Intake
from wanflow.budget import Budget, Limits
from wanflow.callbacks import CallbackRule, is_loopback
from wanflow.clock import utc_now
from wanflow.executions import Executions
from wanflow.files import Files
from wanflow.pricing import Prices
from wanflow.records import JobRecords
from wanflow.render_statistics import RenderStatistics
from wanflow.settings import (
    AcceptSettings,
    ApiSettings,
    BatchSettings,
    CallbackSettings,
    ConsoleSettings,
    ExecutionSettings,
    GateSettings,
    PollSettings,
    ReconcileSettings,
    SlotSettings,
    StoreSettings,
    WanSettings,
    WebhookSettings,
    load,
)

if TYPE_CHECKING:
    from wanflow.api import Api
    from wanflow.batches import BatchRows
    from wanflow.console import Console
    from wanflow.finish import Finisher
    from wanflow.gate import SubmitGate
    from wanflow.inbox import Inbox
    from wanflow.reconcile import Reconciler
    from wanflow.slots import Slots
    from wanflow.wan_client import WanClient
    from wanflow.webhooks import WebhookSender
    from wanflow.workflow import Workflow


@cache
def _store_settings() -> StoreSettings:
    return load(StoreSettings, os.environ)


def _table_name() -> str:
    return _store_settings().table_name


@cache
def _stores() -> tuple[JobRecords, Files]:
    return JobRecords(aws.dynamodb, _table_name(), utc_now), Files(aws.s3, _store_settings().bucket_name)


@cache
def _executions() -> Executions:
    return Executions(aws.stepfunctions, load(ExecutionSettings, os.environ).state_machine_arn)


@cache
def _settings() -> AcceptSettings:
    return load(AcceptSettings, os.environ)


@cache
def _gate() -> "SubmitGate":
    from wanflow.gate import SubmitGate  # noqa: PLC0415

    threshold = load(GateSettings, os.environ).pause_after_failures
    return SubmitGate(aws.dynamodb, _table_name(), threshold=threshold, clock=utc_now)


@cache
def _gate_and_slots() -> "tuple[SubmitGate, Slots]":
    from wanflow.slots import LEASE_MARGIN_SECONDS, Slots  # noqa: PLC0415

    settings = load(SlotSettings, os.environ)
    table = _table_name()
    gate = _gate()
    slots = Slots(
        aws.dynamodb,
        table,
        aws.stepfunctions,
        gate,
        capacity=settings.max_concurrent_tasks,
        lease_seconds=settings.job_deadline_seconds + LEASE_MARGIN_SECONDS,
        clock=utc_now,
    )
    return gate, slots


@cache
def _render_statistics() -> RenderStatistics:
    settings = load(PollSettings, os.environ)
    return RenderStatistics(
        aws.dynamodb,
        _table_name(),
        typical_seconds=settings.typical_render_seconds,
        clock=utc_now,
        monotonic=time.monotonic,
    )


def _callbacks(wan_api_base_url: str) -> CallbackRule:
    return CallbackRule(loopback=is_loopback(wan_api_base_url))


@cache
def _intake() -> Intake:
    settings = _settings()
    records, files = _stores()
    limits = Limits(
        per_job=settings.max_cost_per_job_usd,
        per_day=settings.daily_budget_usd,
        per_day_and_owner=settings.daily_budget_per_owner_usd,
    )
    return Intake(
        records,
        files,
        Budget(aws.dynamodb, _table_name(), limits=limits, clock=utc_now),
        prices=Prices(settings.price_720p_per_second, settings.price_1080p_per_second),
        callbacks=_callbacks(settings.wan_api_base_url),
        clock=utc_now,
        randbits=secrets.randbits,
    )


@cache
def api() -> "Api":
    from wanflow.api import Api  # noqa: PLC0415
    from wanflow.cancel import Canceller  # noqa: PLC0415
    from wanflow.owners import Owners  # noqa: PLC0415
    from wanflow.purge import Purger  # noqa: PLC0415
    from wanflow.uploads import Uploads  # noqa: PLC0415

    settings = load(ApiSettings, os.environ)
    records, files = _stores()
    return Api(
        _intake(),
        _executions(),
        Canceller(records, _executions()),
        Purger(records, files),
        Uploads(files, clock=utc_now, randbits=secrets.randbits),
        Owners(aws.dynamodb, _table_name(), time.monotonic),
        records,
        files,
        _gate(),
        render_statistics=_render_statistics(),
        cors_origins=settings.cors_origins,
        result_retention_days=settings.result_retention_days,
        clock=utc_now,
    )


@cache
def console() -> "Console":
    from importlib.resources import files  # noqa: PLC0415

    from wanflow.console import TYPES, Console  # noqa: PLC0415

    # The layer `ConsoleLayer` brings the folder along as if it were a package.
    found = [file for file in files("console").iterdir() if file.name.rpartition(".")[2] in TYPES]
    origins = load(ConsoleSettings, os.environ).bucket_origins
    # Where a local stack has the SDK, and with it the links into the bucket, lead to.
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    return Console({file.name: file.read_bytes() for file in found}, [*origins, *([endpoint] if endpoint else [])])


@cache
def inbox() -> "Inbox":
    from wanflow.batches import BatchIntake  # noqa: PLC0415
    from wanflow.inbox import Inbox  # noqa: PLC0415

    settings = load(BatchSettings, os.environ)
    _, files = _stores()
    maps = Executions(aws.stepfunctions, settings.batch_state_machine_arn)
    callbacks = _callbacks(_settings().wan_api_base_url)
    batches = BatchIntake(files, maps, concurrency=settings.batch_concurrency, callbacks=callbacks)
    return Inbox(_intake(), batches, _executions(), files)


@cache
def batch_rows() -> "BatchRows":
    from wanflow.batches import BatchRows  # noqa: PLC0415

    records, files = _stores()
    return BatchRows(_intake(), records, files)


@cache
def _wan() -> "WanClient":
    from wanflow.connections import open_public_session, open_session  # noqa: PLC0415
    from wanflow.secret import CachedSecret  # noqa: PLC0415
    from wanflow.wan_client import WanClient  # noqa: PLC0415

    settings = load(WanSettings, os.environ)
    return WanClient(
        open_session,
        CachedSecret(aws.secretsmanager, settings.wan_api_key_secret_arn, time.monotonic).read,
        open_public_session=open_public_session,
        monotonic=time.monotonic,
        base_url=settings.wan_api_base_url,
        submit_path=settings.wan_submit_path,
        status_path=settings.wan_status_path,
    )


@cache
def workflow() -> "Workflow":
    from wanflow.delivery import ReferenceDelivery  # noqa: PLC0415
    from wanflow.workflow import Rules, Workflow  # noqa: PLC0415

    settings = load(WanSettings, os.environ)
    records, files = _stores()
    gate, slots = _gate_and_slots()
    return Workflow(
        records,
        files,
        _wan(),
        ReferenceDelivery(files, settings.reference_delivery),
        slots,
        gate,
        render_statistics=_render_statistics(),
        rules=Rules(
            job_deadline_seconds=settings.job_deadline_seconds,
            max_queue_seconds=settings.max_queue_seconds,
            max_generation_attempts=settings.max_generation_attempts,
            on_unknown_submit=settings.on_unknown_submit,
        ),
        clock=utc_now,
        random=random.random,
    )


@cache
def finisher() -> "Finisher":
    from wanflow.finish import Finisher  # noqa: PLC0415
    from wanflow.webhook_queue import WebhookQueue  # noqa: PLC0415

    records, files = _stores()
    _, slots = _gate_and_slots()
    webhooks = WebhookQueue(aws.sqs, load(CallbackSettings, os.environ).webhook_queue_url)
    return Finisher(records, files, slots, aws.eventbridge, webhooks, _render_statistics())


@cache
def webhook_sender() -> "WebhookSender":
    from wanflow.connections import open_public_session, open_session  # noqa: PLC0415
    from wanflow.secret import SigningSecrets  # noqa: PLC0415
    from wanflow.webhooks import WHOLE_TRY_SECONDS, WebhookSender  # noqa: PLC0415

    settings = load(WebhookSettings, os.environ)
    _, files = _stores()
    return WebhookSender(
        files,
        aws.sqs,
        SigningSecrets(aws.secretsmanager, settings.webhook_secret_arn, utc_now).read,
        queue_url=settings.webhook_queue_url,
        dead_letters_url=settings.webhook_dead_letters_url,
        rule=_callbacks(settings.wan_api_base_url),
        open_session=open_session,
        open_public_session=lambda: open_public_session(WHOLE_TRY_SECONDS),
        clock=utc_now,
        random=random.random,
    )


@cache
def reconciler() -> "Reconciler":
    from wanflow.gauges import Gauges  # noqa: PLC0415
    from wanflow.reconcile import Reconciler  # noqa: PLC0415

    records, _ = _stores()
    gate, slots = _gate_and_slots()
    daily_budget_usd = load(ReconcileSettings, os.environ).daily_budget_usd
    budget = Budget(aws.dynamodb, _table_name(), limits=Limits(per_day=daily_budget_usd), clock=utc_now)
    return Reconciler(
        records,
        _executions(),
        finisher(),
        slots,
        workflow(),
        _wan(),
        Gauges(slots, gate, budget, daily_budget_usd=daily_budget_usd, clock=utc_now),
        max_queue_seconds=load(WanSettings, os.environ).max_queue_seconds,
        clock=utc_now,
    )
