"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const say = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
  // A page opened from a file may have no storage.
  const kept = (write) => { try { return write ? localStorage.setItem("theme", write) : localStorage.getItem("theme"); } catch { return null; } };
  const before = kept();
  if (before === "dark" || before === "light") root.dataset.theme = before;
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept(root.dataset.theme);
    say();
  });
  system.addEventListener("change", say);
  say();

  const table = document.getElementById("all-models");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, i) => {
    const cell = row.cells[i];
    const text = cell.dataset.v ?? cell.textContent.trim();
    const number = Number(text);
    return text === "" || text === "–" ? null : Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  heads.forEach((head, i) => head.firstElementChild.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    const rows = [...body.rows].map((row) => [value(row, i), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null); // missing ones last
      return down ? compare(b, a) : compare(a, b);
    });
    body.replaceChildren(...rows.map(([, row]) => row));
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    document.getElementById("sorted").textContent =
      `Sorted by ${head.firstElementChild.textContent}, ${down ? "descending" : "ascending"}.`;
  }));

  let open = [];
  addEventListener("beforeprint", () => {
    open = [...document.querySelectorAll("details.absent:not([open])")];
    open.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => open.forEach((one) => { one.open = false; }));
})();
