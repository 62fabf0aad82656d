"""Wanflow's client: videos from pictures, clips and a prompt.

from wanflow_client import VideoRequest, Wanflow

wanflow = Wanflow("https://….amazonaws.com/v1", "the API key")
job = wanflow.create_and_wait(VideoRequest(prompt="character1 waves", references=["cat.png"]))
wanflow.download(job, "cat.mp4")
"""

from wanflow_client.client import AnyRequest, Progress, Wanflow
from wanflow_client.documents import FINAL, Estimate, Job, Status, Violation
from wanflow_client.errors import (
    ApiError,
    BadFile,
    BudgetExceeded,
    Conflict,
    CreateUnclear,
    Forbidden,
    InvalidRequest,
    JobCanceled,
    JobFailed,
    NotFound,
    ServerError,
    StillRunning,
    TooManyRequests,
    TransferFailed,
    Unreachable,
    WanflowError,
)
from wanflow_client.request import VideoRequest

__all__ = [
    "FINAL",
    "AnyRequest",
    "ApiError",
    "BadFile",
    "BudgetExceeded",
    "Conflict",
    "CreateUnclear",
    "Estimate",
    "Forbidden",
    "InvalidRequest",
    "Job",
    "JobCanceled",
    "JobFailed",
    "NotFound",
    "Progress",
    "ServerError",
    "Status",
    "StillRunning",
    "TooManyRequests",
    "TransferFailed",
    "Unreachable",
    "VideoRequest",
    "Violation",
    "Wanflow",
    "WanflowError",
]
