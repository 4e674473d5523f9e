"""The report by keyboard and on a phone, in Chromium, driven by real keys over its pipe."""

import fcntl
import json
import os
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from regnet_ds.analysis import make_groups, write_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " ")}
FOCUS = """(() => {
  const at = document.activeElement;
  return {text: at.textContent, head: at.parentElement?.tagName,
          inside: Boolean(at.closest("#all-models")), outline: getComputedStyle(at).outlineStyle};
})()"""
SORTED = """(() => {
  const table = document.getElementById("all-models");
  const heads = [...table.tHead.rows[0].cells];
  const at = heads.findIndex((head) => head.hasAttribute("aria-sort"));
  return {by: at < 0 ? "" : heads[at].textContent, way: at < 0 ? "" : heads[at].ariaSort,
          values: [...table.tBodies[0].rows].map((row) => Number(row.cells[at]?.dataset.v))};
})()"""


class Chromium:
    """A headless Chromium with one page, told what to do as JSON over two pipes."""

    def __init__(self, profile, url, *, width=1280, height=900):
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (theirs_in, theirs_out)]

        def connect():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [
                *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu"),
                *("--disable-dev-shm-usage", "--remote-debugging-pipe"),
                f"--user-data-dir={profile}",
            ],
            pass_fds=(3, 4),
            preexec_fn=connect,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in (*high, theirs_in, theirs_out):
            os.close(fd)
        self.out, self.into = os.fdopen(ours_out, "wb"), os.fdopen(ours_in, "rb")
        self.number, self.session = 0, None
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        found = self.tell("Target.attachToTarget", targetId=target, flatten=True)
        self.session = found["sessionId"]
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.tell("Emulation.setDeviceMetricsOverride", **size)
        self.tell("Page.enable")
        self.tell("Page.navigate", url=url)
        while self.hear().get("method") != "Page.loadEventFired":
            pass

    def hear(self):
        text = bytearray()
        while (byte := self.into.read(1)) != b"\0":
            assert byte, "Chromium ended"
            text += byte
        return json.loads(text)

    def tell(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.out.write(json.dumps(message).encode() + b"\0")
        self.out.flush()
        while (answer := self.hear()).get("id") != self.number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def press(self, key):
        code, text = KEYS[key]
        both = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code}
        kind = "keyDown" if text else "rawKeyDown"
        more = {"text": text} if text else {}
        self.tell("Input.dispatchKeyEvent", type=kind, **both, **more)
        self.tell("Input.dispatchKeyEvent", type="keyUp", **both)

    def ask(self, expression):
        found = self.tell("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"]["value"]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.out.close()
        self.into.close()


@pytest.fixture
def page(tmp_path):
    """A report of 40 models with learning curves, and a function that opens it."""
    rng = np.random.default_rng(0)
    errors = 5 + rng.permutation(40) * 2.0
    table = pd.DataFrame(
        {
            "depth": rng.integers(12, 29, 40),
            "flops": rng.integers(10**8, 10**10, 40),
            "lr": 10 ** rng.uniform(-2, 0, 40),
            "stage_widths": [(24, 56, 152, 368)] * 40,
            "stage_depths": [(1, 1, 4, 7)] * 40,
            "error": errors,
        }
    )
    curves = pd.DataFrame(
        [(t, "complete", k, e * 3 / k) for t, e in enumerate(errors) for k in (1, 2, 3)],
        columns=["trial", "status", "epoch", "error"],
    )
    path = tmp_path / "page.html"
    write_report(make_groups([("one", table)]), path, curves=curves)
    opened = []

    def show(**size):
        opened.append(Chromium(tmp_path / f"profile{len(opened)}", path.as_uri(), **size))
        return opened[-1]

    yield show, table
    for one in opened:
        one.close()


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_tab_reaches_the_heads_and_enter_and_space_sort(page):
    show, table = page
    browser = show()
    browser.press("Tab")
    assert browser.ask("document.activeElement.classList.contains('skip')")
    for _ in range(120):
        browser.press("Tab")
        focus = browser.ask(FOCUS)
        if focus["inside"] and focus["text"] == "flops":
            break
    assert (focus["text"], focus["head"], focus["outline"]) == ("flops", "TH", "solid")
    assert browser.ask(SORTED)["by"] == "rank"
    browser.press("Enter")
    found = browser.ask(SORTED)
    assert (found["by"], found["way"]) == ("flops", "ascending")
    assert found["values"] == sorted(table["flops"].tolist())
    browser.press(" ")
    found = browser.ask(SORTED)
    assert (found["by"], found["way"]) == ("flops", "descending")
    assert found["values"] == sorted(table["flops"].tolist(), reverse=True)
    assert browser.ask("document.getElementById('sorted').textContent") == (
        "Sorted by flops, descending."
    )


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_nothing_is_wider_than_a_phone(page):
    show, _ = page
    browser = show(width=360, height=780)
    wide = browser.ask("[document.documentElement.scrollWidth, innerWidth]")
    assert wide == [360, 360]
    assert browser.ask("document.body.textContent.includes('Learning curves')")
