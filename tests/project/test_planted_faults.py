"""The faults of ``make planted-faults`` can still be planted."""

import pytest

from tests.rules.planted_faults import FAULTS as IN_RULES
from tests.rules.planted_faults import ROOT
from tests.upkeep.planted_faults import FAULTS as IN_LEDGER

PLANTED = [
    *((f"rules/{fault.module}", fault.text) for fault in IN_RULES),
    *((fault.module, fault.text) for fault in IN_LEDGER),
]


@pytest.mark.parametrize(("module", "text"), PLANTED)
def test_text_of_a_planted_fault_stands_once_in_its_module(module: str, text: str) -> None:
    source = (ROOT / "mozillians_basket" / f"{module}.py").read_text()

    assert source.count(text) == 1
