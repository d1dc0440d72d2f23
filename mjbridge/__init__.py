"""One Task for every Midjourney reseller.

>>> import mjbridge
>>> task = mjbridge.normalize(b'{"id": "1730621826053455", "status": "SUCCESS", "progress": "100%"}', "mjproxy")
>>> task.status
<Status.COMPLETED: 'completed'>
"""

from mjbridge import errors, fields, records
from mjbridge.bridge import Bridge
from mjbridge.commands import Command, Imagine, Press, Reroll, Upscale, Vary
from mjbridge.config import Config
from mjbridge.detection import detect
from mjbridge.errors import (
    AllAccountsFailed,
    AuthenticationError,
    ConfigError,
    ContentRejected,
    InvalidCommand,
    JournalError,
    MalformedRecord,
    MalformedReply,
    MJBridgeError,
    PluginError,
    QuotaExceeded,
    RateLimited,
    SubmissionUnknown,
    TaskFailed,
    TaskNotFound,
    Unavailable,
    Unsupported,
    WaitTimeout,
)
from mjbridge.plugins import ProviderInfo, providers
from mjbridge.provider import Backend, Certainty, DialectServer, Level, Match, Provider, Support
from mjbridge.records import Reject, merge, normalize, normalizer
from mjbridge.task import Action, Attempt, Bot, Button, Speed, Status, Task
from mjbridge.waiting import Unsettled
from mjbridge.wire import Flow, HttpRequest, HttpResponse

__all__ = [
    "Action",
    "AllAccountsFailed",
    "Attempt",
    "AuthenticationError",
    "Backend",
    "Bot",
    "Bridge",
    "Button",
    "Certainty",
    "Command",
    "Config",
    "ConfigError",
    "ContentRejected",
    "DialectServer",
    "Flow",
    "HttpRequest",
    "HttpResponse",
    "Imagine",
    "InvalidCommand",
    "JournalError",
    "Level",
    "MJBridgeError",
    "MalformedRecord",
    "MalformedReply",
    "Match",
    "PluginError",
    "Press",
    "Provider",
    "ProviderInfo",
    "QuotaExceeded",
    "RateLimited",
    "Reject",
    "Reroll",
    "Speed",
    "Status",
    "SubmissionUnknown",
    "Support",
    "Task",
    "TaskFailed",
    "TaskNotFound",
    "Unavailable",
    "Unsettled",
    "Unsupported",
    "Upscale",
    "Vary",
    "WaitTimeout",
    "detect",
    "errors",
    "fields",
    "merge",
    "normalize",
    "normalizer",
    "providers",
    "records",
]
