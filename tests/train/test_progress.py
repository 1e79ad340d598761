"""A bar on terminals, plain lines in files."""

import io

import pytest

from megatron_crossic.train.progress import open_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_gets_the_lines_alone() -> None:
    stream = io.StringIO()
    with open_progress(stream, first_step=1, num_steps=4) as progress:
        for step in range(1, 5):
            progress.say(f"step {step}")
            progress.step(step, "loss 1.0")
    assert stream.getvalue() == "step 1\nstep 2\nstep 3\nstep 4\n"


@pytest.mark.parametrize("first_step", [1, 3])
def test_a_terminal_gets_a_bar_below_whole_lines(first_step: int) -> None:
    stream = Terminal()
    with open_progress(stream, first_step=first_step, num_steps=4) as progress:
        for step in range(first_step, 5):
            progress.say(f"line of {step}")
            progress.step(step, f"loss {step}.0")
    shown = stream.getvalue()
    assert f"{25 * (first_step - 1):3}% |" in shown  # steps done before the start are done
    last = shown.rsplit("\r", 1)[1]
    assert last.startswith("100% |")
    assert "step 4/4" in last
    assert "ETA" in last
    assert last.rstrip().endswith("loss 4.0")
    for step in range(first_step, 5):
        assert f"\rline of {step}\n" in shown  # at the start of a line, nothing after it
