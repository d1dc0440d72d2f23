"""trueai's video swap, the one submit of the family that is a multipart form and no JSON.

Source: InsightFaceController and InsightVideoFaceSwapDto of trueai-org/midjourney-proxy.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mjbridge.pictures import VIDEO, inputs, told
from mjbridge.wire import Attachment, HttpRequest

_CLIP: Final = "targetUrl"
_FILE: Final = "targetFile"


def written(request: HttpRequest) -> HttpRequest:
    """A JSON request as a form: a clip's content is its file, in place of the clip's address."""
    texts, file = dict(request.json), None
    if inputs.is_content(texts[_CLIP]):
        clip = inputs.content(texts.pop(_CLIP), "video")
        kind = inputs.picture_type(clip, VIDEO)
        file = Attachment(_FILE, f"video{told(clip, VIDEO)}", f"video/{kind}", clip)
    return msgspec.structs.replace(request, json=None, form=texts, attachment=file)


def read(request: HttpRequest) -> Mapping[str, Any]:
    """A form as the JSON object that it was written from."""
    file = request.attachment
    return {**request.form, _CLIP: inputs.data_uri(file.content, _FILE, VIDEO)} if file else request.form
