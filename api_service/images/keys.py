"""AppKeys of the use cases about images."""

from aiohttp import web

from api_service.images.deletion.delete_image import ImageDeletion
from api_service.images.get_image import ImageReader
from api_service.images.import_details import ImportDetailsReader
from api_service.images.import_feed import ImportFeed
from api_service.images.list_images import ImageLister
from api_service.images.verify_tag import TagVerifier
from api_service.images.visibility import ContentVisibility

IMAGES = web.AppKey("IMAGES", ImageLister)
IMAGE = web.AppKey("IMAGE", ImageReader)
DETAILS = web.AppKey("DETAILS", ImportDetailsReader)
VERIFIER = web.AppKey("VERIFIER", TagVerifier)
DELETION = web.AppKey("DELETION", ImageDeletion)
VISIBILITY = web.AppKey("VISIBILITY", ContentVisibility)
FEED = web.AppKey("FEED", ImportFeed)
