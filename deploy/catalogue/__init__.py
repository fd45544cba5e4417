"""The catalogue of alerts: one entry for each detection, and for each way of being blind, in English and Dutch.

Prometheus' rules, their tests and the runbooks are made from it: `python -m deploy.catalogue`, or with `--check` to see
whether what is committed is what the catalogue says. A new rule costs one file in `alerts/`.
"""
