"""What is asked about charts: one file a family of questions. Each `pose` draws the answer first, then a chart."""

from engines.base import Engine, QuestionType
from engines.chart.draw import draw, maps
from engines.chart.facts import facts
from engines.chart.questions import (
    axes,
    bars,
    cells,
    compare,
    groups,
    lines,
    numeric,
    objects,
    shares,
)
from engines.chart.questions.make import DENSE_SIZES, SIZES, WIDE_SIZES, WORDY_SIZES

__all__ = ["ENGINE"]

ENGINE = Engine(
    name="chart",
    version=4,
    types=(
        QuestionType("read_bar", bars.pose_read_bar, SIZES),
        QuestionType("read_between", bars.pose_read_between, SIZES),
        QuestionType("extreme_bar", bars.pose_extreme_bar, SIZES),
        QuestionType("count_above", bars.pose_count_above, SIZES),
        QuestionType("count_marks", bars.pose_count_marks, SIZES),
        QuestionType("compare_bars", compare.pose_compare_bars, SIZES),
        QuestionType("sum_bars", compare.pose_sum_bars, SIZES),
        QuestionType("ratio_bars", compare.pose_ratio_bars, SIZES),
        QuestionType("rank_order", compare.pose_rank_order, SIZES),
        QuestionType("compose", objects.pose_compose, SIZES),
        QuestionType("extreme_sector", shares.pose_extreme_sector, SIZES),
        QuestionType("stacked_part", shares.pose_stacked_part, DENSE_SIZES),
        QuestionType("group_value", groups.pose_group_value, DENSE_SIZES),
        QuestionType("best_series", groups.pose_best_series, WORDY_SIZES),
        QuestionType("legend_lookup", groups.pose_legend_lookup, WORDY_SIZES),
        QuestionType("radar_value", groups.pose_radar_value, DENSE_SIZES),
        QuestionType("line_value", lines.pose_line_value, SIZES),
        QuestionType("line_crossings", lines.pose_line_crossings, WIDE_SIZES),
        QuestionType("crossing_place", lines.pose_crossing_place, WIDE_SIZES),
        QuestionType("steepest", lines.pose_steepest, WIDE_SIZES),
        QuestionType("longest_run", lines.pose_longest_run, WIDE_SIZES),
        QuestionType("trend_lines", lines.pose_trend_lines, DENSE_SIZES),
        QuestionType("table_cell", cells.pose_table_cell, WORDY_SIZES),
        QuestionType("table_find", cells.pose_table_find, WORDY_SIZES),
        QuestionType("table_row", cells.pose_table_row, WORDY_SIZES),
        QuestionType("heat_value", cells.pose_heat_value, WORDY_SIZES),
        QuestionType("scatter_point", numeric.pose_scatter_point, WIDE_SIZES),
        QuestionType("scatter_outlier", numeric.pose_scatter_outlier, WIDE_SIZES),
        QuestionType("scatter_count", numeric.pose_scatter_count, WIDE_SIZES),
        QuestionType("hist_bin", numeric.pose_hist_bin, WIDE_SIZES),
        QuestionType("box_value", numeric.pose_box_value, WIDE_SIZES),
        QuestionType("axis_step", axes.pose_axis_step, WIDE_SIZES),
        QuestionType("axis_range", axes.pose_axis_range, WIDE_SIZES),
        QuestionType("axis_words", axes.pose_axis_words, WORDY_SIZES),
        QuestionType("kth_largest", bars.pose_kth_largest, SIZES, held_out=True),
        QuestionType("line_rise", lines.pose_line_rise, SIZES, held_out=True),
        QuestionType("pie_share", shares.pose_pie_share, SIZES, held_out=True),
        QuestionType("heat_count", cells.pose_heat_count, WORDY_SIZES, held_out=True),
        QuestionType("table_best", cells.pose_table_best, WORDY_SIZES, held_out=True),
        QuestionType("box_extreme", numeric.pose_box_extreme, WIDE_SIZES, held_out=True),
    ),
    draw=draw,
    facts=facts,
    maps=maps,
)
