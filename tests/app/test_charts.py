"""The positions of the bars of a chart."""

import itertools

from mozillians_basket.admin.charts import MOST_WORDS, PANEL, ROOM, WIDTH, panel, words


def test_the_highest_bar_fills_its_panel_and_the_others_are_in_proportion():
    carried = panel("Carried", "css", ["a", "b", "c"], [10, 5, 0], 10)

    tall, half = carried["bars"]
    assert float(tall["height"]) == PANEL - 4
    assert float(half["height"]) == (PANEL - 4) / 2
    assert {float(bar["y"]) + float(bar["height"]) for bar in carried["bars"]} == {PANEL}
    assert (carried["highest"], carried["total"]) == (10, 15)


def test_each_bar_stands_at_its_moment_and_within_the_chart():
    bars = panel("Carried", "css", ["a", "b", "c", "d"], [1, 1, 1, 1], 1)["bars"]

    lefts = [float(bar["x"]) for bar in bars]
    assert [bar["when"] for bar in bars] == ["a", "b", "c", "d"]
    assert lefts == sorted(lefts)
    assert all(left >= 0 and left + float(bar["width"]) <= WIDTH for left, bar in zip(
        lefts, bars, strict=True
    ))  # fmt: skip


def test_all_panels_of_charts_with_one_highest_number_have_one_scale():
    carried = panel("Carried", "x", ["a", "b"], [8, 0], 16)
    failed = panel("Failed", "y", ["a", "b"], [0, 4], 16)
    second = panel("Carried", "x", ["a", "b"], [16, 0], 16)

    heights = [float(each["bars"][0]["height"]) for each in (failed, carried, second)]
    assert heights[1] == 2 * heights[0]
    assert heights[2] == 2 * heights[1]
    assert (carried["css"], failed["css"]) == ("x", "y")


def test_a_small_number_is_still_a_bar():
    bars = panel("Carried", "css", ["a", "b"], [100_000, 1], 100_000)["bars"]

    assert float(bars[1]["height"]) == 2


def test_without_any_number_there_are_no_bars_and_nothing_is_divided_by_zero():
    empty = panel("Carried", "css", ["a", "b"], [0, 0], 0)

    assert empty["bars"] == []
    assert empty["highest"] == 0


def test_no_moment_at_all_is_a_chart_too():
    assert panel("Carried", "css", [], [], 0)["bars"] == []
    assert words([]) == []


def test_the_words_below_are_few_enough_not_to_run_into_each_other():
    found = words([str(hour) for hour in range(30)])

    assert len(found) <= MOST_WORDS
    assert found[0][1] == "0"
    gaps = [
        float(right) - float(left) for (left, _text), (right, _more) in itertools.pairwise(found)
    ]
    assert min(gaps) >= ROOM


def test_coordinates_are_text_that_no_language_changes():
    bars = panel("Carried", "css", ["a", "b", "c"], [3, 1, 2], 3)["bars"]

    assert all(
        isinstance(bar[name], str) and "," not in bar[name]
        for bar in bars
        for name in ("x", "y", "width", "height")
    )
