"""The command, from its flags to its files."""

import json

import pytest

from baselines.challenge_table.tables import make_tables
from baselines.table import main, parse
from sr.command import BAD_INPUT, DONE, run
from sr.deployment import DTYPES
from sr.errors import InputError
from sr.measure.latency import Protocol

SHORT = Protocol(seconds=0.01, minimum_runs=3, idle_seconds=0)


def test_counts_are_written_as_a_list(tmp_path, capsys):
    path = tmp_path / "counts.json"
    assert main(["--counts-only", "--systems", "RFDN,fssr,span", "--json", str(path)]) == DONE
    rfdn, fssr, span = json.loads(path.read_text())
    assert (rfdn["system"], rfdn["team"], rfdn["status"]) == ("RFDN", "NJU_MCG", "exact")
    assert rfdn["challenge_flops"] == 27_102_622_560
    assert rfdn["published"]["flops_g"] == 27.10
    assert (fssr["params"], fssr["status"]) == (None, "none")
    assert (span["team"], span["published"], span["name"]) == (None, None, "span")
    said = capsys.readouterr().out
    assert "27.10 / 27.10" in said
    assert "2 rows of Table 1: 1 exact" in said
    assert "runtime" not in said


def test_a_table_is_measured_reported_and_gone_on_with(tmp_path, capsys):
    sizes = tmp_path / "sizes.csv"
    sizes.write_text("width,height\n24,16\n16,24\n")
    out, page, figures = tmp_path / "out", tmp_path / "table.html", tmp_path / "table.json"
    flags = ["--device", "cpu", "--lr-size", "24x16", "--systems", "rfdn,fssr,disp", "--out", str(out)]
    flags += ["--engine", "torch"]
    # Measured for a moment only: the command finds every row there and reports it.
    make_tables(parse([*flags, "--lr-sizes", str(sizes)]), protocol=SHORT)
    assert main([*flags, "--lr-sizes", str(sizes), "--html", str(page), "--json", str(figures)]) == DONE
    said = capsys.readouterr().out
    assert "mean over 2 frames" in said
    assert "Table 2" in said
    assert "0.6671" in said
    assert "Plotly.newPlot" in page.read_text(encoding="utf-8")
    content = json.loads(figures.read_text())
    found = content["engines"]["torch"]
    assert found["conditions"]["lr_size"] == [16, 24]
    assert found["frames"] == ["24x16", "16x24"]
    assert [row["system"] for row in content["rows"]] == ["RFDN", "FSSR", "DISP"]
    assert sorted(found["rows"]) == ["disp", "rfdn"]
    assert len(found["rows"]["disp"]["passes_ms"]) == 3
    kept = (out / "rows-torch.json").read_text()
    assert main(flags) == DONE
    assert (out / "rows-torch.json").read_text() == kept
    with pytest.raises(InputError, match="dtype was float32 and is now bfloat16"):
        main([*flags, "--dtype", "bfloat16"])


def test_engines_are_compared_in_one_command(tmp_path, capsys):
    out, figures = tmp_path / "out", tmp_path / "table.json"
    flags = ["--device", "cpu", "--lr-size", "24x16", "--systems", "span,disp", "--out", str(out)]
    flags += ["--engine", "torch, onnxruntime"]
    make_tables(parse(flags), protocol=SHORT)
    assert main([*flags, "--json", str(figures)]) == DONE
    said = capsys.readouterr().out
    assert "onnxruntime / torch" in said
    assert "with the runtime in torch" in said
    assert "with the runtime in onnxruntime" in said
    (found,) = json.loads(figures.read_text())["between_engines"]
    assert (found["engine"], found["other"], found["networks"]) == ("onnxruntime", "torch", 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_may_be_asked_for(dtype):
    assert parse(["--dtype", dtype]).dtype == dtype


def test_a_list_of_frames_implies_the_challenges_protocol(tmp_path):
    assert not parse([]).challenge
    assert parse(["--protocol", "challenge"]).challenge
    assert parse(["--lr-sizes", str(tmp_path / "sizes.csv")]).challenge


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--systems", "edsr", "--engine", "torch"], "got 'edsr'"),
        (["--lr-size", "10x10"], "got '10x10'"),
        (["--lr-sizes", "nowhere.csv"], "nowhere.csv"),
        (["--counts-only", "--html", "page.html"], "leave one of them out"),
        (["--dtype", "int3"], "--dtype"),
        (["--engine", "ncnn"], "--engine must be auto, all"),
        (["--protocol", "fast"], "--protocol"),
    ],
)
def test_bad_flags_are_one_line_and_exit_code_2(flags, message, capsys):
    assert run(main, flags) == BAD_INPUT
    complaint = capsys.readouterr().err
    assert message in complaint
    assert complaint.count("\n") == 1
