"""Paths of Harbor's API, as patterns over what is left of a path when it was decoded once."""

BASE = "/api/v2.0"
PROJECT = r"/projects/(?P<project>[^/]+)"
REPOSITORIES = rf"{PROJECT}/repositories"
ARTIFACTS = rf"{REPOSITORIES}/(?P<repository>[^/]+)/artifacts"
ARTIFACT = rf"{ARTIFACTS}/(?P<reference>[^/]+)"
RULES = rf"{PROJECT}/immutabletagrules"
