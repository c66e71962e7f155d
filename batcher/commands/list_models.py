"""`models`: every shared model of the instance, listed page by page at the pace. Nothing is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from ..config import Endpoint, Sending
from ..errors import StopReason, UsageError
from ..omni.listed_models import ListedModel, ModelPage, list_models, model_page_of
from ..omni.verdicts import Blocked, Refused, There, Unknown
from ..report.observers import Observer
from ..runtime import Runtime
from ..send.ask_for_step import AskForStep
from ..send.connect import open_requester
from ..send.drain import Drain
from ..send.requester import Requester
from ..send.workers import WorkerPool
from .check_online import MOST_PATIENCE_SECONDS

_WHAT = "the list of models"  # what the requests are about, instead of a row


@dataclass(frozen=True, slots=True)
class ModelsSettings:
    """One `batcher models`."""

    endpoint: Endpoint
    sending: Sending


async def list_all(
    settings: ModelsSettings, *, observer: Observer, drain: Drain, runtime: Runtime
) -> tuple[ListedModel, ...] | None:
    """All models by connection, then name; None if a signal came before the last page: part of a list misleads.

    Raises UsageError without a key, Stopped if the instance gives no list.
    """
    endpoint = settings.endpoint
    if not endpoint.keys:
        raise UsageError(endpoint.no_key_hint)
    patience = min(MOST_PATIENCE_SECONDS, settings.sending.give_up_after_seconds)  # somebody waits for the answer
    sending = replace(settings.sending, give_up_after_seconds=patience)
    models: list[ListedModel] = []
    async with open_requester(endpoint, sending, None, drain, runtime, observer.warning) as requester:
        with observer.working(0, requester), drain.waits():
            async for page in _pages(requester, sending):
                models += page.models
    if drain.stopped:
        raise drain.stopped
    return None if drain.is_on else tuple(sorted(models, key=_order))


def _order(model: ListedModel) -> tuple[str, bool, str, str]:
    return model.connection_id or "", model.name is None, (model.name or "").casefold(), model.id


async def _pages(requester: Requester, sending: Sending) -> AsyncIterator[ModelPage]:
    """Page after page, until the last one or until the run is stopped."""
    asking = AskForStep(requester, WorkerPool(sending.concurrency), sending.max_attempts)
    cursor: str | None = None
    seen: set[str | None] = set()
    while True:
        seen.add(cursor)
        answered = await _ask(asking, cursor)
        if answered is None:
            return
        page = model_page_of(answered)
        if page is None or (page.cursor is not None and page.cursor in seen):
            why = "the answer isn't a list" if page is None else "its pages never end"
            _stop(requester, why, StopReason.UNREADABLE)
            return
        yield page
        cursor = page.cursor
        if cursor is None:
            return


async def _ask(asking: AskForStep, cursor: str | None) -> bytes | None:
    """A page; None if there is none to use, and the run is stopped."""
    match await asking.ask(_WHAT, list_models(cursor)):
        case There(response=response):
            return response
        case Refused(status=status, message=message) | Unknown(status=status, message=message):
            _stop(asking.requester, message if status is None else f"{status}: {message}", StopReason.MODELS)
        case Blocked(status=status, message=message):
            _stop(asking.requester, f"{status}: {message}", StopReason.FIREWALL)
        case None:
            pass
    return None


def _stop(requester: Requester, why: str, stop_reason: StopReason) -> None:
    requester.stop(f"the instance's models can't be listed ({why})", stop_reason)
