"""The application's keys for the use cases about images."""

from aiohttp import web

from api_service.images.deletion.delete_image import ImageDeletion
from api_service.images.import_feed import DetailsFeed
from api_service.images.verify_tag import Presence

PRESENCE = web.AppKey("PRESENCE", Presence)
DELETION = web.AppKey("DELETION", ImageDeletion)
FEED = web.AppKey("FEED", DetailsFeed)
