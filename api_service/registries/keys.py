"""The AppKeys of the stored registries."""

from aiohttp import web

from api_service.registries.probe import RegistryProbe
from api_service.registries.stored_registries import StoredRegistries

REGISTRIES = web.AppKey("REGISTRIES", StoredRegistries)
PROBE = web.AppKey("PROBE", RegistryProbe)
