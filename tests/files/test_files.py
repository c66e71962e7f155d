"""Where a run's files lie, and which inputs are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from batcher.cli.settings.files import check_writable, files_of, files_of_results
from batcher.errors import UsageError
from batcher.files.disk import Disk
from batcher.files.lock import lock
from tests.support.earlier import results_header


def names(directory: Path, name: str, text: str = "", *, sandbox: bool = False) -> tuple[str, str, str]:
    """The three names for one input of that name."""
    (directory / name).write_text(text)
    files = files_of([str(directory / name)], sandbox=sandbox)
    assert {path.parent for path in (files.results, files.failures, files.journal)} == {directory}
    return files.results.name, files.failures.name, files.journal.name


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("dashboards.csv", "dashboards"),
        ("dashboards.csv.gz", "dashboards"),
        ("dashboards.jsonl.zst", "dashboards"),
        ("q3.backfill.json", "q3.backfill"),
        ("list.XLSX", "list"),
        ("no-extension", "no-extension"),
        ("v1.2", "v1.2"),
    ],
)
def test_files_lie_beside_the_input(tmp_path: Path, name: str, stem: str) -> None:
    """The stem loses only the extensions that batcher reads."""
    assert names(tmp_path, name) == (f"{stem}.results.jsonl", f"{stem}.failures.jsonl", f"{stem}.journal.jsonl")


def test_a_rehearsal_has_names_of_its_own(tmp_path: Path) -> None:
    """The sandbox's files never mix with the real ones."""
    assert names(tmp_path, "d.csv", sandbox=True)[0] == "d.sandbox.results.jsonl"


@pytest.mark.parametrize(
    ("name", "sandbox", "results", "failures"),
    [
        ("d.failures.jsonl", False, "d.results.jsonl", "d.failures.jsonl"),
        ("d.failures.20260701T093000Z.jsonl", False, "d.results.jsonl", "d.failures.jsonl"),
        ("d.failures.csv", False, "d.results.jsonl", "d.failures.csv"),
        ("d.sandbox.failures.jsonl", True, "d.sandbox.results.jsonl", "d.sandbox.failures.jsonl"),
        ("d.sandbox.failures.jsonl", False, "d.sandbox.results.jsonl", "d.sandbox.failures.jsonl"),
        ("d.failures.jsonl", True, "d.sandbox.results.jsonl", "d.sandbox.failures.jsonl"),
    ],
)
def test_a_failures_file_continues_its_run(
    tmp_path: Path, name: str, sandbox: bool, results: str, failures: str
) -> None:
    """It uses the results and the journal of the run that it came from, and itself as failures file."""
    assert names(tmp_path, name, sandbox=sandbox)[:2] == (results, failures)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mend.jsonl", '{"key":"a","outcome":"uncertain","spec":{}}\n'),
        ("mend.csv", "name,batcher_key,batcher_outcome,batcher_rest\n"),
    ],
)
def test_a_failures_file_under_another_name_needs_its_results(tmp_path: Path, name: str, content: str) -> None:
    """Else nothing would be known of its unclear attempts, and an uncertain row would be created again."""
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match="say which run it continues: --results FILE"):
        files_of([str(tmp_path / name)])
    assert files_of([str(tmp_path / name)], results=tmp_path / "d.results.jsonl").failures.name == name


def test_csv_failures_find_csv_results(tmp_path: Path) -> None:
    """Where only CSV results lie beside CSV failures, they are the ones, and go on in JSON lines."""
    (tmp_path / "d.results.csv").write_bytes(results_header())
    assert names(tmp_path, "d.failures.csv")[0] == "d.results.jsonl"


def test_named_results_take_the_others_along(tmp_path: Path) -> None:
    """With --results the other two lie beside it, named after it, failures in the same form."""
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").touch()
    inputs = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    (tmp_path / "all.csv").write_bytes(results_header())
    files = files_of(inputs, results=tmp_path / "all.csv")
    assert (files.results.name, files.earlier) == ("all.jsonl", tmp_path / "all.csv")
    assert (files.failures.name, files.journal.name) == ("all.failures.csv", "all.journal.jsonl")
    files = files_of(inputs, results=tmp_path / "all.results.jsonl", failures=tmp_path / "bad.csv")
    assert (files.failures.name, files.journal.name) == ("bad.csv", "all.journal.jsonl")


@pytest.mark.parametrize("inputs", [["a.csv", "b.csv"], ["-"]])
def test_results_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: list[str]) -> None:
    """Several inputs and standard input have no place of their own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").touch()
    with pytest.raises(UsageError, match="--results FILE"):
        files_of(inputs)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["missing.csv"], "missing.csv: no such file"),
        (["a.csv", "./a.csv"], "the same file"),
        (["a.csv", "link.csv"], "the same file"),
        (["-", "-"], "named twice"),
        (["folder"], "is a directory"),
        (["a.results.jsonl"], "is a results file"),
        (["a.journal.jsonl"], "is a journal file"),
    ],
)
def test_inputs_that_cannot_be_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: list[str], message: str
) -> None:
    """Each is refused with its name and a reason."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.csv").symlink_to("a.csv")
    with pytest.raises(UsageError, match=message):
        files_of(inputs, results=Path("out.results.jsonl"))


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    """Neither as results, nor as journal, nor, unless it is a failures file by its content, as failures."""
    sheet = tmp_path / "d.csv"
    sheet.write_text("name,modelId\nA,b\n")
    with pytest.raises(UsageError, match="already exists and isn't a batcher results file; name"):
        files_of([str(sheet)], results=sheet)
    with pytest.raises(UsageError, match="its rows aren't failures"):
        files_of([str(sheet)], failures=sheet)
    looks_ours = tmp_path / "q3.failures.csv"
    looks_ours.write_text("name,modelId\nA,b\n")
    with pytest.raises(UsageError, match="its rows aren't failures"):
        files_of([str(looks_ours)])
    looks_ours.write_text('{"key":"id:a","source":"d.csv","line":2,"outcome":"failed","spec":{}}\n')
    assert files_of([str(looks_ours)]).failures == looks_ours


def test_three_different_files(tmp_path: Path) -> None:
    """Results and failures in one file would lose one of them."""
    (tmp_path / "d.csv").touch()
    with pytest.raises(UsageError, match="three files"):
        files_of([str(tmp_path / "d.csv")], results=tmp_path / "x.jsonl", failures=tmp_path / "x.jsonl")


def test_a_name_that_promises_compression_is_refused(tmp_path: Path) -> None:
    """What is in it would be plain text, and `zcat` could not read it."""
    (tmp_path / "d.csv").touch()
    with pytest.raises(UsageError, match=r"never compressed; name it .*x\.jsonl$"):
        files_of([str(tmp_path / "d.csv")], results=tmp_path / "x.jsonl.gz")
    with pytest.raises(UsageError, match="never compressed"):
        files_of([str(tmp_path / "d.csv")], failures=tmp_path / "x.jsonl.zst")


def test_a_place_that_cannot_be_written_is_named_before_anything_happens(tmp_path: Path) -> None:
    """A missing directory, and a directory in the place of a file."""
    (tmp_path / "d.csv").touch()
    with pytest.raises(UsageError, match="create it first"):
        check_writable(files_of([str(tmp_path / "d.csv")], results=tmp_path / "nowhere" / "r.jsonl"))
    (tmp_path / "r.jsonl").mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        check_writable(files_of([str(tmp_path / "d.csv")], results=tmp_path / "r.jsonl"))
    check_writable(files_of([str(tmp_path / "d.csv")]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.csv", "r.jsonl"]


@pytest.mark.parametrize("length", [245, 250])
def test_a_name_that_leaves_no_room_for_ours(tmp_path: Path, length: int) -> None:
    """The system takes 255 bytes: what is too long, and what to do."""
    path = tmp_path / f"{'x' * (length - 4)}.csv"
    path.touch()
    with pytest.raises(UsageError, match="name is too long; give the input a shorter one"):
        check_writable(files_of([str(path)]))


def test_a_lock_whose_name_is_too_long(tmp_path: Path) -> None:
    """The longest name that there would be is the first one that is made."""
    path = tmp_path / f"{'x' * 236}.csv"
    path.touch()
    with (
        pytest.raises(UsageError, match=r"\.lock: this name is too long; .*Nothing was sent"),
        lock(files_of([str(path)]), Disk(), "me"),
    ):
        raise AssertionError("it was made")


def test_undo_finds_the_files_of_its_results(tmp_path: Path) -> None:
    """Journal and failures beside the results file that was named; other files are refused."""
    (tmp_path / "d.results.jsonl").touch()
    (tmp_path / "d.journal.jsonl").touch()
    assert files_of_results(tmp_path / "d.results.jsonl").journal == tmp_path / "d.journal.jsonl"
    with pytest.raises(UsageError, match="is a journal file"):
        files_of_results(tmp_path / "d.journal.jsonl")
    with pytest.raises(UsageError, match="no such results file"):
        files_of_results(tmp_path / "x.results.jsonl")


def test_a_failures_file_of_any_name_stays_the_failures_file(tmp_path: Path) -> None:
    """`run mend.csv --results done.csv` brings mend.csv up to date, not a new file beside the results."""
    mend = tmp_path / "mend.csv"
    mend.write_text("name,batcher_key,batcher_outcome,batcher_rest\nA,k,failed,\n")
    assert files_of([str(mend)], results=tmp_path / "done.jsonl").failures == mend
    mend.write_text("name\nA\n")
    assert files_of([str(mend)], results=tmp_path / "done.jsonl").failures == tmp_path / "done.failures.jsonl"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("d.jsonl", '{"key":"a","name":"A"}\n{"key":"b","name":"B","filterConfig":{"f":{"field":"outcome"}}}\n'),
        ("d.csv", 'name,filterConfig\nA,"{""f"":{""key"":""k"",""field"":""outcome""}}"\n'),
        ("d.csv", "name,description\nA,batcher_outcome\n"),
        ("d.json", '[{"key":"a","name":"outcome"}]'),
        ("d.json", '[\n{"key":"a","name":"outcome"}\n]'),
    ],
)
def test_an_input_that_uses_the_same_words_is_no_failures_file(tmp_path: Path, name: str, text: str) -> None:
    """Regression: it was taken for one, and with --results it was empty after a run in which all went well."""
    path = tmp_path / name
    path.write_text(text)
    assert files_of([str(path)], results=tmp_path / "out.results.jsonl").failures == tmp_path / "out.failures.jsonl"
    with pytest.raises(UsageError, match="its rows aren't failures"):
        files_of([str(path)], results=tmp_path / "out.results.jsonl", failures=path)
    assert files_of([str(path)]).failures == tmp_path / "d.failures.jsonl"
