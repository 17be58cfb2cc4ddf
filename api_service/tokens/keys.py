"""The AppKey of the API tokens."""

from aiohttp import web

from api_service.tokens.api_tokens import ApiTokens

API_TOKENS = web.AppKey("API_TOKENS", ApiTokens)
