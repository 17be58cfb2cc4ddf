"""The AppKeys of the import rules."""

from aiohttp import web

from api_service.rules.rule_book import RuleBook

RULE_BOOK = web.AppKey("RULE_BOOK", RuleBook)
