"""AppKeys of the use cases about the service and the target."""

from aiohttp import web

from api_service.background.relay import Relay
from api_service.status.queue_status import QueueStatusReader
from api_service.status.target_statistics import StatisticsReader

STATISTICS = web.AppKey("STATISTICS", StatisticsReader)
QUEUE_STATUS = web.AppKey("QUEUE_STATUS", QueueStatusReader)
RELAY = web.AppKey("RELAY", Relay)
