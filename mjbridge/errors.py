"""Everything that can go wrong, by what the caller can do about it.

MJBridgeError
  ConfigError           mend the configuration
  JournalError          the journal cannot be written or read: nothing was sent
  InvalidCommand        mend the call: no vendor would take it
  Unsupported           this provider cannot say it: another may
  AuthenticationError   the key is missing, wrong or banned
  QuotaExceeded         the balance is empty
  RateLimited           too fast: wait `retry_after` seconds
  ContentRejected       moderation refused the prompt or a picture: no vendor will differ
  TaskNotFound          the vendor does not know the task, or no longer
  Unavailable           the vendor is down, full, or cannot be reached
  SubmissionUnknown     the request may have been accepted: submitting again may pay twice
  MalformedReply        the vendor answered with something that is not its API
  MalformedRecord       not a task record at all
  WaitTimeout           the task did not settle in time; it may still (`task`)
  TaskFailed            the vendor accepted the task, and it failed (`task`)
  PluginError           a provider is missing, broken or installed twice, or failed at its work
  AllAccountsFailed     every account of the route was tried (`attempts`)
"""

from typing import ClassVar, Literal

from mjbridge.printing import printable
from mjbridge.task import Attempt, Task

Accepted = Literal["no", "maybe"]


class MJBridgeError(Exception):
    """The root of the family.

    `provider`, `account` and `operation` say where, `http_status`, `vendor_code` (text) and `body` what the vendor
    answered, `retry_after` (seconds) when it asks to be called again. `accepted` is `"no"` when the vendor provably did
    not take the request and `"maybe"` when nobody can know, or when the task in the error was taken. `task` is that
    task: accepted and paid for, whatever went wrong after. `attempts` are the accounts of a route that were tried, in
    order, and why each passed. No key is ever in any of them.
    """

    way_out: ClassVar[str] = ""
    """What the caller can do, in a few words; the end of the error's text."""

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        account: str = "",
        operation: str = "",
        http_status: int | None = None,
        vendor_code: str = "",
        retry_after: float | None = None,
        body: str = "",
        accepted: Accepted = "no",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.account = account
        self.operation = operation
        self.http_status = http_status
        self.vendor_code = vendor_code
        self.retry_after = retry_after
        self.body = body
        self.accepted: Accepted = accepted
        self.task: Task | None = None
        self.attempts: tuple[Attempt, ...] = ()

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.account, self.provider and f"({self.provider})", self.operation)))
        http = f"HTTP {self.http_status}" if self.http_status else ""
        code = f"code {self.vendor_code}" if self.vendor_code else ""
        facts = ", ".join(filter(None, (http, code)))
        text = printable(": ".join(filter(None, (place, self.message))) + (f" ({facts})" if facts else ""))
        return f"{text}. {self.way_out}" if self.way_out else text


class ConfigError(MJBridgeError):
    """The configuration cannot be used; the message names the file, table and key."""


class JournalError(MJBridgeError):
    """The journal cannot be written or read. Of a submit nothing was sent."""

    way_out = "Mend the journal's place, or take journal out of the configuration"


class InvalidCommand(MJBridgeError):
    """The command itself is wrong, here or in the vendor's eyes."""


class Unsupported(MJBridgeError):
    """The provider cannot say this accurately; the message names the field."""


class AuthenticationError(MJBridgeError):
    """The vendor refuses the key: missing, wrong, banned, or without the right to this."""

    way_out = "Check this account's api_key, and that the task belongs to it"


class QuotaExceeded(MJBridgeError):
    """The account's balance or quota does not pay for this."""

    way_out = "Top up this account, or use another"


class RateLimited(MJBridgeError):
    """Too many requests, or the vendor's group of accounts is saturated."""

    way_out = "Wait, then try again"


class ContentRejected(MJBridgeError):
    """Moderation refused the prompt or a picture."""

    way_out = "Change the prompt or the picture"


class TaskNotFound(MJBridgeError):
    """The vendor does not know this task (any more), or it belongs to another key."""

    way_out = "Check the id and the account; vendors forget tasks after days"


class Unavailable(MJBridgeError):
    """The vendor is down, overloaded, its queue is full, or no connection could be made."""

    way_out = "Try again later, or use another account"


class SubmissionUnknown(MJBridgeError):
    """The request left and nothing proves that it was refused."""

    way_out = "It may have been accepted and charged: look at the vendor's task list before you submit it again"


class MalformedReply(MJBridgeError):
    """The reply is not the vendor's API: HTML, a redirect, an empty body, JSON of another kind, or too much of it."""

    way_out = "Check this account's base_url"


class MalformedRecord(MJBridgeError):
    """Not a task record. `path` is where in the record the trouble is (`$` is the whole)."""

    def __init__(self, message: str, *, path: str = "$", provider: str = "") -> None:
        super().__init__(message, provider=provider)
        self.path = path

    def __str__(self) -> str:
        return super().__str__() + (f" (at {printable(self.path)})" if self.path != "$" else "")


class WaitTimeout(MJBridgeError):
    """The task did not settle in time. `task` is its last known state; wait again with it or its `ref`."""

    way_out = "The task goes on at the vendor: wait again with its ref"

    def __init__(self, message: str, *, task: Task | None = None) -> None:
        account, provider = (task.account, task.provider) if task else ("", "")
        super().__init__(message, account=account, provider=provider, accepted="maybe")
        self.task = task


class TaskFailed(MJBridgeError):
    """An accepted task ended failed or cancelled. `task` is that task."""

    def __init__(self, message: str, *, task: Task | None = None) -> None:
        account, provider = (task.account, task.provider) if task else ("", "")
        super().__init__(message, account=account, provider=provider, accepted="maybe")
        self.task = task


class PluginError(MJBridgeError):
    """A provider plugin is missing, broken, of another API version, installed twice, or failed at its work.

    Nothing was bought: a plugin that fails at the answer to a submit leaves a `SubmissionUnknown`.
    """


class AllAccountsFailed(MJBridgeError):
    """No account of the route took it: `attempts` tells why, `retry_after` when the first may be asked again."""

    def __init__(self, message: str, *, attempts: tuple[Attempt, ...] = (), retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.attempts = attempts
