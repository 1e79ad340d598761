"""The demo's list of steps, and its mining; its training is that of other tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from demo_steps import LANGUAGES, WEB, Step, pair_files, steps
from mined import mined_files, mined_sections, read_mined

from megatron_crossic.data.pairs import read_pairs
from megatron_crossic.data.selection import is_held_out


def titles(found: list[Step]) -> list[str]:
    return [step.title for step in found]


def test_retrieval_adds_steps_and_a_share_of_the_blend(tmp_path: Path) -> None:
    plain, with_mining = (steps(tmp_path, retrieval=retrieval) for retrieval in (False, True))
    added = [title for title in titles(with_mining) if title not in titles(plain)]
    assert [title for title in titles(with_mining) if title not in added] == titles(plain)
    assert len(added) == len(LANGUAGES) + 2
    changed = [
        (old.command, new.command)
        for old in plain
        for new in with_mining
        if old.title == new.title and old.command != new.command
    ]
    assert len(changed) == 2, "both halves of the training"
    for old, new in changed:
        assert [word for word in new if word not in old] == [
            f'--data.train=["{tmp_path}/windows","{tmp_path}/windows-mined"]',
            "--data.weights=[0.7,0.3]",
        ]
        assert f'--data.validation=["{tmp_path}/windows-validation"]' in new
    assert len({step.output for step in with_mining}) == len(with_mining)
    assert all(Path(step.command[0]).exists() for step in with_mining)


def test_the_web_has_a_page_on_each_topic_and_others() -> None:
    pages = [json.loads(line) for line in WEB.read_text("utf-8").splitlines()]
    topics = [page["topic"] for page in pages if page["topic"]]
    assert len(topics) == len(set(topics)) == 26
    assert len(pages) - len(topics) >= 30
    assert all(300 <= len(page["text"]) <= 900 for page in pages)
    assert len({page["id"] for page in pages}) == len(pages)


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as far as the Japanese pairs are mined; other languages are not."""
    output = tmp_path_factory.mktemp("tiny demo")
    wanted = [*pair_files(output).values(), mined_files(output)["ja"]]
    chosen = [
        step
        for step in steps(output, retrieval=True)
        if step.output in [path.with_name(f"{path.name}.manifest.json") for path in wanted]
    ]
    assert len(chosen) == 4
    for step in chosen:
        command = [sys.executable, *step.command]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert step.output.exists()
    return output


def test_most_pages_that_are_mined_are_on_the_topic_of_the_article(mined: Path) -> None:
    found = read_mined(mined_files(mined)["ja"])
    assert found.documents == 24
    assert found.pairs >= 20
    assert found.right >= 0.9 * found.pairs
    (section,) = mined_sections(mined, LANGUAGES)
    assert f"| mined ja | 24 | {found.pairs} | {found.right} |" in section
    assert "mined es" not in section


def test_mined_pairs_are_held_out_with_the_articles_they_belong_to(mined: Path) -> None:
    by_target = {
        pair.targets[0].title: is_held_out(pair, fraction=0.15)
        for pair in read_pairs(pair_files(mined)["ja"])
    }
    assert set(by_target.values()) == {True, False}
    for pair in read_pairs(mined_files(mined)["ja"]):
        assert is_held_out(pair, fraction=0.15) == by_target[pair.targets[0].title]
