"""The report: what it says, that data are never taken as HTML, and the page in a browser."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from regnet_ds.analysis import facts_of_source, make_groups, render_report, write_report
from regnet_ds.analysis.reporting import document
from regnet_ds.analysis.reporting import rows as rows_module
from regnet_ds.analysis.reporting.rows import models_table, stages_of_row
from regnet_ds.analysis.reporting.vector import inline_svg, stage_diagram
from regnet_ds.analysis.reporting.words import minus
from regnet_ds.analysis.style import new_figure

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
EVIL = "<script>alert(1)</script><b>x</b>"
VOID = {"meta", "br", "link", "img", "hr", "input"}


def population(n=40, seed=0, **columns):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "trial": range(n),
            "space": "small",
            "seed": range(n),
            "stage_widths": [(24, 56, 152, 368)] * n,
            "stage_depths": [(1, 1, 4, int(d)) for d in rng.integers(1, 9, n)],
            "flops": rng.integers(10**8, 10**10, n),
            "lr": 10 ** rng.uniform(-2, 0, n),
            "error": 5 + rng.permutation(n) * (80 / n),
            "status": ["failed"] + ["complete"] * (n - 1),
            **columns,
        }
    )


class Outline(HTMLParser):
    """Ids, heads, tables and the nesting of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.tags, self.open, self.links = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        self.ids += [found["id"]] if "id" in found else []
        self.links += [v for k, v in attrs if k in ("src", "href", "xlink:href", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page():
    tables = [("one", population()), (EVIL, population(30, seed=1, name=f"{EVIL} net"))]
    facts = [{"source": "a.csv", "recipe.note": EVIL}]
    return render_report(make_groups(tables), title=f"T {EVIL}", facts=facts)


def test_ids_are_unique_and_links_stay_in_the_page(page):
    found = Outline(page)
    assert not found.open
    assert len(found.ids) == len(set(found.ids)) > 20
    assert found.links
    for link in found.links:
        assert link.startswith("data:image/png") or link.removeprefix("#") in found.ids, link
    for name in re.findall(r"url\(#([^)]+)\)", page):
        assert name in found.ids


def test_distributions_are_drawn_once(page):
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert sum("share of models with a lower error" in drawing for drawing in drawings) == 1


def test_nothing_of_the_data_is_taken_as_html(page):
    assert EVIL not in page
    assert "&lt;script&gt;alert(1)" in page
    tags = [tag for tag, _ in Outline(page).tags]
    assert tags.count("script") == 1
    assert "b" not in tags


def test_every_figure_has_words_and_numbers(page):
    figures = page.split("<figure")[1:]
    assert len(figures) >= 8
    for text in figures:
        body = text.partition("</figure>")[0]
        assert re.search(r'<svg [^>]*role="img" aria-label="[^"]{20,}"', body)
        assert "<h3" in body and "<figcaption>" in body
        assert body.partition("<details>")[2].count("<td>") > 0


def test_it_says_what_is_excluded_and_where_results_come_from(page):
    assert "one has 39 models (excluded: 1 failed). Their mean error is" in page
    assert re.search(r'<td>one</td><td>39</td><td>1</td><td class="t">1 failed</td>', page)
    assert re.search(r"<dt>space</dt><dd>small</dd>", page)
    assert re.search(r"<dt>seeds</dt><dd>39 from 1 to 39</dd>", page)
    assert "<dt>regnet-ds</dt>" in page and "<dt>recipe.note</dt>" in page


def test_models_are_ranked_with_their_stages():
    rows = population(12)
    found = models_table(make_groups([("one", rows)]))
    heads = [label for label, _ in found.heads]
    assert heads[:4] == ["rank", "model", "stages", "error (%)"]
    shown = [float(row[3].key) for row in found.rows]
    assert np.allclose(shown, sorted(rows["error"][1:]), rtol=1e-9)
    assert found.best[0][3].shown == f"{shown[0]:.2f}"
    assert found.worst[0][3].shown == f"{shown[-1]:.2f}"
    assert "widths 24 56 152 368<br>depths 1 1 4" in found.best[0][2].shown


def test_stages_of_a_regnet_are_those_of_its_parameters():
    # RegNetX-200MF (DDS, table of the models): widths and depths of pycls.
    row = {"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8}
    widths, depths = stages_of_row(row)
    assert (widths.tolist(), depths.tolist()) == ([24, 56, 152, 368], [1, 1, 4, 7])
    assert stages_of_row({"error": 3.0}) is None
    drawn = stage_diagram((widths, depths), 368, 13)
    heights = [float(h) for h in re.findall(r"v-([\d.]+)", drawn)]
    lengths = [float(h) for h in re.findall(r"h([\d.]+)", drawn)]
    assert np.allclose(np.square(heights) / heights[-1] ** 2, widths / 368, atol=0.01)
    assert np.allclose(np.divide(lengths, lengths[0]), depths, rtol=0.02)


@pytest.mark.parametrize(
    "rows",
    [
        population(2),
        population(3),
        population(3, error=7.0),
        pd.DataFrame({"error": [3.0, 2.0]}),
        population(5, name="a $x^{ b$"),
    ],
    ids=["one", "two", "equal", "errors alone", "no formula"],
)
def test_small_and_odd_populations_have_a_page(rows):
    text = render_report(make_groups([("p $\\x{$ q", rows)]))
    assert not Outline(text).open
    assert "not drawn, and why" in text


def test_the_same_results_give_the_same_page():
    groups = make_groups([("one", population(12)[["trial", "error"]])])
    assert render_report(groups) == render_report(groups)


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match=r"expected one of \.html"):
        write_report(make_groups([("one", population(3))]), tmp_path / "a.pdf")
    with pytest.raises(ValueError, match="at least one population"):
        render_report([])


def test_facts_of_a_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("error\n1\n")
    facts = facts_of_source(str(path))
    assert facts["source"] == str(path)
    done = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == facts["SHA-256"]
    assert facts_of_source("example:imagenet") == {"source": "example:imagenet"}


@pytest.mark.slow
def test_500_models_are_below_2_megabytes(tmp_path):
    path = tmp_path / "report.html"
    write_report(make_groups([("one", population(500))]), path)
    assert path.stat().st_size < 2e6


# Runs before the page's own script (errors) and after it (clicks); the page writes what it saw.
_FIRST = (
    "<script>window.wrong = []; addEventListener('error', (e) => wrong.push(e.message));</script>"
)
_LAST = """<script>
const root = document.documentElement, table = document.getElementById("all-models");
const heads = [...table.tHead.rows[0].cells], seen = {};
const at = heads.findIndex((head) => head.firstElementChild.textContent === "flops");
const column = () => [...table.tBodies[0].rows].map((row) => row.cells[at].dataset.v);
const click = (i) => {
  heads[i].firstElementChild.click();
  return { column: column(), sorted: heads.map((head) => head.getAttribute("aria-sort")) };
};
seen.up = click(at);
seen.down = click(at);
seen.said = document.getElementById("sorted").textContent;
const colour = () => getComputedStyle(document.body).backgroundColor;
const button = document.getElementById("theme");
seen.themes = [button.textContent, colour()];
button.click();
seen.themes.push(button.textContent, colour());
seen.wide = [root.scrollWidth, root.clientWidth];
seen.wrong = wrong;
const out = document.createElement("pre");
out.id = "seen";
out.textContent = JSON.stringify(seen);
document.body.append(out);
</script>"""


def open_in_browser(tmp_path, text, *, width=1280):
    """Return what a page wrote of itself, and the lines of the browser's console."""
    path = tmp_path / "page.html"
    path.write_text(text.replace("<style>", f"{_FIRST}<style>", 1).replace("</body>", _LAST, 1))
    assert BROWSER is not None
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"),
            *(f"--window-size={width},900", "--virtual-time-budget=3000", "--dump-dom"),
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(found[1]), console


def assert_works(seen, console, rows):
    assert not console
    assert not seen["wrong"]
    flops = [str(value) for value in sorted(rows)]
    assert seen["up"]["column"] == flops
    assert seen["down"]["column"] == flops[::-1]
    assert [one for one in seen["up"]["sorted"] if one] == ["ascending"]
    assert [one for one in seen["down"]["sorted"] if one] == ["descending"]
    assert seen["said"] == "Sorted by flops, descending."
    before, light, after, dark = seen["themes"]
    assert (before, after) == ("Dark theme", "Light theme")
    assert light != dark
    assert seen["wide"][0] <= seen["wide"][1]  # nothing makes the page scroll sideways


@pytest.mark.slow
@pytest.mark.smoke
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_the_page_in_a_browser(tmp_path):
    rows = population(30)
    seen, console = open_in_browser(tmp_path, render_report(make_groups([("one", rows)])))
    assert_works(seen, console, rows["flops"][1:].tolist())


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_the_browser_would_show_a_broken_script(tmp_path):
    text = render_report(make_groups([("one", population(4))])).replace(
        '"use strict";', '"use strict"; setTimeout(() => absent());'
    )
    _, console = open_in_browser(tmp_path, text)
    assert any("absent is not defined" in line for line in console)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_many_models_of_two_populations_on_a_phone(tmp_path):
    a, b = population(3000), population(2000, seed=1)
    text = render_report(make_groups([("one", a), (EVIL, b)]))
    seen, console = open_in_browser(tmp_path, text, width=500)  # the least of headless Chromium
    assert_works(seen, console, [*a["flops"][1:], *b["flops"][1:]])


def words_of(text):
    """Return the text of a page as it is read, without its drawings' own and its scripts."""
    text = re.sub(r"<(style|script)\b.*?</\1>", "", text, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def test_negative_numbers_have_a_minus_sign_and_names_keep_their_hyphen():
    found = minus("a-1 is -2 to -0.5 (-3), 1e-05, -2.5e+07, name1e-5").replace(
        "\N{MINUS SIGN}", "~"
    )
    assert found == "a-1 is ~2 to ~0.5 (~3), 1×10⁻⁵, ~2.5×10⁷, name1e-5"  # noqa: RUF001


def test_numbers_of_a_drawing_are_not_cut():
    figure = new_figure(3, 2)
    axes = figure.subplots()
    axes.plot([0, 1], [1.925, 1.975])
    axes.set_title("D = 0.1234")
    drawn = inline_svg(figure, "f1", "a line")
    assert "D = 0.1234" in drawn
    assert not re.search(r'd="[^"]*\.\d{3}', drawn)


def test_alternative_texts_say_axes_and_findings(page):
    labels = [html.unescape(one) for one in re.findall(r'aria-label="([^"]*)" style', page)]
    assert len(labels) >= 8
    assert all(re.search(r"(Chart|\d+ charts) of .+(against|, for) ", one) for one in labels)
    (curve,) = (one for one in labels if one.startswith("Error distributions."))
    assert "share of models with a lower error against validation error (%)" in curve
    assert "one: 39 models, best 5.00%" in curve


def test_no_caption_is_its_heading(page):
    for body in page.split("<figure")[1:]:
        title = re.search(r"<h3[^>]*>(.*?)</h3>", body)
        about = re.search(r"<figcaption>(.*?)<span>", body)
        assert title and about and len(about[1]) > 30
        assert not about[1].startswith(title[1])


def test_parameters_and_sizes_are_not_mixed():
    rows = population(300)
    rows["error"] = 10 + 20 * np.log10(rows["lr"] / 0.01) + rows["flops"] / 1e9
    text = words_of(render_report(make_groups([("one", rows)])))
    assert re.search(r"Parameters shown to go with the error: learning rate \(\d+%\)\.", text)
    assert re.search(r"Sizes shown to go with the error: flops \(\d+%\)\.", text)


def test_many_populations_have_a_short_summary():
    names = [f"space-{i}" for i in range(5)]
    tables = [(name, population(12, seed=i)) for i, name in enumerate(names)]
    tables[4][1]["error"] -= 4
    text = render_report(make_groups(tables))
    said = re.search(r'<ul class="said">(.*?)</ul>', text, re.DOTALL)
    assert said and said[1].count("<li>") == 4
    assert "lowest in space-4" in said[1]
    assert "pairs of populations are told apart" in said[1]
    assert "choose some with --where" in text
    assert len(text.split("<figure")) < 12


def test_what_all_populations_share_is_said_once():
    tables = [(name, population(6, data="digits", resolution=i)) for i, name in enumerate("ab")]
    text = render_report(make_groups(tables))
    provenance = words_of(text.partition('<h2 id="provenance">')[2])
    assert provenance.count("digits") == 1
    heads = re.findall(r"<h3>(.*?)</h3>", text.partition('<h2 id="provenance">')[2])
    assert heads == ["All rows", "All rows of a", "All rows of b", "This report"]


def test_on_paper_the_first_models_are_listed():
    assert "On paper are the first 100 rows; the page itself holds 119." in render_report(
        make_groups([("one", population(120))])
    )
    text = render_report(make_groups([("one", population(90))]))
    assert "On paper" not in text
    # Chromium repeats no head of a table that holds a button: another is printed.
    heads = re.search(r'id="all-models".*?</thead>', text, re.DOTALL)
    assert heads
    shown = re.findall(r"<button[^>]*>(.*?)</button><span class=\"printed\">(.*?)<", heads[0])
    assert shown
    assert all(button == printed for button, printed in shown)


def test_a_high_figure_stands_beside_two():
    names = [f"space-{i}" for i in range(6)]
    text = render_report(make_groups([(n, population(12, seed=i)) for i, n in enumerate(names)]))
    assert text.count('class="tall-figure"') == 1
    assert '<figure id="figure-1" class="tall-figure"' in text


def test_of_very_many_models_the_best_are_listed(monkeypatch):
    groups = make_groups([("one", population(60))])
    monkeypatch.setattr(rows_module, "MOST_LISTED", 20)
    found = models_table(groups)
    assert (len(found.rows), found.n) == (20, 59)
    assert [row[0].shown for row in found.rows[-2:]] == ["19", "20"]
    assert [row[0].shown for row in found.worst] == ["59", "58", "57", "56", "55"]
    assert "The 20 best of 59 models that count" in render_report(groups)
    monkeypatch.setattr(document, "MOST_MODELS", 50)
    with pytest.raises(ValueError, match="up to 50 models, got 59: choose some with --where"):
        render_report(groups)
