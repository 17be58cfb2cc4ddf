"""The AppKeys of the import rules."""

from aiohttp import web

from api_service.rules.rule_book import RuleBook
from api_service.rules.stored_rules import StoredRules

RULE_BOOK = web.AppKey("RULE_BOOK", RuleBook)
RULES = web.AppKey("RULES", StoredRules)
