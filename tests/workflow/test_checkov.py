"""Findings of checkov that are suppressed: each has a reason beside it. `make check` runs checkov itself."""

import re

from tests.template import ROOT, Template

CONFIG = (ROOT / ".checkov.yaml").read_text("utf-8")


def test_every_finding_that_is_skipped_everywhere_has_its_reason_above_it() -> None:
    skipped = CONFIG.split("skip-check:\n")[1].splitlines()
    reasons = [line.strip().startswith("#") for line in skipped]
    assert reasons[0]
    assert any(re.fullmatch(r" +- CKV_AWS_\d+", line) for line in skipped)
    assert all(re.fullmatch(r" +(- CKV_AWS_\d+|# .+)", line) for line in skipped)


def test_every_finding_that_is_skipped_on_a_resource_has_a_comment() -> None:
    resources = Template().raw["Resources"].values()
    skips = [skip for each in resources for skip in each.get("Metadata", {}).get("checkov", {}).get("skip", ())]
    assert skips
    assert all(re.fullmatch(r"CKV_AWS_\d+", skip["id"]) and len(skip["comment"]) > 40 for skip in skips)
