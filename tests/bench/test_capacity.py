"""The capacity model keeps the rules it models, and agrees with formulas where there are any."""

import re
import xml.etree.ElementTree as ET

import pytest

from bench.capacity import checks, plot, report, scenarios
from bench.capacity.parameters import Costs, Parameters
from bench.capacity.simulation import Limit, Server, Simulation


@pytest.fixture
def parameters() -> Parameters:
    return Parameters.default()


def test_processes_run_in_order_of_time() -> None:
    simulation = Simulation()
    seen: list[tuple[str, float]] = []

    def process(name: str, pause: float):  # type: ignore[no-untyped-def] # noqa: ANN202
        for _ in range(2):
            yield pause
            seen.append((name, simulation.now))

    simulation.start(process("slow", 3))
    simulation.start(process("fast", 1), after=0.5)
    simulation.run()

    assert seen == [("fast", 1.5), ("fast", 2.5), ("slow", 3), ("slow", 6)]


def test_a_limit_lets_a_window_pass_at_once_and_then_its_rate() -> None:
    limit = Limit(Simulation(), "reads", 10, window=1)

    waits = [limit.wait() for _ in range(30)]

    assert waits[:10] == [0.0] * 10
    assert waits[-1] == pytest.approx(2.0)
    assert limit.first_wait == 0
    assert limit.peak == 3


def test_a_core_does_one_thing_at_a_time() -> None:
    core = Server(Simulation())

    assert [core.time(2), core.time(1)] == [2, 3]
    assert core.busy == 3


def test_the_model_agrees_with_the_formulas(parameters: Parameters) -> None:
    for check in checks.by_formula(parameters):
        assert check.holds, str(check)


def test_a_check_that_does_not_hold_says_so() -> None:
    check = checks.Check("something, s", expected=10, modelled=12, tolerance=0.1)

    assert not check.holds
    assert "deviation +20.0% (DOES NOT HOLD" in str(check)


def test_everything_that_was_accepted_is_sent_once(parameters: Parameters) -> None:
    answer = scenarios.month_end(parameters, mailboxes=60, invoices=20)

    assert len(answer.service.accepted) == len(answer.service.sent) == 60 * 20


def test_no_mailbox_ever_exceeds_thirty_messages_a_minute(parameters: Parameters) -> None:
    answer = scenarios.month_end(parameters, mailboxes=1, invoices=70)
    moments = sorted(at for at, _ in answer.service.sent)

    assert len(moments) == 70
    assert min(b - a for a, b in zip(moments, moments[30:], strict=False)) >= 60


def test_a_burst_meets_the_limit_on_instances_first(parameters: Parameters) -> None:
    few = parameters.with_(maximum_instances=2)

    answer = scenarios.month_end(few, mailboxes=200, invoices=5)

    assert report.first_limit(answer.service).startswith("maximum instances")
    assert answer.service.deliver.most <= 2


def test_an_outage_holds_mail_until_it_ends(parameters: Parameters) -> None:
    answer = scenarios.outage(parameters, mailboxes=300, an_hour=4, begin=300, length=900)
    service = answer.service

    assert service.tally["token calls in vain"] > 0
    assert len(service.accepted) == len(service.sent)
    assert any("waited" in remark for remark in answer.remarks)


def test_time_that_is_billed_begins_at_a_second_and_goes_on_in_tenths() -> None:
    service = scenarios.month_end(Parameters.default(), mailboxes=3, invoices=1).service

    assert service.deliver.billed >= 1
    assert round(service.deliver.billed * 10, 6).is_integer()


def test_the_answer_is_told_in_words_with_its_cost(parameters: Parameters) -> None:
    answer = scenarios.steady_state(parameters, mailboxes=20_000, minutes=2)

    words = "\n".join(report.lines(answer, parameters.prices))

    assert re.search(r"throughput +\d+ messages in", words)
    assert re.search(r"cost +\$\d", words)
    assert "limits met   none" in words
    assert "upkeep has" in words


def test_the_picture_is_svg_with_a_column_for_each_answer(parameters: Parameters) -> None:
    answers = [scenarios.month_end(parameters, mailboxes=5, invoices=2)] * 2

    picture = ET.fromstring(plot.draw(answers))

    space = "{http://www.w3.org/2000/svg}"
    assert picture.tag == f"{space}svg"
    assert len(picture.findall(f".//{space}polyline")) == 2 * len(plot.PANELS)


def test_parameters_are_changed_by_name_and_unknown_ones_refused(parameters: Parameters) -> None:
    changed = parameters.with_(message_cpu=0.5, maximum_instances=7)

    assert (changed.costs.message_cpu, changed.limits.maximum_instances) == (0.5, 7)
    with pytest.raises(ValueError, match="no speed_of_light"):
        parameters.with_(speed_of_light=1)


def test_measured_costs_are_kept_and_read_again(tmp_path) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    path = tmp_path / "costs.json"
    Costs().keep(path, message_cpu=0.0042)
    Costs.read(path).keep(path, accept_cpu=0.0101)

    kept = Costs.read(path)
    assert (kept.message_cpu, kept.accept_cpu) == (0.0042, 0.0101)
    assert kept.measured.startswith("measured by make bench, last on 2")
    assert Costs.read(tmp_path / "none.json") == Costs()
