"""The contract's own examples, unchanged."""

FLAT_PAGE = {
    "totalCount": 50,
    "images": [
        {
            "id": 123,
            "tag": "pytorch:2.0-cuda11.8",
            "description": "PyTorch 2.0 with CUDA 11.8",
            "created_at": 1705305600,
            "created_by": "admin",
        }
    ],
}
GROUPED_PAGE = {
    "totalCount": 50,
    "images": [
        {
            "registryHost": "harbor.example.com",
            "repo": "ai/pytorch",
            "artifacts": [
                {
                    "imageTag": "2.0-cuda11.8",
                    "description": "PyTorch 2.0 with CUDA 11.8",
                    "createdTime": "2025-01-15T10:00:00.000Z",
                    "userName": "admin",
                    "status": "ready",
                    "id": 123,
                    "size": 5368709120,
                    "arch": "amd64",
                    "os": "linux",
                    "digest": "sha256:abc123...",
                    "includeType": "full",
                }
            ],
        }
    ],
}
IMPORT_REQUEST = {
    "source": "docker.io/pytorch/pytorch:2.0.0-cuda11.7-cudnn8-runtime",
    "sourceRegistry": "docker.io",
}
IMPORT_STARTED = {"state": 1, "message": "Image import started", "alreadyImageId": 0}
DETAILS = {
    "layersDetail": {
        "layer1": {"status": "completed", "progress": 100},
        "layer2": {"status": "downloading", "progress": 45},
    }
}
STATISTICS = {"totalProjects": 10, "totalImages": 500, "totalSize": 1099511627776}
