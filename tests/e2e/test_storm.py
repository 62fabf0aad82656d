"""A short storm: the promises hold on a running stack while its processes die and the provider fails."""

from local.storm import Storm, plans, storm_stack

JOBS = 30
SHARE = 0.4


def test_a_storm_of_faults_and_kills_breaks_no_promise() -> None:
    with storm_stack("storm-test") as stack:
        report = Storm(stack, plans(JOBS, SHARE, seed=3), seed=3).run()

    assert report.broken == []
    assert sum(report.ends.values()) == JOBS
    assert report.ends["completed"] > JOBS / 2
    # It was a storm.
    assert report.kills > 0
    assert report.repeats > 0
