"""The positions of the bars of a chart."""

from mozillians_basket.admin.charts import MOST_WORDS, PANEL, ROOM, WIDTH, Series, draw


def test_the_highest_bar_fills_its_panel_and_the_others_are_in_proportion():
    chart = draw(["a", "b", "c"], [Series("Carried", "css", [10, 5, 0])], 10)

    (panel,) = chart.panels
    tall, half = panel.bars
    assert float(tall.height) == PANEL - 4
    assert float(half.height) == (PANEL - 4) / 2
    assert {float(bar.y) + float(bar.height) for bar in panel.bars} == {float(chart.base_y)}
    assert (panel.highest, panel.total) == (10, 15)


def test_each_bar_stands_at_its_moment_and_within_the_chart():
    chart = draw(["a", "b", "c", "d"], [Series("Carried", "css", [1, 1, 1, 1])], 1)

    lefts = [float(bar.x) for bar in chart.panels[0].bars]
    assert [bar.when for bar in chart.panels[0].bars] == ["a", "b", "c", "d"]
    assert lefts == sorted(lefts)
    assert all(left >= 0 and left + float(bar.width) <= WIDTH for left, bar in zip(
        lefts, chart.panels[0].bars, strict=True
    ))  # fmt: skip


def test_all_panels_of_charts_with_one_highest_number_have_one_scale():
    first = draw(["a", "b"], [Series("Carried", "x", [8, 0]), Series("Failed", "y", [0, 4])], 16)
    second = draw(["a", "b"], [Series("Carried", "x", [16, 0])], 16)

    carried, failed = first.panels
    assert float(carried.bars[0].height) == 2 * float(failed.bars[0].height)
    assert float(second.panels[0].bars[0].height) == 2 * float(carried.bars[0].height)
    assert (carried.css, failed.css) == ("x", "y")


def test_a_small_number_is_still_a_bar():
    (panel,) = draw(["a", "b"], [Series("Carried", "css", [100_000, 1])], 100_000).panels

    assert float(panel.bars[1].height) == 2


def test_without_any_number_there_are_no_bars_and_nothing_is_divided_by_zero():
    chart = draw(["a", "b"], [Series("Carried", "css", [0, 0])], 0)

    assert chart.panels[0].bars == ()
    assert chart.panels[0].highest == 0


def test_no_moment_at_all_is_a_chart_too():
    assert draw([], [Series("Carried", "css", [])], 0).words == ()


def test_the_words_below_are_few_enough_not_to_run_into_each_other():
    chart = draw([str(hour) for hour in range(30)], [Series("Carried", "css", [1] * 30)], 1)

    assert len(chart.words) <= MOST_WORDS
    assert chart.words[0].text == "0"
    gaps = [
        float(right.x) - float(left.x)
        for left, right in zip(chart.words, chart.words[1:], strict=False)
    ]
    assert min(gaps) >= ROOM


def test_coordinates_are_text_that_no_language_changes():
    (panel,) = draw(["a", "b", "c"], [Series("Carried", "css", [3, 1, 2])], 3).panels

    assert all(
        isinstance(value, str) and "," not in value
        for bar in panel.bars
        for value in (bar.x, bar.y, bar.width, bar.height)
    )
