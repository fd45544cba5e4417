"""The dashboards, as code (ADR 14): `python -m deploy.grafana.generator` writes them, `--check` compares."""
