"""`make key` on the running stack: keys are made, used, replaced without losing a job, and disabled."""

import os
import re
import subprocess
from collections.abc import Iterator

import pytest
import requests

from local.settings import ROOT, STATE_VARIABLE
from local.up import endpoints_files
from tests.e2e.wanflow import Wanflow, marker


@pytest.fixture
def _found(wanflow: Wanflow) -> Iterator[None]:
    """As `make up` leaves it: the commands find the stack by its file."""
    with endpoints_files(wanflow.stack):
        yield


def make_key(wanflow: Wanflow, owner: str, revoke: str = "") -> str:
    command = ["make", "--no-print-directory", "key", f"NAME={owner}", f"REVOKE={revoke}"]
    environ = {**os.environ, STATE_VARIABLE: str(wanflow.stack.settings.state_dir)}
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def new_key(wanflow: Wanflow, owner: str) -> tuple[str, str]:
    """A new key's id and value, as the command tells them."""
    told = re.search(r"key id  (\S+)\nkey     (\S+)  \(shown this once\)", make_key(wanflow, owner))
    assert told is not None
    return told[1], told[2]


def status(wanflow: Wanflow, key: str, job_id: str) -> int:
    return requests.get(f"{wanflow.url}/videos/{job_id}", headers={"x-api-key": key}, timeout=60).status_code


@pytest.mark.usefixtures("_found")
def test_a_key_is_replaced_without_losing_its_jobs(wanflow: Wanflow) -> None:
    owner = marker()
    first_id, first = new_key(wanflow, owner)
    request = wanflow.request("character1 moves house [[mock:001028001]]")
    made = requests.post(f"{wanflow.url}/videos", json=request, headers={"x-api-key": first}, timeout=60)
    assert made.status_code == 202, made.text
    job_id = made.json()["id"]

    _, second = new_key(wanflow, owner)
    both = [status(wanflow, key, job_id) for key in (first, second)]
    told = make_key(wanflow, owner, revoke=first_id)

    assert both == [200, 200]
    assert told.startswith(f"Disabled {first_id}. Keys of {owner}: ")
    assert [status(wanflow, key, job_id) for key in (first, second)] == [403, 200]
    upload = requests.post(
        f"{wanflow.url}/uploads",
        json={"content_type": "image/png", "bytes": 1000},
        headers={"x-api-key": second},
        timeout=60,
    )
    assert upload.json()["reference"].startswith(f"s3://{wanflow.bucket}/uploads/{owner}/")


def test_another_owner_s_job_cannot_be_told_from_none(wanflow: Wanflow) -> None:
    job_id = wanflow.create("character1 hides [[mock:001028001]]")
    headers = {"x-api-key": wanflow.key_of(marker())}

    answers = [
        requests.get(f"{wanflow.url}/videos/{job_id}", headers=headers, timeout=60),
        requests.delete(f"{wanflow.url}/videos/{job_id}", headers=headers, timeout=60),
        requests.get(f"{wanflow.url}/videos/vid_00000000000000000000000000", headers=headers, timeout=60),
    ]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(404, answers[-1].json())] * 3
    assert requests.get(f"{wanflow.url}/videos", headers=headers, timeout=60).json()["videos"] == []
