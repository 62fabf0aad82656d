"""Many jobs at once, on the few processes that a laptop has to give."""

from concurrent.futures import ThreadPoolExecutor

from tests.e2e.wanflow import Wanflow, marker

JOBS = 50


def test_fifty_jobs_at_once_all_complete_and_none_is_paid_twice(wanflow: Wanflow) -> None:
    scene = marker()

    with ThreadPoolExecutor(JOBS) as pool:
        ids = list(pool.map(lambda number: wanflow.create(f"character1 is number {number}, {scene}"), range(JOBS)))
    ends = [wanflow.wait(job_id)["status"] for job_id in ids]

    assert ends == ["completed"] * JOBS
    assert len(set(ids)) == JOBS
    assert len(wanflow.tasks(scene)) == JOBS
    assert len(wanflow.submits(scene)) == JOBS
