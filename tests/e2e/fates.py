"""How a job whose prompt carries a directive must end: the error table of the Wan API as the pipeline answers it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fate:
    """The end of one job.

    `error` is the code in the job document, `message` a part of its message; `submits` how many POSTs the provider
    got (None: more than one, within the limit), `created` how many tasks it made of them.
    """

    directive: str
    status: str
    error: str | None = None
    message: str = ""
    submits: int | None = 1
    created: int = 1


FATES = [
    # A refusal of the request is final: nothing was created, nothing is tried again.
    Fate("[[mock:001028001]]", "failed", "001028001", "reference_urls must be an array with 1-5 items", created=0),
    Fate("[[mock:001028002]]", "failed", "001028002", "maximum 5 images", created=0),
    Fate("[[mock:001028003]]", "failed", "001028003", "maximum 3 videos", created=0),
    Fate("[[mock:001028004]]", "failed", "001028004", "Invalid reference URL format", created=0),
    # The task is over and unpaid: one fresh task (MaxGenerationAttempts = 2), then the job fails.
    Fate("[[mock:001028095]]", "failed", "001028095", "Internal generation error", submits=2, created=2),
    Fate("[[mock:submit:001028095]]", "failed", "001028095", "Internal generation error", submits=2, created=0),
    Fate("[[mock:001028096]]", "failed", "001028096", "Result parsing error", submits=2, created=2),
    # Asked again and again until the deadline: a paid task may still complete.
    Fate("[[mock:001028097]]", "failed", "deadline_exceeded", "001028097"),
    Fate("[[mock:001028098]]", "failed", "deadline_exceeded", "001028098"),
    Fate("[[mock:poll:001028097*2]]", "completed"),
    Fate("[[mock:poll:001028098*2]]", "completed"),
    # Certainly not created: tried again with backoff, then given up.
    Fate("[[mock:001028099]]", "failed", "001028099", "Task creation error", submits=None, created=0),
    Fate("[[mock:submit:001028099*2]]", "completed", submits=3),
    # Nobody can know whether a task was created: never sent again.
    Fate("[[mock:submit:001028096]]", "failed", "submit_outcome_unknown", created=0),
    Fate("[[mock:submit:001028097]]", "failed", "submit_outcome_unknown", created=0),
    Fate("[[mock:submit:lost-answer]]", "failed", "submit_outcome_unknown", created=1),
    Fate("[[mock:submit:http-503]]", "failed", "submit_outcome_unknown", created=0),
    # Faults on the way to a paid video: lived through.
    Fate("[[mock:poll:http-503*3]]", "completed"),
    Fate("[[mock:poll:malformed*2]]", "completed"),
    Fate("[[mock:download:reset*1]]", "completed"),
]
