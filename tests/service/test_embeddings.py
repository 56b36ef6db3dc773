"""OpenAI's Embeddings, by OpenAI's own client against a running service."""

from __future__ import annotations

import asyncio
import base64
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import numpy as np
import openai
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from service.app import create_app
from service.assistant import Assistant
from service.routes.embeddings import MODELS, PASSAGE, QUERY, whole_characters
from service.tokens import count
from tests.live import serving

TEXTS = ["宝山区有多少家生物医药企业？", "研发投入强度", "𠮷野家 G60", "which park works on robots?"]


@pytest.fixture
def post(url):
    def call(**body):
        return httpx.post(f"{url}/v1/embeddings", json={"model": PASSAGE, "input": "问", **body})

    return call


def refusal(response, param, code="invalid_request", status=400):
    assert response.status_code == status
    error = response.json()["error"]
    assert sorted(error) == ["code", "message", "param", "type"]
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")
    assert any("一" <= c <= "鿿" for c in error["message"])
    assert len(error["message"]) < 400
    return error


# -- vectors --------------------------------------------------------------------------------------


def test_vectors_are_the_encoders_in_the_order_asked(client, bundled):
    made = client.embeddings.create(model=PASSAGE, input=TEXTS)
    assert (made.object, made.model) == ("list", PASSAGE)
    assert [(x.object, x.index) for x in made.data] == [("embedding", n) for n in range(4)]
    assert np.allclose([x.embedding for x in made.data], bundled.encode_passages(TEXTS), atol=1e-6)


def test_one_string_is_one_vector(client, bundled):
    made = client.embeddings.create(model=QUERY, input=TEXTS[0])
    assert len(made.data) == 1
    assert np.allclose(made.data[0].embedding, bundled.encode_queries(TEXTS[:1])[0], atol=1e-6)


def test_the_async_client(url, bundled):
    async def create():
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            return await asyncio.gather(*(client.embeddings.create(model=QUERY, input=[x]) for x in TEXTS))

    made = asyncio.run(create())
    assert np.allclose([x.data[0].embedding for x in made], bundled.encode_queries(TEXTS), atol=1e-6)


def test_floats_and_base64_are_the_same_numbers(client, post):
    floats = client.embeddings.create(model=PASSAGE, input=TEXTS, encoding_format="float")
    for n, x in enumerate(post(input=TEXTS, encoding_format="base64").json()["data"]):
        numbers = struct.unpack(f"<{len(floats.data[n].embedding)}f", base64.b64decode(x["embedding"], validate=True))
        assert list(numbers) == floats.data[n].embedding


def test_without_a_format_the_answer_is_an_array(post, bundled):
    """The protocol's default; openai-python asks for base64 by itself."""
    (x,) = post().json()["data"]
    assert len(x["embedding"]) == bundled.dim
    assert all(isinstance(number, float) for number in x["embedding"])
    assert np.linalg.norm(x["embedding"]) == pytest.approx(1, abs=1e-5)


def test_the_two_models_read_as_query_and_as_passage(settings):
    """Most encoders have a prompt for each; the bundled one reads both alike."""

    class Prompted:
        name, dim, fingerprint = "prompted", 2, "0" * 64

        def encode_queries(self, texts):
            return np.array([[0.5, -1.0]] * len(texts), dtype=np.float32)

        def encode_passages(self, texts):
            return np.array([[0.25, 2.0]] * len(texts), dtype=np.float32)

    assistant = Assistant(settings)
    assistant.encoder = Prompted
    client = TestClient(create_app(assistant, settings), base_url="http://127.0.0.1")

    def embedding(model, **more):
        return client.post("/v1/embeddings", json={"model": model, "input": "问", **more}).json()["data"][0][
            "embedding"
        ]

    assert embedding(QUERY) == [0.5, -1.0]
    assert embedding(PASSAGE, dimensions=2) == [0.25, 2.0]
    assert embedding(QUERY, encoding_format="base64") == "AAAAPwAAgL8="


def test_models_are_listed(client):
    assert set(MODELS) <= {x.id for x in client.models.list()}
    assert client.models.retrieve(QUERY).id == QUERY


def test_many_at_once(url, bundled):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client, ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda n: client.embeddings.create(model=PASSAGE, input=[TEXTS[n % 4]]), range(24))
        vectors = [x.data[0].embedding for x in made]
    assert np.allclose(vectors, bundled.encode_passages(TEXTS * 6), atol=1e-6)


def test_as_many_inputs_as_are_allowed(client, bundled):
    made = client.embeddings.create(model=PASSAGE, input=["段落"] * 2048)
    assert [x.index for x in made.data] == list(range(2048))


def test_what_means_nothing_here_is_passed_over(post):
    assert post(user="u", extra={"a": 1}, dimensions=None, encoding_format=None).status_code == 200


def test_words_that_the_encoder_does_not_know_are_zero_not_wrong(post):
    (x,) = post(input="……").json()["data"]
    assert set(x["embedding"]) == {0.0}


# -- usage ----------------------------------------------------------------------------------------


def test_usage(client):
    usage = client.embeddings.create(model=PASSAGE, input=["宝山 G60，449 家。", "R&D"]).usage
    assert usage.prompt_tokens == usage.total_tokens == 7 + 1


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        (" \n\t", 0),
        ("宝山区", 3),
        ("𠮷野", 2),
        ("hello world", 2),
        ("C++、B-link", 3),
        ("（一）", 3),
        ("4.69%", 2),
    ],
)
def test_tokens(text, tokens):
    assert count(text) == tokens


@given(st.text())
def test_tokens_are_no_more_than_marks_and_none_only_of_white_space(text):
    assert 0 <= count(text) <= sum(not c.isspace() for c in text)
    assert (count(text) == 0) == (not text.strip())


# -- what is refused ------------------------------------------------------------------------------


def test_errors_as_the_client_raises_them(client):
    with pytest.raises(openai.NotFoundError) as missing:
        client.embeddings.create(model="text-embedding-3-small", input="问")
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    assert all(name in missing.value.message for name in MODELS)
    with pytest.raises(openai.BadRequestError) as wrong:
        client.embeddings.create(model=QUERY, input="问", dimensions=128)
    assert (wrong.value.type, wrong.value.param) == ("invalid_request_error", "dimensions")
    assert wrong.value.request_id


def test_the_encoders_own_dimension_may_be_asked_for(client, bundled):
    made = client.embeddings.create(model=QUERY, input="问", dimensions=bundled.dim)
    assert len(made.data[0].embedding) == bundled.dim


@pytest.mark.parametrize(
    "given",
    [
        "",
        "  \n",
        [],
        [""],
        ["问", " "],
        [1, 2, 3],
        [[1, 2], [3]],
        7,
        ["问", 7],
        None,
        True,
        [True],
        {"text": "问"},
        [None],
        "长" * 20_001,
        ["问", "长" * 20_001],
        ["问"] * 2049,
        [[]],
    ],
)
def test_inputs_that_are_refused(post, given):
    refusal(post(input=given), "input")


def test_tokens_of_another_tokenizer_are_refused_by_name(post):
    assert "token" in refusal(post(input=[9906, 1917]), "input")["message"]


@pytest.mark.parametrize("given", [255, 0, -1, True, 10**30])
def test_dimensions_that_are_refused(post, given):
    assert "256" in refusal(post(dimensions=given), "dimensions")["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"dimensions": "many"}, "dimensions"),
        ({"dimensions": 2.5}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"encoding_format": 5}, "encoding_format"),
        ({"model": None}, "model"),
        ({"model": ["a"]}, "model"),
    ],
)
def test_fields_that_are_refused(post, body, param):
    refusal(post(**body), param)


@pytest.mark.parametrize("missing", ["model", "input"])
def test_fields_that_must_be_there(url, missing):
    body = {"model": PASSAGE, "input": "问"}
    del body[missing]
    refusal(httpx.post(f"{url}/v1/embeddings", json=body), missing)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        f'{{"model": "{PASSAGE}", "input": NaN}}'.encode(),
        f'{{"model": "{PASSAGE}", "input": "a", "dimensions": Infinity}}'.encode(),
        f'{{"model": "{PASSAGE}", "input": "a", "dimensions": {"9" * 5000}}}'.encode(),
    ],
)
def test_bodies_that_are_refused(url, content):
    response = httpx.post(f"{url}/v1/embeddings", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_text_cut_within_a_character(post):
    """JavaScript cuts strings between the halves of a pair, and JSON carries the half."""
    content = f'{{"model": "{PASSAGE}", "input": ["宝山\\ud83d", "\\udc00"]}}'.encode()
    response = httpx.post(str(post().url), content=content, headers={"content-type": "application/json"})
    assert response.status_code == 200
    assert whole_characters("宝山\ud83d") == "宝山\ufffd"
    assert whole_characters("\ud83d\ude00𠮷") == "😀𠮷"


def test_a_wrong_key_is_openais_error(settings):
    with serving(replace(settings, api_key="k" * 32)) as base:
        with openai.OpenAI(base_url=f"{base}/v1", api_key="wrong", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError) as refused:
                client.embeddings.create(model=QUERY, input="问")
            assert refused.value.code == "invalid_api_key"
        with openai.OpenAI(base_url=f"{base}/v1", api_key="k" * 32, max_retries=0) as client:
            assert client.embeddings.create(model=QUERY, input="问").data
