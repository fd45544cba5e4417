"""A dashboard: panels in rows, and what all dashboards share: sensor, data source, links, marks on the time line."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.generator.links import TAG, runbooks, to_others
from deploy.grafana.generator.panels import DATASOURCE, WIDTH
from deploy.grafana.generator.queries import metric

ROW_NUMBERS = 900
"""Where the ids of rows begin."""


class Shelf(NamedTuple):
    """Panels beside each other, all as high; their widths add up to 24."""

    height: int
    panels: Sequence[tuple[int, model.Panel]]


class Chapter(NamedTuple):
    """Shelves below a title."""

    title: str
    shelves: Sequence[Shelf]
    folded: bool = False


def page(
    uid: str,
    title: str,
    description: str,
    chapters: Sequence[Chapter],
    *,
    since: str,
    refresh: str,
    variables: Sequence[Any] = (),
    marks: Sequence[build.AnnotationQuery] = (),
) -> model.Dashboard:
    """The dashboard, its panels in their places."""
    made = build.Dashboard(title).uid(uid).description(description).tags([TAG, "security", "generated"])
    made.timezone("browser").time(since, "now").refresh(refresh).tooltip(model.DashboardCursorSync.CROSSHAIR)
    made.editable().links(to_others())
    made.timepicker(build.TimePicker().refresh_intervals(["15s", "30s", "1m", "5m", "15m"]))
    made.variables([*_sensor(), *variables, *_elsewhere()])
    made.annotations([*marks])
    dashboard = made.build()
    dashboard.panels = _placed(chapters)
    return dashboard


def _placed(chapters: Sequence[Chapter]) -> list[model.Panel | model.RowPanel]:
    placed: list[model.Panel | model.RowPanel] = []
    y = 0
    for number, chapter in enumerate(chapters):
        place = model.GridPos(x=0, y=y, w=WIDTH, h=1)
        placed.append(model.RowPanel(title=chapter.title, id_val=ROW_NUMBERS + number, grid_pos=place))
        y += 1
        for shelf in chapter.shelves:
            x = 0
            for width, panel in shelf.panels:
                panel.grid_pos = model.GridPos(x=x, y=y, w=width, h=shelf.height)
                x += width
                placed.append(panel)
            if x != WIDTH:
                raise ValueError(f"{chapter.title}: a shelf is {x} wide, and not {WIDTH}")
            y += shelf.height
    return placed


def _sensor() -> list[Any]:
    """Which Prometheus, and which of the monitors there."""
    return [
        build.DatasourceVariable("datasource").label("Prometheus").type("prometheus"),
        _choice("job", "Job", "label_values(joinwatch_build_info, job)"),
        _choice("instance", "Sensor", 'label_values(joinwatch_build_info{job=~"$job"}, instance)'),
    ]


def choice_of(label: str, title: str, name: str) -> build.QueryVariable:
    """One value of a label of a metric, or several, or all."""
    return _choice(label, title, f"label_values({metric(name)}, {label})")


def _choice(name: str, title: str, query: str) -> build.QueryVariable:
    everything = model.VariableOption(text=["All"], value=["$__all"], selected=True)
    asked = build.QueryVariable(name).label(title).datasource(DATASOURCE).query(query)
    asked.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
    # No value of its own for all: then all are those that there are, and not every other program of that Prometheus.
    return asked.multi(True).include_all(True).current(everything)


def _elsewhere() -> list[Any]:
    """Where runbooks and the journal are read: hidden, for they are set once."""
    hidden = model.VariableHide.HIDE_VARIABLE
    base = model.VariableOption(text=runbooks(), value=runbooks(), selected=True)
    return [
        build.TextBoxVariable("runbooks").label("Runbooks").default_value(runbooks()).current(base).hide(hidden),
        build.DatasourceVariable("loki").label("Journal in Loki").type("loki").hide(hidden),
        build.DatasourceVariable("elasticsearch").label("Journal in Elasticsearch").type("elasticsearch").hide(hidden),
    ]


def mark(name: str, expr: str, colour: str, title: str, tags: str = "") -> build.AnnotationQuery:
    """Something that happened, at the moment that the series names (in milliseconds)."""
    made = build.AnnotationQuery().name(name).datasource(DATASOURCE).enable(True).icon_color(colour).expr(expr)
    made.title_format(title).use_value_for_time(True).step("30s")
    return made.tag_keys(tags) if tags else made


def stretch(name: str, expr: str, colour: str, title: str, tags: str) -> build.AnnotationQuery:
    """Something that lasted: as long as the series is there."""
    made = build.AnnotationQuery().name(name).datasource(DATASOURCE).enable(True).icon_color(colour).expr(expr)
    return made.title_format(title).tag_keys(tags).step("60s")
