"""What pymilvus and gRPC raise → a stable code, and a Chinese message that says what to do.

The numbers are those of `merr` in Milvus' source, which a server gives with each failure; the names are gRPC's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_BUILD = "请运行 kewen index build --backend milvus"


@dataclass(frozen=True, slots=True)
class Failure:
    """A code of `service/errors.py`, or one that it knows, and a message."""

    code: str
    message: str


# What is held against a failure: gRPC's names, the server's numbers, what its message says; then the code and the message.
_Rule = tuple[Sequence[str], Sequence[int], Sequence[str], str, str]
_RULES: Sequence[_Rule] = (
    (
        (),
        (),
        ("Open local milvus failed",),
        "backend_unavailable",
        "打不开 {place}：文件夹不存在，或另一个程序正在使用它。",
    ),
    (
        (),
        (),
        ("milvus-lite is required",),
        "missing_extra",
        '.db 文件要有 Milvus Lite 才能试用。请运行：python -m pip install "pymilvus[milvus-lite]"。',
    ),
    (
        ("UNAUTHENTICATED", "PERMISSION_DENIED"),
        (1400, 1401),
        ("auth check failure", "privilege not"),
        "backend_denied",
        "Milvus（{place}）拒绝了访问（{doing}）：令牌不对，或角色的权限不够。请检查 milvus_token。",
    ),
    (
        ("DEADLINE_EXCEEDED",),
        (),
        ("wait for loading collection timeout",),
        "backend_unavailable",
        "Milvus（{place}）没有在限定的时间内应答（{doing}）。请稍后再试，或检查服务的负载。",
    ),
    (
        ("UNIMPLEMENTED",),
        (),
        (),
        "backend_incompatible",
        "Milvus（{place}）不认识这个调用（{doing}）：它不是 Milvus，或版本不合。",
    ),
    (
        ("RESOURCE_EXHAUSTED",),
        (3, 7, 9, 102),
        ("quota exceeded", "memory limit exceeded", "disk limit exceeded"),
        "insufficient_storage",
        "Milvus（{place}）已满（{doing}）：内存、磁盘、配额或集合数到了上限。已发布的索引未受影响。",
    ),
    (
        (),
        (),
        ("Fail connecting",),
        "backend_unavailable",
        "连不上 Milvus（{place}）：服务没有应答。请检查地址与网络，服务是否在运行，该用 https 还是 http；"
        "自签的证书由环境变量 GRPC_DEFAULT_SSL_ROOTS_FILE_PATH 指明。",
    ),
    (
        (),
        (101,),
        (),
        "backend_unavailable",
        "Milvus（{place}）的集合没有载入内存（{doing}）。请由管理员载入，或重新运行 kewen index build --backend milvus。",
    ),
    (
        (),
        (100, 1600),
        (),
        "index_missing",
        f"Milvus（{{place}}）上没有这个集合（{{doing}}）。{_BUILD}。",
    ),
    (
        ("UNAVAILABLE", "CANCELLED", "UNKNOWN", "INTERNAL", "ABORTED"),
        (2, 4, 8, 10),
        (),
        "backend_unavailable",
        "Milvus（{place}）暂时用不了（{doing}）。请检查服务是否在运行，稍后再试。",
    ),
)


def failure_of(error: Exception, place: str, doing: str) -> Failure | None:
    """What to say of an error of pymilvus or gRPC while `doing` something at `place`; None for any other error."""
    import grpc  # only a program that speaks to Milvus has it
    from pymilvus.exceptions import MilvusException

    if isinstance(error, grpc.FutureTimeoutError):
        name, number, message = "DEADLINE_EXCEEDED", 0, ""
    elif isinstance(error, grpc.RpcError):
        name, number, message = _name(error.code() if hasattr(error, "code") else None), 0, str(error)
    elif isinstance(error, MilvusException):
        name = _name(error.code)
        number, message = 0 if name else int(error.code), str(error.message)
    else:
        return None
    for names, numbers, words, code, text in _RULES:
        if name in names or number in numbers or any(word in message for word in words):
            return Failure(code, text.format(place=place, doing=doing))
    said = f"{name or number}：{_plain(message)}"
    return Failure("backend_incompatible", f"Milvus（{place}）不能完成{doing}（{said}）。")


def _name(code: object) -> str:
    """The name of a code of gRPC; none of a number."""
    return str(getattr(code, "name", "")) if type(code).__name__ == "StatusCode" else ""


def _plain(message: str) -> str:
    """A server's own words as they may stand in a line: short, and without what a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in message[:120])
