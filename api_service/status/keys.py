"""The application's keys for the figures about the target and the queue."""

from aiohttp import web

from api_service.background.relay import Relay
from api_service.status.target_statistics import HarborStatistics

STATISTICS = web.AppKey("STATISTICS", HarborStatistics)
RELAY = web.AppKey("RELAY", Relay)
