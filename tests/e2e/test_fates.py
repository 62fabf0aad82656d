"""Every error code and every fault word, asked for inside a prompt, ends its job as the error table says."""

import pytest
import requests

from tests.e2e.conftest import StartedJob
from tests.e2e.fates import FATES, Fate
from tests.e2e.wanflow import Wanflow, read_video


@pytest.mark.parametrize("fate", FATES, ids=[fate.directive for fate in FATES])
def test_a_job_with_a_directive_in_its_prompt_ends_as_the_error_table_says(
    fate: Fate, wanflow: Wanflow, started_fates: dict[str, StartedJob]
) -> None:
    job = started_fates[fate.directive]

    document = wanflow.wait(job.job_id)

    assert document["status"] == fate.status, document
    if fate.error is None:
        assert "error" not in document
        assert document["usage"]["cost"] == "0.20"
        content = requests.get(document["output"][0]["content"][0]["url"], timeout=60).content
        assert (read_video(content).width, read_video(content).height) == (1280, 720)
    else:
        assert document["error"]["code"] == fate.error
        assert fate.message in document["error"]["message"]
        assert "output" not in document


@pytest.mark.parametrize("fate", FATES, ids=[fate.directive for fate in FATES])
def test_the_provider_got_no_submit_and_made_no_task_beyond_what_the_table_allows(
    fate: Fate, wanflow: Wanflow, started_fates: dict[str, StartedJob]
) -> None:
    job = started_fates[fate.directive]
    wanflow.wait(job.job_id)

    submits = wanflow.submits(job.marker)

    assert len(submits) == fate.submits if fate.submits else 1 < len(submits) <= 12
    assert len(wanflow.tasks(job.marker)) == fate.created
