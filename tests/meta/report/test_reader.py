"""Is a result file what its schema says, and is one from anybody either that or refused in a line?"""

import gzip
import json
import os

import fastjsonschema
import pytest
from results import case, document

from conformance.report import bounds, reader, writer
from conformance.report.reader import read_result


def test_a_result_file_is_read_as_it_was_written_compressed_or_not(tmp_path):
    content = document(case("fails", message="off", layer="vmap", script="import torch", dtype="float64"))
    for name in ("a.json", "a.json.gz"):
        writer.write_result(tmp_path / name, content)

        found = read_result(tmp_path / name)

        assert found.content == json.loads(json.dumps(content))
        assert (found.name, str(found.release), found.torch) == (name, "2.13.0", "2.13.0+cpu")
        assert found.rows["forward.a", "torch.func"]["status"] == "fails"
        assert found.requirements == {"forward.a", "stacking.b"}


def test_the_same_content_is_the_same_compressed_file(tmp_path):
    for name in ("a.json.gz", "b.json.gz"):
        writer.write_result(tmp_path / name, document())

    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_a_run_writes_what_the_schema_says(run_suite):
    outcome = run_suite("--requirement=in_dims.none", "--requirement=in_dims.nested")

    reader._schema_validator(writer.SCHEMA_VERSION)(outcome.result)  # noqa: SLF001 - it raises for what is not so
    assert outcome.code == 0


def test_the_schema_documents_every_key_that_there_is():
    schema = json.loads(reader.SCHEMA.read_text(encoding="utf-8"))

    assert schema["properties"]["schema_version"]["const"] == writer.SCHEMA_VERSION
    assert set(schema["properties"]) == set(document())
    facts = {"layer": "vmap", "script": "import torch", "dtype": "float64", "effect": "wrong", "observed": "it differs"}
    (found,) = document(case("fails", **facts))["requirements"][0]["cases"]
    assert set(schema["definitions"]["case"]["properties"]) == set(found)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        fastjsonschema.compile(schema)({})


def older(*cases, **options):
    """A document as a suite before schema 4 wrote it."""
    content = json.loads(json.dumps(document(*cases, **options))) | {"schema_version": 3}
    del content["suite"], content["environment"]["variables"]
    for row in content["requirements"]:
        del row["added"]
    return content


def test_a_file_of_schema_3_is_read(tmp_path):
    content = older(case("known failure", message="a reason"))
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")

    assert read_result(tmp_path / "a.json").content == content


@pytest.mark.parametrize(
    "content",
    [document(), older(case("known failure", effect="wrong")), older(levels=["must"])],
    ids=["suite", "effect", "levels"],
)
def test_what_schema_4_added_is_refused_in_schema_3(content, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(content | {"schema_version": 3}), encoding="utf-8")

    with pytest.raises(ValueError, match="must not contain"):
        read_result(tmp_path / "a.json")


def test_schema_4_needs_a_suite(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(older() | {"schema_version": 4}), encoding="utf-8")

    with pytest.raises(ValueError, match="must contain"):
        read_result(tmp_path / "a.json")


def changed(**changes):
    return json.dumps(document() | changes).encode()


def with_case(**facts):
    content = document(case("conforms"))
    content["requirements"][0]["cases"][0] |= facts
    return json.dumps(content).encode()


def twice(what):
    content = document(case("conforms"))
    rows = content["requirements"] if what == "requirement" else content["requirements"][0]["cases"]
    rows.append(rows[0])
    return json.dumps(content).encode()


BAD = {
    "empty": (b"", "Expecting value"),
    "no-json": (b"\x7fELF", "Expecting value"),
    "no-text": (b"\xff\xfe\x00", "utf-8"),
    "truncated": (json.dumps(document()).encode()[:-20], "line 1 column"),
    "deep": (b"[" * 100_000, "nested too deeply"),
    "no-object": (b"[]", "not a result file"),
    "no-version": (b"{}", "not a result file"),
    "older": (changed(schema_version=2), "has schema_version 2, but this suite reads 3 and 4"),
    "version-of-a-wrong-type": (changed(schema_version={"a": [1]}), "has schema_version"),
    "unknown-key": (changed(pickle="cos"), "must not contain"),
    "no-list": (changed(requirements=5), "requirements must be array"),
    "no-row": (changed(requirements=[5]), "requirements[0] must be object"),
    "no-torch": (changed(environment={}), "environment must contain"),
    "hostile-torch": (changed(environment=document()["environment"] | {"torch": "__import__"}), "torch must match"),
    "commit-of-no-hash": (changed(suite=document()["suite"] | {"commit": "; rm -rf"}), "commit must match"),
    "unknown-effect": (with_case(effect="fine"), "effect must be one of"),
    "long-variable": (changed(environment=document()["environment"] | {"variables": {"A": "x" * 501}}), "shorter than"),
    "unknown-status": (with_case(status="fine"), "status must be one of"),
    "wrong-type": (with_case(lost="yes"), "lost must be boolean"),
    "negative": (with_case(duration=-1), "duration must be bigger"),
    "nan": (with_case(budget_share=float("nan")), "NaN, which is not valid JSON"),
    "infinite": (with_case(duration=0).replace(b'"duration": 0', b'"duration": 1e999'), "not a finite number"),
    "huge-number": (with_case(duration=0).replace(b'"duration": 0', b'"duration": ' + b"9" * 5000), "19 digits"),
    "half-a-character": (with_case(message="\ud800"), "surrogates not allowed"),
    "a-requirement-twice": (twice("requirement"), "contains forward.a under torch.func twice"),
    "a-test-twice": (twice("test"), "forward.a under torch.func contains a test twice"),
}


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD)
def test_what_is_no_result_file_is_refused_in_one_line(data, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in (("a.json", data), ("a.json.gz", gzip.compress(data))):
        (tmp_path / name).write_bytes(content)

        with pytest.raises(ValueError, match=r"^a\.json") as refusal:
            reader.read_result((tmp_path / name).relative_to(tmp_path))

        assert reason in str(refusal.value)
        assert len(str(refusal.value)) <= 310
        assert str(refusal.value).isprintable()


def test_what_is_missing_broken_or_huge_is_refused_in_one_line(tmp_path, monkeypatch):
    packed = gzip.compress(json.dumps(document()).encode())
    (tmp_path / "cut.json.gz").write_bytes(packed[:-30])
    (tmp_path / "mixed.json.gz").write_bytes(packed[:20] + bytes(100) + packed[20:])
    (tmp_path / "plain.json.gz").write_bytes(b"{}")
    (tmp_path / "bomb.json.gz").write_bytes(gzip.compress(bytes(1_000_000)))
    (tmp_path / "two.json.gz").write_bytes(packed + packed)
    (tmp_path / "large.json").write_bytes(bytes(100_001))
    os.mkfifo(tmp_path / "pipe.json")
    os.mkfifo(tmp_path / "pipe.json.gz")
    monkeypatch.setattr(bounds, "MAX_BYTES", 100_000)
    monkeypatch.setattr(reader, "MAX_BYTES", 100_000)
    monkeypatch.setattr(reader, "MAX_PACKED", 10_000)
    (tmp_path / "packed.json.gz").write_bytes(bytes(10_001))

    for name, reason in {
        "none.json": "No such file",
        "cut.json.gz": "is incomplete",
        "mixed.json.gz": "is a damaged gzip file",
        "plain.json.gz": "is not a gzip file",
        "bomb.json.gz": "contains more than 100,000 bytes",
        "large.json": "contains more than 100,000 bytes",
        "packed.json.gz": "contains more than 10,000 bytes",
        "two.json.gz": "contains more than one compressed file",
        "pipe.json": "pipe.json: is not a regular file",
        "pipe.json.gz": "is not a regular file",
    }.items():
        with pytest.raises(ValueError, match=reason):
            read_result(tmp_path / name)


def test_a_character_in_two_halves_is_a_character(tmp_path):
    (tmp_path / "a.json").write_bytes(with_case(message="\N{GRINNING FACE}"))

    assert (
        read_result(tmp_path / "a.json").rows["forward.a", "torch.func"]["cases"][0]["message"] == "\N{GRINNING FACE}"
    )
