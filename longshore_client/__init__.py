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
from longshore_client.import_details import ImportDetails, ImportFailure, Layer, LayersSummary, TransferredLayers
from longshore_client.import_plan import ContentCount, ImportPlan, Overwritten
from longshore_client.import_request import Account, Credentials, ImportRequest, StartedImport
from longshore_client.resources.audit import AuditEvent, AuditPage, AuditQuery
from longshore_client.resources.registries import (
    RegistryAccess,
    RegistryChanges,
    RegistryStep,
    StoredRegistry,
    TestedRegistry,
)
from longshore_client.resources.rules import ConsideredRule, ImportRule, RuleChanges, RuleCheck, RuleUsage
from longshore_client.resources.tokens import ApiToken, CreatedToken, NewToken
from longshore_client.status import Identity, Readiness, TargetStatistics

__all__ = [
    "Account",
    "ApiError",
    "ApiToken",
    "ApiUnreachableError",
    "AuditEvent",
    "AuditPage",
    "AuditQuery",
    "ClientError",
    "ConsideredRule",
    "ContentCount",
    "CreatedToken",
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
    "ImportRule",
    "Layer",
    "LayersSummary",
    "LongshoreClient",
    "NewToken",
    "Overwritten",
    "Problem",
    "Readiness",
    "RegistryAccess",
    "RegistryChanges",
    "RegistryStep",
    "RuleChanges",
    "RuleCheck",
    "RuleUsage",
    "StartedImport",
    "StoredRegistry",
    "TargetStatistics",
    "TestedRegistry",
    "TransferredLayers",
    "UnexpectedAnswerError",
]
