"""The report: sections come and go one by one, and figures are judged as they are."""

from pathlib import Path

from bench import report
from bench.result import Goal, Result, Row, Sample, Table, number

ORDER = ("first", "second")


def result(title: str, *values: float) -> Result:
    table = Table("what", "ms", (Row("ours", Sample.of(values), (0.5,)),), ("theirs",))
    return Result(title, 'make bench ARGS="x"', (table,), (Goal.at_most("it", 2, 1),), ("Why.",))


def test_a_section_that_is_written_again_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    report.write({"second": report.section("second", result("Second", 1))}, ORDER, path)
    report.write({"first": report.section("first", result("First", 1))}, ORDER, path)
    before = path.read_text()
    report.write({"first": report.section("first", result("First anew", 1))}, ORDER, path)
    after = path.read_text()

    assert after.index("## First anew") < after.index("## Second")
    assert "## First\n" not in after
    assert before.partition("<!-- section second")[2] == after.partition("<!-- section second")[2]


def test_a_table_shows_the_median_the_spread_and_the_ratio() -> None:
    shown = report.render(result("Title", 3, 1, 2000))

    assert "| ours | 3.00 | 1.00 to 2,000 | 0.50     |" in shown
    assert "| it: ≤ 2 x | 1.00 x   | yes     |" in shown


def test_a_goal_just_missed_is_missed() -> None:
    assert not Goal.at_least("it", 0.8, 0.7999).reached
    assert not Goal.at_most("it", 1.1, 1.1001).reached


def test_numbers_keep_three_digits() -> None:
    assert [number(each) for each in (12345.6, 99.94, 1.234, 0.0123456)] == [
        "12,346",
        "99.9",
        "1.23",
        "0.0123",
    ]
