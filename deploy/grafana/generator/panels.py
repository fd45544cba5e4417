"""The few kinds of panels that the dashboards are made of; each takes what differs, and sets the rest."""

from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, text, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.generator.links import data_links
from deploy.grafana.generator.queries import BUCKET, NOTHING
from deploy.grafana.generator.words import GOOD, NEUTRAL, YES_NO, Step

DATASOURCE = shapes.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24
"""Of Grafana's grid."""
Links = Sequence[tuple[str, str]]
Queries = Mapping[str, str]
"""By legend: what is asked. A legend may hold labels, as in `{{rule}}`."""


def series(
    number: int,
    title: str,
    description: str,
    queries: Queries,
    *,
    unit: str = "short",
    colours: Mapping[str, str] | None = None,
    fill: int = 10,
    stacked: bool = False,
) -> model.Panel:
    """Lines over time; those without a colour of their own are shades of blue."""
    panel = timeseries.Panel().draw_style(shapes.GraphDrawStyle.LINE).fill_opacity(fill).line_width(1.5)
    panel.line_interpolation(shapes.LineInterpolation.LINEAR).show_points(shapes.VisibilityMode.NEVER)
    if stacked:
        # Without lines: that of a series which is zero would lie upon the one below, and look like it.
        panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL)).line_width(0)
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.SHADES).fixed_color(GOOD))
    return _graph(panel, number, title, description, queries, unit, colours or {})


def bars(
    number: int,
    title: str,
    description: str,
    queries: Queries,
    *,
    colours: Mapping[str, str] | None = None,
    links: Links = (),
    exemplars: bool = False,
) -> model.Panel:
    """How often, in each stretch of time: stacked."""
    panel = timeseries.Panel().draw_style(shapes.GraphDrawStyle.BARS).fill_opacity(80).line_width(0).decimals(0)
    panel.bar_alignment(shapes.BarAlignment.BEFORE).bar_width_factor(0.9).interval(BUCKET)
    panel.show_points(shapes.VisibilityMode.NEVER).axis_soft_max(4)
    panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
    hidden = {"legend": True, "tooltip": True, "viz": False}
    panel.override_by_regexp(f"/^{NOTHING}/", [_property("custom.hideFrom", hidden)])
    return _graph(panel, number, title, description, queries, "short", colours or {}, links, exemplars)


def _graph(
    panel: Any,
    number: int,
    title: str,
    description: str,
    queries: Queries,
    unit: str,
    colours: Mapping[str, str],
    links: Links = (),
    exemplars: bool = False,
) -> model.Panel:
    panel.legend(
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(shapes.LegendDisplayMode.LIST)
        .placement(shapes.LegendPlacement.BOTTOM)
    )
    panel.tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
    panel.min(0)
    _paint(panel, colours)
    if links:
        panel.override_by_regexp("/.*/", [_property("links", data_links(*links))])
    return _finished(panel, number, title, description, unit, NEUTRAL, _asked(queries, exemplars=exemplars))


def numbers(
    number: int,
    title: str,
    description: str,
    queries: Queries,
    *,
    unit: str = "short",
    steps: tuple[Step, ...] = NEUTRAL,
    mappings: list[model.ValueMapping] | None = None,
    colours: Mapping[str, str] | None = None,
    solid: bool = False,
    spark: bool = False,
    decimals: int | None = 0,
    named: bool | None = None,
    value: bool = True,
) -> model.Panel:
    """Large numbers, or words in their place. `colours`: the grounds of those that are not zero. `solid`: the ground
    has the colour; `spark`: with the way it took; without `value`: the name alone.
    """
    panel = stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.color_mode(shapes.BigValueColorMode.BACKGROUND_SOLID if solid or colours else shapes.BigValueColorMode.VALUE)
    panel.graph_mode(shapes.BigValueGraphMode.AREA if spark else shapes.BigValueGraphMode.NONE)
    panel.justify_mode(shapes.BigValueJustifyMode.CENTER).orientation(shapes.VizOrientation.VERTICAL)
    with_names = len(queries) > 1 if named is None else named
    shown = shapes.BigValueTextMode.VALUE_AND_NAME if with_names else shapes.BigValueTextMode.VALUE
    panel.text_mode(shown if value else shapes.BigValueTextMode.NAME)
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)).mappings(mappings or [])
    if decimals is not None:
        panel.decimals(decimals)
    if colours:
        steps = (Step(None, "transparent"),)
    for name, colour in (colours or {}).items():
        limits = {"mode": "absolute", "steps": [{"value": None, "color": "transparent"}, {"value": 1, "color": colour}]}
        panel.override_by_name(name, [_property("thresholds", limits)])
    return _finished(panel, number, title, description, unit, steps, _asked(queries, instant=not spark))


def states(
    number: int,
    title: str,
    description: str,
    queries: Queries,
    *,
    mappings: list[model.ValueMapping] | None = None,
) -> model.Panel:
    """What held when: a line for each reason."""
    panel = statetimeline.Panel().merge_values(True).show_value(shapes.VisibilityMode.NEVER).row_height(0.8)
    panel.fill_opacity(85).line_width(0).mappings(mappings or YES_NO)
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.legend(common.VizLegendOptions().show_legend(False).display_mode(shapes.LegendDisplayMode.LIST))
    return _finished(panel, number, title, description, "short", NEUTRAL, _asked(queries))


def gauges(
    number: int,
    title: str,
    description: str,
    queries: Queries,
    *,
    unit: str,
    steps: tuple[Step, ...],
    mappings: list[model.ValueMapping] | None = None,
    largest: float | None = None,
) -> model.Panel:
    """Bars beside each other, for what is to be compared."""
    panel = bargauge.Panel().orientation(shapes.VizOrientation.HORIZONTAL)
    panel.display_mode(shapes.BarGaugeDisplayMode.BASIC).show_unfilled(True).min(0).mappings(mappings or [])
    panel.value_mode(shapes.BarGaugeValueMode.TEXT)
    if largest is not None:
        panel.max(largest)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    return _finished(panel, number, title, description, unit, steps, _asked(queries, instant=True))


def rows(
    number: int,
    title: str,
    description: str,
    columns: Queries,
    *,
    labels: Sequence[str],
    properties: Mapping[str, Mapping[str, Any]],
    sorted_by: str,
    empty: str,
) -> model.Panel:
    """A table: a line for each set of labels, a column for each query, by its title."""
    panel = table.Panel().no_value(empty).cell_height(shapes.TableCellHeight.SM)
    panel.sort_by([common.TableSortByFieldState().display_name(sorted_by).desc(True)])
    targets = _asked(columns, instant=True, as_table=True)
    names = {f"Value #{target_id}": title for target_id, title in zip(_letters(len(columns)), columns, strict=True)}
    if len(columns) == 1:
        names = {"Value": next(iter(columns))}
    places = {name: place for place, name in enumerate((*labels, *names))}
    names |= {label: label.capitalize() for label in labels}
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    chosen = {"excludeByName": {"Time": True}, "indexByName": places, "renameByName": names}
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=chosen))
    for name, values in properties.items():
        panel.override_by_name(name, [_property(key, value) for key, value in values.items()])
    return _finished(panel, number, title, description, "short", NEUTRAL, targets)


def words(number: int, title: str, description: str, markdown: str) -> model.Panel:
    """A few lines to read."""
    panel = text.Panel().content(markdown).mode("markdown")  # type: ignore[arg-type]  # its enum has the same words
    panel.id(number).title(title).description(description)
    return panel.build()


def _finished(
    panel: Any,
    number: int,
    title: str,
    description: str,
    unit: str,
    steps: tuple[Step, ...],
    targets: Sequence[prometheus.Dataquery],
) -> model.Panel:
    panel.id(number).title(title).description(description).unit(unit).datasource(DATASOURCE)
    limits = build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE)
    panel.thresholds(limits.steps([model.Threshold(value=step.value, color=step.colour) for step in steps]))
    for target in targets:
        panel.with_target(target)
    made: model.Panel = panel.build()
    return made


def _asked(
    queries: Queries, *, instant: bool = False, as_table: bool = False, exemplars: bool = False
) -> list[prometheus.Dataquery]:
    targets = []
    for letter, (legend, expr) in zip(_letters(len(queries)), queries.items(), strict=True):
        target = prometheus.Dataquery().ref_id(letter).expr(expr).legend_format(legend).datasource(DATASOURCE)
        target = target.instant() if instant else target.range()
        if as_table:
            target.format(PromQueryFormat.TABLE)
        targets.append(target.exemplar(exemplars))
    return targets


def _letters(count: int) -> list[str]:
    return [chr(ord("A") + n) for n in range(count)]


def _paint(panel: Any, colours: Mapping[str, str]) -> None:
    """By name, so that a colour means the same wherever it is."""
    for name, colour in colours.items():
        panel.override_by_name(name, [_property("color", {"mode": "fixed", "fixedColor": colour})])


def _property(name: str, value: Any) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val=name, value=value)
