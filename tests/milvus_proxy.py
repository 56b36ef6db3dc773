"""A gRPC server before Milvus Lite that passes every call on, but for those that a test has go wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import grpc
from milvus_lite.server_manager import server_manager_instance
from pymilvus.grpc_gen import common_pb2, milvus_pb2

Fault = Callable[[int, grpc.ServicerContext], bytes | None]
"""Called with which call of its method it is, from 1; answers instead of the server, or None: the call is passed on."""


class Proxy(grpc.GenericRpcHandler):
    """`faults` by the name of a method, such as `Upsert`; `uri` is where clients connect."""

    def __init__(self, database: str) -> None:
        self.faults: dict[str, Fault] = {}
        self.calls: dict[str, int] = {}
        self.metadata: list[dict[str, str]] = []
        behind = urlsplit(server_manager_instance.start_and_get_uri(database)).netloc
        self._channel = grpc.insecure_channel(behind, options=_UNLIMITED)
        self._server = grpc.server(ThreadPoolExecutor(max_workers=8), options=_UNLIMITED)
        self._server.add_generic_rpc_handlers([self])
        self.uri = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = handler_call_details.method
        name = method.rpartition("/")[2]
        on = self._channel.unary_unary(method)

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.calls[name] = self.calls.get(name, 0) + 1
            self.metadata.append(dict(context.invocation_metadata()))
            instead = self.faults[name](self.calls[name], context) if name in self.faults else None
            try:
                return on(request) if instead is None else instead
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
                raise

        return grpc.unary_unary_rpc_method_handler(answer)

    def stop(self) -> None:
        self._server.stop(None).wait()
        self._channel.close()


_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def fails(code: int, reason: str = "", after: int = 0, until: int = 1 << 30) -> Fault:
    """A mutation that fails as the server says it, from the call behind `after` to that of `until`."""

    def fault(call: int, context: grpc.ServicerContext) -> bytes | None:
        status = common_pb2.Status(code=code, error_code=1, reason=reason or "as the test wants it")
        return milvus_pb2.MutationResult(status=status).SerializeToString() if after < call <= until else None

    return fault


def aborts(code: grpc.StatusCode) -> Fault:
    """A call that gRPC ends with a code."""

    def fault(call: int, context: grpc.ServicerContext) -> bytes | None:
        context.abort(code, "as the test wants it")
        return None

    return fault


def hangs(seconds: float) -> Fault:
    """A call that is answered much too late."""

    def fault(call: int, context: grpc.ServicerContext) -> bytes | None:
        time.sleep(seconds)
        return None

    return fault


def version(text: str) -> Fault:
    """The version that the server says it is."""
    status = common_pb2.Status()
    return lambda call, context: milvus_pb2.GetVersionResponse(status=status, version=text).SerializeToString()
