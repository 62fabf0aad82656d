"""What must hold when a stack has come to rest, whatever happened to it. Judged from outside: by the provider's books,
the bucket, the bus and the table, not by the code that wrote them."""

import json
from decimal import Decimal

from mock_server.tasks import Task
from tests.guarantees.world import WEBHOOK_KEY, World
from tests.stack import WAN_KEY
from wanflow.documents import job_document
from wanflow.jobs import FINAL, Job, to_json

_SECRETS = (WAN_KEY, WEBHOOK_KEY, "X-Amz-Signature", "x-amz-signature", ";base64,")


def check_rest(world: World, *, resubmits: bool = False, may_lose_events: bool = False) -> None:
    """Every promise that needs no knowledge of the scenario. Raises AssertionError that names the job."""
    # Tasks that nobody waits for end too, and are billed.
    world.clock.advance(3 * 3600)
    world.provider.state.tasks.advance(world.provider.state.clock.now())
    assert world.broken == []
    assert world.lost_events == [] or may_lose_events, "an event was dropped"
    assert world.dead_letters == [], "a webhook was given up"
    assert world.tickets() == [], "somebody still waits for a slot"
    assert world.leases() == {}, "a slot is still taken"
    for job in world.jobs():
        check_job(world, job, resubmits=resubmits)
    check_budget(world)
    check_learned(world)
    for secret in _SECRETS:
        assert secret not in world.log.getvalue(), "a secret was logged"


def check_job(world: World, job: Job, *, resubmits: bool) -> None:
    """One job at rest."""
    what = f"{job.id} {world.statuses[job.id]} {job.error} {[(a.state, a.task_id) for a in job.attempts]}"
    assert job.is_final, f"lost: {what}"
    assert not job.is_open, f"still in open_jobs: {what}"
    _check_one_end(world, job, what)
    _check_paid(world, job, what, resubmits=resubmits)
    _check_video(world, job, what)
    _check_told(world, job, what)
    execution = world.workflows.executions.get(job.id)
    assert execution is None or execution.status != "RUNNING", f"its execution never ended: {what}"


def _check_one_end(world: World, job: Job, what: str) -> None:
    ends = [status for status in world.statuses[job.id] if status in FINAL]
    if job.rescued:
        assert ends == ["failed", "completed"], what
    else:
        assert len(ends) == 1, what
        assert world.statuses[job.id][-1] == ends[0], what


def _check_paid(world: World, job: Job, what: str, *, resubmits: bool) -> None:
    tasks = world.tasks_of(job)
    unfailed = [task for task in tasks if task.status != "failed"]
    # Not only paid once: while a task may still complete, no second one is even asked for.
    assert len(unfailed) <= 1 or resubmits, f"{len(unfailed)} tasks may be paid: {what}"
    assert job.status != "completed" or unfailed, f"completed without a task: {what}"
    expected = expected_cost(job, {task.id: task for task in tasks})
    assert job.booked_usd == expected, f"booked {job.booked_usd}, not {expected}: {what}"
    billed = sum((task.cost_usd for task in tasks if task.status == "completed"), Decimal(0))
    assert job.booked_usd >= billed, f"booked {job.booked_usd}, billed {billed}: {what}"


def expected_cost(job: Job, tasks: dict[str, Task]) -> Decimal:
    """By the provider's books where the task is known, the estimate where nobody can know (design.md)."""
    total = Decimal(0)
    for attempt in job.attempts:
        if attempt.task_id is not None:
            task = tasks[attempt.task_id]
            total += task.cost_usd if task.status == "completed" else Decimal(0)
        elif attempt.state in {"unknown", "submitting"}:
            total += job.estimate_usd
    return total


def _check_video(world: World, job: Job, what: str) -> None:
    for key, content in world.bucket.objects.items():
        if key.startswith(f"videos/{job.id}") and key.endswith(".mp4"):
            assert content == world.video, f"{key} is not whole: {what}"
    if job.status == "completed":
        assert [video.bytes for video in job.stored] == [len(world.video)], what
        assert all(video.key in world.bucket.objects for video in job.stored), what
        assert job.result is not None, what
        assert job.result["usage"]["cost"], f"no usage: {what}"


def _check_told(world: World, job: Job, what: str) -> None:
    told = {detail["id"] for detail in world.bus.details if detail["id"].startswith(job.id)}
    ends = [status for status in world.statuses[job.id] if status in FINAL]
    assert told == {f"{job.id}.{status}" for status in ends}, f"events {told}: {what}"
    hooks = {event for event in world.webhooks if event.startswith(job.id)}
    assert hooks == (told if job.callback_url else set()), f"webhooks {hooks}: {what}"
    bucket = world.template.ref("VideosBucket")
    document = json.loads(to_json(job_document(job, lambda key: f"s3://{bucket}/{key}")))
    written = json.loads(world.bucket.objects[f"videos/{job.id}.json"])
    for each in (document, written):
        # These go on after the end: a late task id, a cost corrected.
        for name in ("updated_at", "attempts", "submitted_at"):
            each.pop(name, None)
    assert written == document, what
    if job.source.verdict_key is not None:
        assert json.loads(world.bucket.objects[job.source.verdict_key])["status"] == job.status, what


def check_budget(world: World) -> None:
    """What is committed is what the jobs are booked with, to the last microdollar."""
    expected: dict[tuple[str, str], Decimal] = {}
    for job in world.jobs():
        held = job.reservation
        for scope in held.scopes if held else ():
            assert held is not None
            assert job.booked_usd is not None
            expected[held.day, scope] = expected.get((held.day, scope), Decimal(0)) + job.booked_usd
    assert world.committed() == expected


def check_learned(world: World) -> None:
    """No job counts twice in the render times, and none whose end no poll saw; some may be left out."""
    seen = {job.id for job in world.jobs() if job.end_seen is not None}
    for pk, sk in [key for key in world.table.items if key[0].startswith("render_times#")]:
        item = world.item(pk, sk)
        counted = item["last_jobs"]
        assert len(set(counted)) == len(counted), f"{pk} counts a job twice"
        assert set(counted) <= seen, f"{pk} counts a job whose end nobody saw"
        assert sum(json.loads(item["counts"]).values()) <= len(seen) + 0.01, f"{pk} counts more jobs than there are"
