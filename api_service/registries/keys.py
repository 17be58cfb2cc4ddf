"""The AppKey of the stored registries."""

from aiohttp import web

from api_service.registries.stored_registries import StoredRegistries

REGISTRIES = web.AppKey("REGISTRIES", StoredRegistries)
