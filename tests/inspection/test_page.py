"""The page as text; `test_browser` has it shown."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from inspected_windows import hostile_data_set
from parsed_page import Page

from megatron_crossic.errors import ConfigError
from megatron_crossic.inspection.page import refuse_output, write_page


@pytest.fixture
def text(tmp_path: Path) -> str:
    store, tokenizer = hostile_data_set(tmp_path)
    size = write_page(tmp_path / "out.html", store, tokenizer, [0, 1])
    content = (tmp_path / "out.html").read_bytes()
    assert len(content) == size
    assert not list(tmp_path.glob("*.partial"))
    return content.decode("utf-8")


def test_the_data_survive_the_way_through_the_page(text: str) -> None:
    page = Page(text)
    (data,) = [content for tag, content in page.raw if content.startswith('{"name"')]
    values = json.loads(data)
    assert [window["number"] for window in values["windows"]] == [0, 1]
    assert values["windows"][1]["spans"][0]["text"].startswith("<script>window.ran = true</script>")
    assert values["languages"] == [["en", "ltr"], ["ar", "rtl"]]
    assert values["pairs"]["1"]["documents"][1] == ["ar", "rtl", "عنوان"]
    assert not set("<>&\u2028\u2029\u202e\x1b") & set(data)


def test_data_make_no_elements(text: str) -> None:
    tags = [tag for tag, _ in Page(text).elements]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert "<!--" not in text


def test_the_policy_allows_the_own_script_and_style_alone(text: str) -> None:
    page = Page(text)
    (policy,) = [a["content"] for t, a in page.elements if a.get("http-equiv")]
    blocks = {tag: content for tag, content in page.raw if not content.startswith('{"name"')}
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(blocks[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in (policy or "")
    assert (policy or "").startswith("default-src 'none'; ")
    assert "unsafe" not in (policy or "")


def test_nothing_comes_from_elsewhere(text: str) -> None:
    for tag, attributes in Page(text).elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
    style = text.split("<style>")[1].split("</style>")[0]
    assert not re.search(r"url\(|@import", style)


def test_outputs_are_not_replaced_by_mistake(tmp_path: Path) -> None:
    store, _ = hostile_data_set(tmp_path)
    path = tmp_path / "out.html"
    refuse_output(store, path, overwrite=False)
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(
        ConfigError, match="output path must not exist, got .*out.html.*--overwrite"
    ):
        refuse_output(store, path, overwrite=False)
    refuse_output(store, path, overwrite=True)
    for own in ("sample.bin", "sample.manifest.json"):
        with pytest.raises(ConfigError, match="output must not replace an input, got"):
            refuse_output(store, tmp_path / own, overwrite=True)
