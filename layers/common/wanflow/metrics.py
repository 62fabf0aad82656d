"""What is counted and measured: the names, and the one way to write them (docs/operations.md, Metrics).

A metric is one line of JSON on stdout, in CloudWatch's embedded metric format: no call, and no client. Each has the
dimension `service`, the stack's name, and at most one more, whose values are few and known: every combination of
values is a metric that CloudWatch bills, so ids, owners and the provider's own words never become one.
"""

import logging
import os
from decimal import Decimal
from typing import Literal, NamedTuple

from aws_lambda_powertools.metrics import single_metric

logger = logging.getLogger("wanflow")

NAMESPACE = "Wanflow"


class Metric(NamedTuple):
    """`unit` is CloudWatch's ("None" for US dollars); `dimension` is the one beside `service`, if any."""

    name: str
    unit: Literal["Count", "Milliseconds", "None", "Percent", "Seconds"]
    dimension: Literal["code", "lane", "outcome", "status"] | None = None


JOBS_ACCEPTED = Metric("JobsAccepted", "Count")
JOBS_ENDED = Metric("JobsEnded", "Count", "status")
JOB_ERRORS = Metric("JobErrors", "Count", "code")
SUBMIT_ERRORS = Metric("SubmitErrors", "Count", "code")
POLL_ERRORS = Metric("PollErrors", "Count", "code")
STORE_ERRORS = Metric("StoreErrors", "Count", "code")
UNKNOWN_OUTCOMES = Metric("UnknownOutcomes", "Count")
SUBMIT_FAILURES_IN_A_ROW = Metric("SubmitFailuresInARow", "Count")
SUBMIT_LATENCY = Metric("SubmitLatency", "Milliseconds")
POLL_LATENCY = Metric("PollLatency", "Milliseconds")
QUEUE_WAIT = Metric("QueueWait", "Seconds", "lane")
RENDER_TIME = Metric("RenderTime", "Seconds")
POLLS_PER_JOB = Metric("PollsPerJob", "Count")
COST_RESERVED = Metric("CostReserved", "None")
COST_BOOKED = Metric("CostBooked", "None")
BUDGET_USED = Metric("BudgetUsed", "Percent")
OLDEST_OPEN_JOB_AGE = Metric("OldestOpenJobAge", "Seconds")
OPEN_JOBS = Metric("OpenJobs", "Count", "status")
WAITING_JOBS = Metric("WaitingJobs", "Count", "lane")
SLOTS_TAKEN = Metric("SlotsTaken", "Count")
RECONCILE_ERRORS = Metric("ReconcileErrors", "Count")
WEBHOOK_TRIES = Metric("WebhookTries", "Count", "outcome")

ALL = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

OTHER_CODE = "other"
CODES = frozenset(
    {
        *(f"00102800{number}" for number in range(1, 5)),
        *(f"0010280{number}" for number in range(95, 100)),
        "budget_exceeded",
        "canceled",
        "deadline_exceeded",
        "download_failed",
        "generation_failed",
        "internal_error",
        "interrupted",
        "invalid_request",
        "no_answer",
        "provider_error",
        "provider_unauthorized",
        "provider_unreachable",
        "queue_timeout",
        "result_unavailable",
        "submit_outcome_unknown",
    }
)
"""Values of the dimension `code`; a code that the provider made up is `other`."""


def record(metric: Metric, value: float | Decimal = 1, label: str | None = None) -> None:
    """Write one value of a metric. One that cannot be written is logged and missed: no job depends on it.

    Args:
        label: the value of the metric's dimension; for a metric without one, None.

    Raises:
        ValueError: a label is missing, or there is one too many.
    """
    if (label is None) != (metric.dimension is None):
        raise ValueError(f"{metric.name} takes {'no label' if metric.dimension is None else metric.dimension}")
    dimensions = {"service": os.environ.get("POWERTOOLS_SERVICE_NAME", "wanflow")}
    if metric.dimension is not None and label is not None:
        is_strange = metric.dimension == "code" and label not in CODES
        dimensions[metric.dimension] = OTHER_CODE if is_strange else label
    try:
        # One line at once, and not at the end of the call: a function that dies afterwards has counted what it did.
        with single_metric(metric.name, metric.unit, float(value), namespace=NAMESPACE, default_dimensions=dimensions):  # type: ignore[arg-type]
            pass
    except Exception:
        # Some are written between a submit and the note of its task's id: what fails there would be paid for.
        logger.exception("metric not written", extra={"metric": metric.name})
