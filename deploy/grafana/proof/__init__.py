"""The dashboards held against the real program: a story on a mirror port, a real Prometheus, each panel's queries."""
