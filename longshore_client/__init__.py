"""Longshore's HTTP API from Python, and the `longshore` command on top of it."""

from longshore_client.account import Account, Credentials
from longshore_client.errors import ApiError, ApiUnreachableError, ClientError, Problem, UnexpectedAnswerError
from longshore_client.identity import Identity
from longshore_client.image import FullImage, Image, ImagePage
from longshore_client.image_query import ImageQuery
from longshore_client.import_details import ImportDetails, ImportFailure, Layer
from longshore_client.import_plan import ImportPlan
from longshore_client.import_request import ImportRequest
from longshore_client.longshore_client import LongshoreClient
from longshore_client.readiness import Readiness
from longshore_client.started_import import StartedImport
from longshore_client.stored_registry import StoredRegistry
from longshore_client.target_statistics import TargetStatistics

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
