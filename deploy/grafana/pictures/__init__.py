"""The dashboards drawn from Prometheus' real answers, in Grafana's layout: `make dashboards` writes docs/pictures."""
