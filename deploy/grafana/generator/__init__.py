"""The dashboards, as code (ADR 14): `python -m deploy.grafana.generator` writes them, `--check` compares."""

import warnings

with warnings.catch_warnings():
    # The library would have the newer model of dashboards, which only Grafana 12 and later read.
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard as build
    from grafana_foundation_sdk.models import dashboard as model
    from grafana_foundation_sdk.models import dashboardv2beta1 as _  # noqa: F401 - others import it, and it warns, too

__all__ = ["build", "model"]
