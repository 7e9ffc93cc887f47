"""Periodic work: reconciliation, verification, approvals, retention, statistics, doctor."""
