"""A large index is opened without being read: it is read once through beside the service, which tells what is damaged."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

from index.storage import IndexProblem
from service.keeper import IndexKeeper, Notify

_LEAST_URGENT = 19


def inspect_beside(keeper: IndexKeeper, notify: Notify) -> threading.Thread | None:
    """Check every file of the generation that is open in a thread of its own; None where there is no need:
    opening it has done so, or it is not on this machine.

    Where one is damaged, `notify` hears of it, and the generation before serves if that is sound. Otherwise this one goes
    on: what it shows is checked row by row.
    """
    if keeper.settings.backend == "milvus":
        return None
    snapshot = keeper.snapshot()
    if not snapshot.is_mapped:
        return None
    thread = threading.Thread(target=_inspect, args=(keeper, notify, snapshot.name), name="inspection", daemon=True)
    thread.start()
    return thread


def _inspect(keeper: IndexKeeper, notify: Notify, name: str) -> None:
    if sys.platform == "linux":  # there a thread has a priority of its own
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LEAST_URGENT)
    fault = _fault(keeper, name)
    if not fault or name not in keeper.store.names():  # it may have been removed for a newer one
        return
    notify(f"警告：{fault}。")
    others = [x for x in reversed(keeper.store.names()) if x != name]
    if any(not _fault(keeper, x) for x in others):
        keeper.distrust(name, fault)
    else:
        notify(
            f"警告：没有完好的上一代索引可退回，继续用 {name}：引用的原文仍逐段核对，但可能漏检、排序可能有误。"
            "请尽快运行 kewen index build 重建。"
        )


def _fault(keeper: IndexKeeper, name: str) -> str:
    """What is wrong with a generation, in Chinese; empty where nothing is."""
    try:
        keeper.store.check(keeper.store.read(name))
    except IndexProblem as problem:
        return problem.message
    return ""
