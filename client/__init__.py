"""Longshore's HTTP API from Python, and the `longshore` command on top of it."""

from client.account import Account, Credentials
from client.errors import ApiError, ApiUnreachableError, ClientError, Problem, UnexpectedAnswerError
from client.identity import Identity
from client.image import FullImage, Image, ImagePage
from client.image_query import ImageQuery
from client.import_details import ImportDetails, ImportFailure, Layer
from client.import_plan import ImportPlan
from client.import_request import ImportRequest
from client.longshore_client import LongshoreClient
from client.readiness import Readiness
from client.started_import import StartedImport
from client.stored_registry import StoredRegistry
from client.target_statistics import TargetStatistics

__all__ = [
    "Account",
    "ApiError",
    "ApiUnreachableError",
    "ClientError",
    "Credentials",
    "FullImage",
    "Identity",
    "Image",
    "ImagePage",
    "ImageQuery",
    "ImportDetails",
    "ImportFailure",
    "ImportPlan",
    "ImportRequest",
    "Layer",
    "LongshoreClient",
    "Problem",
    "Readiness",
    "StartedImport",
    "StoredRegistry",
    "TargetStatistics",
    "UnexpectedAnswerError",
]
