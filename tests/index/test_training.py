"""The training of the bundled encoder, on data made here and with teachers made up: small, offline, whole."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import zstandard

from index.encoders import BundledEncoder, damaged_files, unit_rows
from index.interaction import Bag, InteractionIndex, share
from index.segment import domain_words, normalise
from index.training import __main__ as command
from index.training import pairs, teachers
from index.training import vocabulary as vocabularies
from index.training.data import PairGroup, RetrievalSet
from index.training.e5 import E5
from index.training.e5_weights import E5Weights, dequantise, read_weights
from index.training.export import quantise, write_model
from index.training.glosses import clean, glosses, parse_lines
from index.training.interaction import WordTable, in_batch_loss, score, teacher_loss
from index.training.measure import interaction_scores, recall
from index.training.sources import SOURCES, sources_table
from index.training.starting import between, longest_parts, principal_axes, starting_weights
from index.training.tokens import TokenRows, close_up, hashed_ids, pad, shared_rows, tokenize
from index.training.train import LazyAdam, PairIds, Side, Trainer, distinct, pair_ids, without_common
from index.training.vocabulary import SPECIAL, Counts, build_tokenizer, build_vocabulary, count_english

# Lines of CC-CEDICT, as they stand there.
CEDICT = """# CC-CEDICT
科普 科普 [ke1 pu3] /popularization of science/(attributive) popular science/to explain in layperson's terms/
先河 先河 [xian1 he2] /source; precursor; forerunner/
後 后 [hou4] /back/behind/rear/afterwards/after/later/post-/
個 个 [ge3] /used in 自個兒|自个儿[zi4 ge3 r5]/
個 个 [ge4] /(classifier used before a noun that has no specific classifier)/(bound form) individual/
羣 群 [qun2] /variant of 群[qun2]/
群 群 [qun2] /group/crowd/flock, herd, pack etc/
箇 个 [ge4] /variant of 個|个[ge4]/
陳 陈 [Chen2] /surname Chen/Chen (c. 1045 - 479 BC), a Zhou dynasty state/
王 王 [Wang2] /surname Wang/
醫院 医院 [yi1 yuan4] /hospital/CL:所[suo3],家[jia1],座[zuo4]/
""".splitlines()
DIMS = 16


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors as small as these are slower with more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_glosses_are_cleaned():
    found = glosses(parse_lines(CEDICT))
    assert found["科普"].startswith("popularization of science; (attributive) popular science; to explain")
    assert found["后"] == "back; behind; rear; afterwards"
    assert found["个"] == "(classifier used before a noun that has no specific classifier); individual"
    assert found["群"] == "group; crowd; flock, herd, pack etc"
    assert found["陈"] == "Chen (c. 1045 - 479 BC), a Zhou dynasty state"
    assert found["王"] == "surname Wang"
    assert found["医院"] == "hospital"


def test_references_are_followed_and_remarks_go():
    entries = parse_lines(
        ["滬 沪 [Hu4] /abbr. for 上海[Shang4 hai3]/", "上海 上海 [Shang4 hai3] /(old) Shanghai city/"]
    )
    assert glosses(entries)["沪"] == "Shanghai city"
    assert clean("lit. to add 雪[xue3] (idiom); fig. worse, ") == "to add ; fig. worse"
    assert glosses({"甲": ["see 乙[yi3]"], "乙": ["see 甲[jia3]"]}) == {}


@pytest.fixture(scope="module")
def vocabulary() -> vocabularies.Vocabulary:
    chinese = Counter({"科普": 50, "医院": 90, "园区": 80, "机器人": 60, "科": 5, "普": 5, "骐": 0})
    general = Counter(dict.fromkeys(["科", "普", "医", "院", "园", "区", "一言既出驷马难追"], 20)) + chinese
    counts = Counts(chinese, general, Counter({"hospital": 3}))
    english = count_english(["hospital; robot", "a park", "the park", "city, robot"], ["hospital"], ["city", "##ing"])
    shares = {word: count / english.total() for word, count in english.items()}
    return build_vocabulary([*chinese, "医", "院", "T恤", "一言既出驷马难追", "罕见词"], counts, english, shares)


@pytest.fixture(scope="module")
def start(vocabulary, tmp_path_factory) -> Path:
    """An encoder's folder with vectors drawn by chance."""
    vectors = np.random.default_rng(0).normal(size=(len(SPECIAL) + len(vocabulary.words), DIMS)).astype(np.float32)
    vectors[: len(SPECIAL)] = 0
    folder = tmp_path_factory.mktemp("encoder")
    write_model(folder, build_tokenizer(vocabulary), vectors, starting_weights(vocabulary))
    return folder


@pytest.fixture(scope="module")
def encoder(start) -> BundledEncoder:
    return BundledEncoder(start)


def test_the_vocabulary_keeps_characters_names_and_frequent_words(vocabulary, monkeypatch):
    names = {name for name in map(normalise, domain_words()) if re.fullmatch("[一-鿿]+", name)}
    assert names <= set(vocabulary.chinese)
    assert {"科普", "医院", "医", "院", "一言既出驷马难追"} <= set(vocabulary.chinese)
    assert not {"罕见词", "T恤"} & set(vocabulary.chinese)
    assert vocabulary.english == ["city", "hospital", "park", "robot"]
    assert vocabulary.probabilities.shape == (len(vocabulary.words),)
    monkeypatch.setattr(vocabularies, "CHINESE_WORDS", len(names) + 5)
    counts = Counts(Counter({"甲乙": 9, "丙丁": 5}), Counter({"丙": 9, "驷马难追": 9}), Counter())
    small = build_vocabulary(["甲乙", "丙", "丙丁", "驷马难追"], counts, Counter(), {}).chinese
    assert {"甲乙", "丙", "丙丁"} <= set(small)


def test_texts_are_cut_into_words_of_the_table(encoder, vocabulary):
    rows = {word: row + len(SPECIAL) for row, word in enumerate(vocabulary.words)}
    texts = ["科普医院", "hospitals, Robot", "G60 449", "", "科普 科普"]
    words = tokenize(encoder, texts)
    assert words.row(0).tolist() == sorted([rows["科普"], rows["医院"]])
    assert words.row(1).tolist() == sorted([rows["hospital"], rows["robot"]])
    assert words.lengths.tolist() == [2, 2, 3, 0, 1]
    assert (words.row(2) >= encoder.size).all()
    assert sorted(shared_rows(words.row(2), encoder.size)) == [1, 1, 2]
    hashed = hashed_ids([words, words], encoder.size)
    closed = close_up(words, hashed, encoder.size)
    assert closed.row(2).tolist() == [encoder.size, encoder.size + 1, encoder.size + 2]
    assert closed.row(0).tolist() == words.row(0).tolist()


def test_a_name_of_the_domain_stays_whole(encoder, vocabulary):
    rows = {word: row + len(SPECIAL) for row, word in enumerate(vocabulary.words)}
    name = next(name for name in map(normalise, domain_words()) if re.fullmatch("[一-鿿]{3,}", name))
    assert encoder.units([name])[0].tolist() == [rows[name]]


def test_long_rows_are_drawn_from_and_short_ones_padded(encoder):
    rows = tokenize(encoder, ["科普医院园区", "科普"])
    padded = pad(rows, np.array([0, 1]), 2, np.random.default_rng(0))
    assert padded.shape == (2, 2)
    assert set(padded[0]) < set(rows.row(0))
    assert padded[1].tolist() == [rows.row(1)[0], -1]


def test_principal_axes_keep_what_is_largest():
    generator = np.random.default_rng(0)
    vectors = (generator.normal(size=(200, 6)) * [9, 5, 1, 0.1, 0.1, 0.1]).astype(np.float32)
    reduced = vectors @ principal_axes(vectors, 2)
    left, values, _ = np.linalg.svd(vectors, full_matrices=False)
    np.testing.assert_allclose(np.abs(reduced), np.abs(left[:, :2] * values[:2]), atol=1e-2)
    rotated = vectors @ principal_axes(vectors, 6)
    np.testing.assert_allclose(rotated @ rotated.T, vectors @ vectors.T, atol=1e-2)


def test_a_word_falls_into_its_longest_parts():
    assert longest_parts("宝山区医院", {"宝": 0, "山区": 1, "医": 2, "医院": 3}) == ["宝", "山区", "医院"]
    assert longest_parts("未知词", {"知": 0}) == ["知"]
    assert longest_parts("未", {}) == []


def test_int8_is_off_by_half_a_step_at_most():
    rows = np.random.default_rng(0).normal(size=(50, 32)).astype(np.float32)
    rows[7] = 0
    embeddings, scales = quantise(rows)
    assert embeddings.dtype == np.int8
    assert not embeddings[7].any()
    error = np.abs(embeddings * scales[:, None] - rows)
    assert (error <= scales[:, None] / 2 + 1e-6).all()


def test_exported_files_give_back_what_was_written(tmp_path, vocabulary):
    generator = np.random.default_rng(1)
    size = len(SPECIAL) + len(vocabulary.words)
    vectors = generator.normal(size=(size, DIMS)).astype(np.float32)
    weights = generator.uniform(0.1, 2, size).astype(np.float32)
    write_model(tmp_path, build_tokenizer(vocabulary), vectors, weights)
    assert damaged_files(tmp_path) == []
    read = BundledEncoder(tmp_path)
    words = np.arange(len(SPECIAL), size)
    assert (read.unit_vectors(words) * unit_rows(vectors[len(SPECIAL) :])).sum(axis=1).min() > 0.999
    np.testing.assert_allclose(read.unit_weights(words), weights[len(SPECIAL) :])
    number = read.units(["449"])[0]
    assert float((read.unit_vectors(number) @ unit_rows(vectors[1:2]).T)[0, 0]) > 0.5
    assert read.unit_weights(number)[0] == weights[1]
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config == {"format": "kewen-words-1", "dim": DIMS, "threshold": 0.2}


def test_what_is_trained_is_the_score_that_is_used(encoder, vocabulary, tmp_path):
    passages = ["科普医院 449", "园区 robot parks", "机器人 G60", "city 3.5"]
    questions = ["hospital 449", "机器人园区 G60", "robot city"]
    table = np.random.default_rng(2).normal(size=(encoder.size, DIMS)).astype(np.float32)
    weights = starting_weights(vocabulary)
    write_model(tmp_path, build_tokenizer(vocabulary), table, weights)
    used = BundledEncoder(tmp_path)

    rows = tokenize(encoder, questions), tokenize(encoder, passages)
    hashed = hashed_ids(rows, encoder.size)
    asked, offered = (
        pad(close_up(row, hashed, encoder.size), np.arange(len(row.lengths)), 9, np.random.default_rng(0))
        for row in rows
    )
    # The starting table's shared rows are zero: a hashed word is its own vector alone.
    signs = encoder.unit_vectors(hashed), shared_rows(hashed, encoder.size)
    words = WordTable.of(table, np.eye(DIMS, dtype=np.float32), weights, signs, settled=0)
    words.special.detach().copy_(torch.tensor(table[: len(SPECIAL)]))
    scores, _ = score(words, asked, offered)

    index = InteractionIndex.build(used, passages)
    bags = [Bag.of(used, question) for question in questions]
    shares = np.array([share(index.matches(bag, np.arange(len(passages))), bag.weights) for bag in bags])
    np.testing.assert_allclose(scores.words.detach().numpy(), shares, atol=0.02)
    averaged = used.encode_queries(questions) @ used.encode_passages(passages).T
    np.testing.assert_allclose(scores.averages.detach().numpy(), averaged, atol=0.02)
    retrieval = RetrievalSet("T", passages, questions, [[0], [2], [1]])
    np.testing.assert_allclose(interaction_scores(used, retrieval), shares, atol=0.01)


def test_words_that_the_passage_has_too_are_mostly_left_out():
    queries = np.array([[1, 2, 3, -1], [4, 5, -1, -1], [6, -1, -1, -1]])
    passages = np.array([[1, 2, 9], [8, 9, -1], [6, 7, -1]])
    kept = [without_common(queries, passages, np.random.default_rng(seed)) for seed in range(60)]
    assert all((rows[:, 3] == -1).all() and rows[0, 2] == 3 and (rows[1, :2] == [4, 5]).all() for rows in kept)
    assert all(rows[2, 0] == 6 for rows in kept), "a query keeps a word"
    assert 0.4 < np.mean([rows[0, 0] == -1 for rows in kept]) < 0.8


def test_between_start_and_training():
    start, trained = np.eye(8, dtype=np.float32), np.roll(np.eye(8, dtype=np.float32), 1, axis=1) * 3
    mixed = between(start, trained)
    np.testing.assert_array_equal(mixed[:3], trained[:3])
    assert 0 < (mixed[3:] * start[3:]).sum(axis=1).max() < (mixed[3:] * trained[3:]).sum(axis=1).min() / 3
    np.testing.assert_allclose(np.linalg.norm(mixed[3:], axis=1), 1, rtol=1e-6)


def test_pairs_alike_are_no_negatives():
    scores = torch.tensor([[9.0, 9.0], [0.0, 9.0]])
    same = torch.tensor([[False, True], [True, False]])
    assert in_batch_loss(scores, same) < 1e-3 < in_batch_loss(scores, torch.zeros(2, 2, dtype=torch.bool))


def test_who_agrees_with_the_teacher_has_nothing_to_learn():
    cosines = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
    assert float(teacher_loss(cosines / 0.02, cosines)) == pytest.approx(0, abs=1e-5)
    assert float(teacher_loss(-cosines / 0.02, cosines)) > 1


def test_lazy_adam_is_adam_where_all_rows_are_touched():
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(5, 3, generator=generator)
    theirs = ours.clone().requires_grad_()
    lazy, adam = LazyAdam(ours), torch.optim.Adam([theirs], lr=0.1)
    for _ in range(4):
        theirs.grad = torch.randn(5, 3, generator=generator)
        adam.step()
        lazy.step(torch.arange(5), theirs.grad, 0.1)
    torch.testing.assert_close(ours, theirs.detach())


def test_training_brings_words_that_belong_together_together():
    # Two languages of one meaning in different halves of the features: the axes have to bring them together.
    count, generator = 80, np.random.default_rng(0)
    meanings = unit_rows(generator.normal(size=(count, DIMS)).astype(np.float32))
    start = np.zeros((3 + 2 * count, 2 * DIMS), np.float32)
    start[3 : 3 + count, :DIMS] = start[3 + count :, DIMS:] = meanings
    axes = generator.normal(size=(2 * DIMS, DIMS)).astype(np.float32) / np.float32(np.sqrt(2 * DIMS))
    no_hashed = np.zeros((0, DIMS), np.float32), np.zeros(0, np.int64)
    table = WordTable.of(start, axes, np.ones(len(start), np.float32), no_hashed, settled=3)
    starts = np.arange(count + 1)
    taught = meanings.astype(np.float16)
    places = np.arange(count)
    queries, passages = (Side(_rows(3 + first + places, starts), taught) for first in (0, count))
    trainer = Trainer(table, queries, passages, [PairIds("qa", places, places)], seed=0)
    losses = trainer.run(300)
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:20])
    vectors = unit_rows(table.arrays()[0])
    cosines = vectors[3 : 3 + count] @ vectors[3 + count :].T
    assert recall(cosines, [[n] for n in range(count)]).at_1 > 0.5


def test_too_few_pairs_are_told():
    side = Side(_rows(np.arange(3, 8), np.arange(6)), np.zeros((5, 4), np.float16))
    no_hashed = np.zeros((0, DIMS), np.float32), np.zeros(0, np.int64)
    ones = np.ones((8, DIMS), np.float32)
    table = WordTable.of(ones, np.eye(DIMS, dtype=np.float32), np.ones(8, np.float32), no_hashed, settled=3)
    with pytest.raises(ValueError, match="64 pairs"):
        Trainer(table, side, side, [PairIds("qa", np.arange(5), np.arange(5))], seed=0).run(1)


def test_texts_that_the_teacher_judges_come_first():
    groups = [
        PairGroup("cedict", "gloss", ["hospital", "q1"], ["医院", "p1"]),
        PairGroup("laws", "head", ["q1", "q2", "q1"], ["p1", "p1", "p2"]),
    ]
    queries, passages = distinct(groups, "queries"), distinct(groups, "passages")
    assert queries == (["q1", "q2"], ["hospital"])
    assert passages.texts == ["p1", "p2", "医院"]
    head = pair_ids(groups, queries.texts, passages.texts)[1]
    assert (head.queries.tolist(), head.passages.tolist()) == ([0, 1, 0], [0, 0, 1])


def test_a_source_without_licence_is_refused():
    assert "written for this project" in sources_table([SOURCES[-1].names[0]])
    with pytest.raises(ValueError, match="nowhere"):
        sources_table(["nowhere"])


# The everyday language that ships with the project.


def test_every_everyday_question_is_sound():
    records = [json.loads(line) for line in lines_of("questions.jsonl")]
    assert len(records) > 6000
    for record in records:
        assert record.keys() == {"paragraph_sha256", "title", "language", "text"}
        assert re.fullmatch("[0-9a-f]{64}", record["paragraph_sha256"])
        assert record["language"] in {"zh", "en"}
        assert record["title"]
        assert record["text"] == record["text"].strip() != ""
    texts = [normalise(record["text"]) for record in records]
    assert len(set(texts)) == len(texts)


def test_every_entry_of_the_thesaurus_is_sound():
    records = [json.loads(line) for line in lines_of("thesaurus.jsonl")]
    assert len(records) > 1000
    for record in records:
        assert record.keys() == {"term", "zh", "en"}
        expressions = [normalise(text) for text in record["zh"] + record["en"]]
        assert expressions
        assert len({*expressions, normalise(record["term"])}) == len(expressions) + 1
    assert len({record["term"] for record in records}) == len(records)


def test_a_question_finds_its_paragraph_by_its_sum(tmp_path):
    paragraph = "第六条 各级政府应当组织科普活动。"
    sums = [hashlib.sha256(text.encode()).hexdigest() for text in (paragraph, "another")]
    questions = [{"paragraph_sha256": x, "title": "某条例", "language": "zh", "text": "谁来办讲座？"} for x in sums]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(x) + "\n" for x in questions), encoding="utf-8")
    thesaurus = json.dumps({"term": "科普", "zh": ["讲科学"], "en": ["science outreach"]})
    (tmp_path / "thesaurus.jsonl").write_text(thesaurus, encoding="utf-8")
    asked, terms = pairs.everyday_groups([paragraph], tmp_path)
    assert asked.passages == [normalise(f"某条例 {paragraph}")]
    assert asked.queries == [normalise("谁来办讲座？")]
    assert (terms.queries, terms.passages) == (["讲科学", "science outreach"], ["科普", "科普"])


def lines_of(name: str) -> list[str]:
    return (pairs.EVERYDAY / name).read_text(encoding="utf-8").splitlines()


def test_samples_keep_within_their_limits(monkeypatch):
    monkeypatch.setattr(pairs, "_LAW_HEADS", 5)
    monkeypatch.setattr(pairs, "_OF_LAWS", {"ict": 3})
    texts = [f"text {n}" for n in range(20)]
    groups = [PairGroup("laws", kind, texts, texts) for kind in ("head", "kw", "ict")]
    groups += [PairGroup("cedict", "t2s", texts, texts), PairGroup("ntrex", "par", texts, texts)]
    sampled = {group.kind: group for group in pairs.sample_groups(groups, seed=0)}
    assert {kind: len(group.queries) for kind, group in sampled.items()} == {"head": 5, "kw": 5, "ict": 3, "par": 20}
    assert set(sampled["kw"].passages) == set(sampled["head"].passages)
    assert [len(group.queries) for group in pairs.limit(groups, 2, seed=0)] == [2] * 5


# The teachers.


def tiny_e5(hidden: int = 8) -> E5Weights:
    """One layer of random numbers over a vocabulary of letters."""
    generator = np.random.default_rng(0)
    shapes = {"emb.word": 30 * hidden, "emb.pos": 40 * hidden, "emb.type": 2 * hidden}
    shapes |= {f"l0.{part}.w": hidden * hidden for part in ("q", "k", "v", "ao")}
    shapes |= {f"l0.{part}.b": hidden for part in ("q", "k", "v", "ao", "fo")}
    shapes |= {"l0.fi.w": 16 * hidden, "l0.fi.b": 16, "l0.fo.w": 16 * hidden}
    shapes |= {f"{norm}.{x}": hidden for norm in ("emb.ln", "l0.aln", "l0.oln") for x in "wb"}
    tensors = {name: generator.normal(size=size).astype(np.float32) for name, size in shapes.items()}
    pieces = [("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -2.0) for letter in "▁abcdefgh:query")]
    return E5Weights(hidden, 1, 2, 1e-12, 0, 1, 2, pieces, {ord("Ａ"): "a"}, tensors)


def test_the_teacher_gives_unit_rows_whatever_stands_beside_a_text():
    model = E5(tiny_e5())
    together = model.encode(["ab", "c" * 30, "Ａb"], "query: ", 20)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together[0], model.encode(["ab"], "query: ", 20)[0], atol=0.05)
    np.testing.assert_array_equal(together[0], together[2])


def test_four_bit_blocks_are_read():
    block = np.zeros(18, dtype=np.uint8)
    block[:2] = np.array([0.5], dtype=np.float16).view(np.uint8)
    block[2:] = 0x8F
    values = dequantise(block[None])
    assert values[:16].tolist() == [3.5] * 16
    assert values[16:].tolist() == [0.0] * 16


def test_a_file_of_the_teacher_is_read(tmp_path):
    letters = b"ab"
    header = struct.pack("<7i", 4, 1, 2, 8, 2, 9, 1) + struct.pack("<fi", 0.5, 32)
    header += struct.pack("<5i", 2, 0, 1, 1, 0) + struct.pack("<Q3I2f", len(letters), 0, 1, 2, -1.0, -2.0) + letters
    table = struct.pack("<IB1I", ord("Ａ"), 1, ord("a"))
    header += struct.pack("<iI", 1, len(table)) + table
    name = b"emb.ln.w"
    entry = struct.pack("<iH", 1, len(name)) + name + struct.pack("<BI", 0, 4)
    place = 8 + len(header) + len(entry) + 16
    content = b"kewen___" + header + entry + struct.pack("<QQ4f", place, 16, 1, 2, 3, 4)
    path = tmp_path / "e5.bin"
    path.write_bytes(content)
    weights = read_weights(path)
    assert (weights.hidden, weights.layers, weights.heads, weights.epsilon) == (4, 1, 2, 0.5)
    assert weights.pieces == [("a", -1.0), ("b", -2.0)]
    assert weights.replacements == {ord("Ａ"): "a"}
    assert weights.tensors["emb.ln.w"].tolist() == [1, 2, 3, 4]
    path.write_bytes(content[:60])
    with pytest.raises((struct.error, ValueError)):
        read_weights(path)


def test_teachers_are_asked_once(tmp_path, made_up_teachers):
    asked = teachers.Teachers(tmp_path).glosses(["a", "b"])
    assert asked.dtype == np.float16
    np.testing.assert_array_equal(teachers.Teachers(tmp_path).glosses(["a", "b"]), asked)
    assert made_up_teachers == ["glosses"]
    teachers.Teachers(tmp_path).glosses(["b", "a"])
    assert made_up_teachers == ["glosses"] * 2


# The command.


@pytest.fixture
def made_up_teachers(monkeypatch) -> list[str]:
    """Vectors from sums of the texts, in the teachers' place; returns who was asked, in order."""
    asked: list[str] = []

    def answers(name: str, texts: list[str]) -> np.ndarray:
        asked.append(name)
        seeds = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in texts]
        return unit_rows(np.array([np.random.default_rng(seed).normal(size=12) for seed in seeds], dtype=np.float32))

    class MadeUp:
        def encode(self, texts, prefix="glosses", longest=0):
            return answers(prefix, texts)

    monkeypatch.setattr(teachers, "MiniLM", MadeUp)
    monkeypatch.setattr(teachers, "E5", MadeUp)
    monkeypatch.setattr(command, "minilm_words", lambda: ["park", "science"])
    monkeypatch.setattr(vocabularies, "general_frequencies", lambda: Counter({"科技": 90, "园区": 80, "宝山": 70}))
    return asked


@pytest.fixture
def data(tmp_path, passages) -> Path:
    folder = tmp_path / "data"
    texts = [passage.text for kept in passages.values() for passage in kept][:150]
    found = [{"a": text[:20], "b": text, "source": "laws", "kind": "ict"} for text in texts]
    write(folder / "train_pairs.jsonl.zst", found)
    write(folder / "docs.jsonl.zst", [{"source": "laws", "title": "", "sections": [[["章"], texts]]}])
    write(folder / "parallel.jsonl.zst", [{"a": "science park", "b": "科技园区", "source": "ntrex"}] * 5)
    (folder / "cc-cedict-test.txt.gz").write_bytes(gzip.compress("\n".join(CEDICT).encode("utf-8")))
    for name in ("T1", "T4"):
        content = {"corpus": texts, "queries": [[text[:12], [n]] for n, text in enumerate(texts[:40])]}
        path = folder / "eval" / f"{name}.json.zst"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zstandard.compress(json.dumps(content).encode()))
    return folder


def write(path: Path, records: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    path.write_bytes(zstandard.compress(lines.encode("utf-8")))


def test_training_runs_whole_and_a_seed_decides_its_result(data, tmp_path, made_up_teachers):
    first = train(data, tmp_path / "a", seed=0)
    assert first == train(data, tmp_path / "b", seed=0)
    assert first["model.safetensors"] != train(data, tmp_path / "c", seed=1)["model.safetensors"]
    assert made_up_teachers[:4] == ["glosses", "query: ", "query: ", "passage: "]
    assert damaged_files(tmp_path / "a") == []
    assert BundledEncoder(tmp_path / "a").encode_queries(["宝山区"]).shape == (1, DIMS)
    card = (tmp_path / "a" / "README.md").read_text(encoding="utf-8")
    for needed in ("--seed 0 --steps 5", "CC BY-SA 4.0", "multilingual-e5-small", "MIT", "T4", "were looked at"):
        assert needed in card
    assert "{" not in card.replace("```", "")


def train(data: Path, out: Path, seed: int) -> dict[str, str]:
    """Run the command and return the sha256 of each file but the card, which tells times."""
    options = {"data": data, "out": out, "seed": seed, "steps": 5, "dims": DIMS, "threads": 1}
    command.main([text for name, value in options.items() for text in (f"--{name}", str(value))])
    torch.use_deterministic_algorithms(False)
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir() if path.name != "README.md"
    }


def _rows(ids: np.ndarray, starts: np.ndarray) -> TokenRows:
    return TokenRows(ids.astype(np.int64), starts.astype(np.int64))
