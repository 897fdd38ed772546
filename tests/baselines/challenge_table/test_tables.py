"""Both tables: counted, measured and correlated."""

import json
from dataclasses import replace

from baselines.challenge_table.rows import table_rows
from baselines.challenge_table.tables import make_tables
from baselines.config import TableConfig
from sr.measure.latency import Protocol
from sr.progress import Message

SHORT = Protocol(seconds=0.01, minimum_runs=3, idle_seconds=0)


def test_counts_alone_are_a_list_of_rows(tmp_path):
    tables = make_tables(TableConfig(systems=("RFDN", "fssr"), counts_only=True, out=tmp_path))
    assert tables.to_json() == [row.to_json() for row in table_rows(["RFDN", "fssr"])]
    assert (tables.records, tables.correlations, tables.between) == ({}, {}, ())
    assert list(tmp_path.iterdir()) == []


def test_what_was_measured_is_not_measured_again(tmp_path):
    (tmp_path / "sizes.csv").write_text("width,height\n24,16\n")
    config = TableConfig(
        systems=("fssr", "disp"),
        device="cpu",
        lr_size=(16, 24),
        engine=("torch",),
        challenge=True,
        frames=tmp_path / "sizes.csv",
        out=tmp_path,
    )
    messages = []
    first = make_tables(
        config, protocol=SHORT, report=lambda event: messages.append(event.text) if isinstance(event, Message) else None
    )
    assert "the challenge's protocol over 1 frames in torch takes about 0 s" in messages
    kept = config.record("torch").read_text()
    assert make_tables(config, protocol=SHORT) == first
    assert config.record("torch").read_text() == kept
    content = json.loads(json.dumps(first.to_json()))
    assert [row["name"] for row in content["rows"]] == [None, "disp"]
    assert content["between_engines"] == []
    found = content["engines"]["torch"]
    assert found["frames"] == ["24x16"]
    assert list(found["rows"]) == ["disp"]
    assert len(found["rows"]["disp"]["passes_ms"]) == 3
    assert len(found["correlations"]) == 7


def test_what_several_engines_measured_is_kept_for_each(tmp_path):
    config = TableConfig(
        systems=("disp",),
        device="cpu",
        lr_size=(16, 24),
        engine=("onnxruntime", "torch"),
        out=tmp_path,
    )
    tables = make_tables(config, protocol=SHORT)
    assert list(tables.records) == ["onnxruntime", "torch"]
    for engine, record in tables.records.items():
        assert record.conditions.engine == engine
        assert record.rows["disp"].measurement.conditions.engine == engine
    (found,) = tables.between
    assert (found.engine, found.other, found.networks) == ("torch", "onnxruntime", 1)
    # Another engine later: what the first two have stays.
    kept = config.record("torch").read_text()
    assert list(make_tables(replace(config, engine=("torch",)), protocol=SHORT).records) == ["torch"]
    assert config.record("torch").read_text() == kept
