"""A run's summary as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.measures import MEASURES
from service.render import pad


def summary_text(summary: Mapping[str, Any]) -> str:
    """What `summary.json` says, for a terminal."""
    lines = [f"{summary['answerable']} 道有答案的问题，{summary['unanswerable']} 道报告未载", ""]
    for name in MEASURES:
        mean, low, high = summary["overall"][name]
        lines.append(f"{name:<18}{mean:7.3f}   [{low:.3f}, {high:.3f}]")
    lines += ["", f"{'前五条命中，按类型':<12}"]
    for name, values in sorted(summary["by"]["type"].items(), key=lambda x: x[1]["Success@5"][0]):
        mean, low, high = values["Success@5"]
        lines.append(f"  {name:<16}{mean:7.3f}   [{low:.3f}, {high:.3f}]   {values['questions']} 题")
    if summary["citation_exactness"] is not None:
        lines += ["", f"出处逐字一致 {summary['citation_exactness']:.1%}"]
    if summary["unanswerable_auroc"] is not None:
        lines.append(f"首条得分分辨有无答案 AUROC {summary['unanswerable_auroc']:.3f}")
    lines += _answers_text(summary["answers"]) if summary.get("answers") else []
    if summary["latency_ms"]:
        lines.append(f"用时 p50 {summary['latency_ms']['p50']} 毫秒，p95 {summary['latency_ms']['p95']} 毫秒")
    return "\n".join(lines)


def _answers_text(answers: Mapping[str, Any]) -> list[str]:
    names = {
        "evidence": "答案含依据",
        "precision": "所引切题",
        "facts": "要点",
        "correct": "要点齐全",
        "silent": "误作不知",
    }
    lines = ["", "答案"]
    for name, title in names.items():
        if answers["overall"][name]:
            mean, low, high = answers["overall"][name]
            lines.append(f"  {pad(title, 16)}{mean:7.3f}   [{low:.3f}, {high:.3f}]")
    lines.append("  答案含依据，按类型")
    by_type = {name: values["evidence"] for name, values in answers["by_type"].items() if values["evidence"]}
    for name, (mean, low, high) in sorted(by_type.items(), key=lambda x: x[1][0]):
        lines.append(
            f"    {name:<14}{mean:7.3f}   [{low:.3f}, {high:.3f}]   {answers['by_type'][name]['questions']} 题"
        )
    abstained, area = answers["abstention"]["unanswerable_abstained"], answers["abstention"]["auroc"]
    if abstained["mean"]:
        lines.append(f"  报告未载的 {abstained['questions']} 题中，{abstained['count']} 题没有作答")
    if area is not None:
        lines.append(f"  把握分辨有无答案 AUROC {area:.3f}")
    fact = answers["by_type"].get("fact", {}).get("length_median")
    lines.append(f"  引文逐字一致 {answers['quotes']['exact']}/{answers['quotes']['total']}")
    return [*lines, *([f"  事实题答案长度中位数 {fact:g} 字"] if fact else [])]
