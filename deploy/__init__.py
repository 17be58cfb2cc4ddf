"""Deployment: containers, the Helm chart, and the local stack."""
