"""Stores with one mistake in the interface itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .catalogue import fault
from .right import RightStore, refusal

# IFACE-1: what the SDK calls


@fault("IFACE-1", says="an instance of the SDK's TokenStore")
class IsNoTokenStore:
    """Has the six methods, and is no TokenStore."""

    def __init__(self, location: Path) -> None:
        store = RightStore(location)
        self.find_token = store.find_token
        self.save_token = store.save_token
        self.delete_token = store.delete_token
        self.get_tokens = store.get_tokens
        self.delete_tokens = store.delete_tokens
        self.find_token_by_id = store.find_token_by_id


@fault("IFACE-1", says="find_token takes the SDK's arguments")
class WantsTheUserToFind(RightStore):
    """Wants the user beside the token, as an older interface has it."""

    def find_token(self, user: Any, token: Any) -> Any:  # type: ignore[override]
        return super().find_token(token)


@fault("IFACE-1", says="save_token takes the SDK's arguments")
class TakesKeywordsAlone(RightStore):
    """Takes the token to save by keyword alone."""

    def save_token(self, *, token: Any) -> None:  # type: ignore[override]
        super().save_token(token)


@fault("IFACE-1", says="delete_token takes the SDK's arguments")
class DeletesTokensNotIds(RightStore):
    """Wants the token to delete, not its id."""

    def delete_token(self, token: Any) -> None:
        super().delete_token(token.get_id())


@fault("IFACE-1", says="find_token_by_id takes the SDK's arguments")
class DoesNotImplementIds(RightStore):
    """Leaves one method for later."""

    def find_token_by_id(self, id: Any) -> Any:
        raise NotImplementedError


@fault("IFACE-1", says="delete_tokens takes the SDK's arguments")
class WantsAReasonToDelete(RightStore):
    """Wants the reason for deleting everything."""

    def delete_tokens(self, reason: str) -> None:  # type: ignore[override]
        super().delete_tokens()


# IFACE-2: plain values


@fault("IFACE-2", says="the SDK never awaits it")
class FindsInACoroutine(RightStore):
    """Finds tokens in a coroutine."""

    async def find_token(self, token: Any) -> Any:
        return super().find_token(token)


@fault("IFACE-2", says="the SDK never awaits it")
class DeletesInACoroutine(RightStore):
    """Deletes tokens in a coroutine, and does all the rest at once."""

    async def delete_token(self, id: Any) -> None:  # type: ignore[override]
        super().delete_token(id)


@fault("IFACE-2", says="get_tokens answers with a plain value")
class ListsInACoroutine(RightStore):
    """Lists the tokens in a coroutine."""

    async def get_tokens(self) -> list[Any]:  # type: ignore[override]
        return super().get_tokens()


def _ran(call: Callable[[], Any]) -> Any:
    async def run() -> Any:
        return call()

    coroutine = run()
    try:
        return asyncio.run(coroutine)
    finally:
        coroutine.close()


@fault("IFACE-2", says="in a running event loop, too")
class RunsALoopToSave(RightStore):
    """Runs an event loop for each save, which fails where one runs already."""

    def save_token(self, token: Any) -> None:
        _ran(lambda: super(RunsALoopToSave, self).save_token(token))


@fault("IFACE-2", says="in a running event loop, too")
class RunsALoopToDeleteAndRefuses(RightStore):
    """Runs an event loop to delete everything, and says that the storage failed where one runs already."""

    def delete_tokens(self) -> None:
        try:
            _ran(super().delete_tokens)
        except RuntimeError as error:
            raise refusal("the storage failed", error) from error


@fault("IFACE-2", says="in a running event loop, too")
class SavesLaterInALoop(RightStore):
    """Leaves saving to a task where an event loop runs."""

    def save_token(self, token: Any) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            super().save_token(token)
        else:
            self.save_later(loop, token)

    def save_later(self, loop: asyncio.AbstractEventLoop, token: Any) -> None:
        loop.call_soon(super().save_token, token)


@fault("IFACE-2", says="the SDK never awaits it")
class FindsInATaskInALoop(RightStore):
    """Answers with a future where an event loop runs."""

    def find_token_by_id(self, id: Any) -> Any:
        token = super().find_token_by_id(id)
        try:
            future = asyncio.get_running_loop().create_future()
        except RuntimeError:
            return token
        future.set_result(token)
        return future


@fault("IFACE-2", says="in a running event loop, too")
class LeavesSavingToAWriter(SavesLaterInALoop):
    """Leaves saving to a task that waits for tokens for ever, where an event loop runs."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.waiting: asyncio.Queue[Any] = asyncio.Queue()
        self.writer: asyncio.Task[None] | None = None

    def save_later(self, loop: asyncio.AbstractEventLoop, token: Any) -> None:
        self.waiting.put_nowait(token)
        self.writer = self.writer or loop.create_task(self.write_all())

    async def write_all(self) -> None:
        while True:
            RightStore.save_token(self, await self.waiting.get())
