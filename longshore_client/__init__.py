"""Longshore's Python client, and the command `longshore` on top of it."""

from longshore_client.client import LongshoreClient
from longshore_client.errors import (
    ApiError,
    ApiUnreachableError,
    ClientError,
    FailingField,
    Problem,
    UnexpectedAnswerError,
)
from longshore_client.images import FullImage, Image, ImagePage, ImageQuery
from longshore_client.import_details import ImportDetails, ImportFailure, Layer
from longshore_client.import_plan import ContentCount, ImportPlan, Overwritten
from longshore_client.import_request import Account, Credentials, ImportRequest, StartedImport
from longshore_client.registries import RegistryChanges, StoredRegistry
from longshore_client.status import Identity, Readiness, TargetStatistics

__all__ = [
    "Account",
    "ApiError",
    "ApiUnreachableError",
    "ClientError",
    "ContentCount",
    "Credentials",
    "FailingField",
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
    "Overwritten",
    "Problem",
    "Readiness",
    "RegistryChanges",
    "StartedImport",
    "StoredRegistry",
    "TargetStatistics",
    "UnexpectedAnswerError",
]
