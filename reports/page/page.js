// Tables sort, filter and show a page at a time; cards unfold. The page has all
// of its content without this. No text becomes markup: nodes are made, moved,
// hidden and given textContent, nothing else.
"use strict";
(() => {
  const number = new Intl.NumberFormat("en");
  const natural = new Intl.Collator("en", { numeric: true });

  // value is what a cell is sorted by.
  const value = (cell, kind) => {
    const text = cell.dataset.value ?? cell.textContent;
    return kind === "number" ? Number(text) : text;
  };

  const button = (text, press) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", press);
    return made;
  };

  const enhance = (list) => {
    const table = list.querySelector("table");
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...body.rows].map((row) => ({ row, kind: row.dataset.kind, text: row.textContent.toLowerCase() }));
    const controls = list.querySelector(".controls");
    const search = controls.querySelector("input");
    const select = controls.querySelector("select");
    const count = controls.querySelector(".count");
    const size = Number(list.dataset.page);
    let limit = size;

    const rest = document.createElement("div");
    rest.className = "rest";
    const more = button("", () => grow(limit + 4 * size));
    const all = button("", () => grow(Infinity));
    rest.append(more, all);
    table.after(rest);

    const show = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let found = 0;
      let shown = 0;
      for (const item of rows) {
        const fits = (!select.value || item.kind === select.value) && words.every((word) => item.text.includes(word));
        found += fits;
        item.row.hidden = !fits || found > limit;
        shown += !item.row.hidden;
      }
      const of = found === rows.length ? number.format(found) : `${number.format(found)} of ${number.format(rows.length)}`;
      count.textContent = `${of} ${list.dataset.noun}${shown < found ? `, the first ${number.format(shown)} shown` : ""}`;
      rest.hidden = shown === found;
      more.hidden = found - shown <= 4 * size;
      more.textContent = `Show ${number.format(4 * size)} more`;
      all.textContent = `Show all ${number.format(found)}`;
    };

    // grow shows more rows and takes the focus along when its button goes.
    const grow = (to) => {
      const first = rows.filter((item) => !item.row.hidden).length;
      limit = to;
      show();
      if (rest.hidden) {
        const next = rows.filter((item) => !item.row.hidden)[first];
        next.row.tabIndex = -1;
        next.row.focus({ preventScroll: true });
      }
    };

    const sort = (head) => {
      const column = heads.indexOf(head);
      const kind = head.dataset.sort;
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : kind === "number";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      for (const item of rows) item.key = value(item.row.cells[column], kind);
      const compare = kind === "number" ? (a, b) => a.key - b.key : (a, b) => natural.compare(a.key, b.key);
      rows.sort((a, b) => (down ? compare(b, a) : compare(a, b)));
      body.append(...rows.map((item) => item.row));
      show();
    };

    for (const head of heads.filter((head) => head.dataset.sort)) {
      const press = button(head.textContent, () => sort(head));
      head.replaceChildren(press);
      if (head.dataset.sorted) head.setAttribute("aria-sort", head.dataset.sorted);
    }
    const filter = () => {
      limit = size;
      show();
    };
    search.addEventListener("input", filter);
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !search.value) return;
      event.preventDefault();
      search.value = "";
      filter();
    });
    select.addEventListener("change", filter);
    controls.hidden = rows.length < 2;
    show();
  };
  document.querySelectorAll(".list").forEach(enhance);

  // A link to a folded card unfolds it.
  const reach = () => {
    const id = location.hash.slice(1);
    const card = id && document.getElementById(id);
    if (card && card.tagName === "DETAILS") {
      card.open = true;
      card.querySelector("summary").focus();
    }
  };
  addEventListener("hashchange", reach);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) reach();
  });
  reach();

  const cards = [...document.querySelectorAll("details.card")];
  for (const unfold of document.querySelectorAll(".unfold")) {
    unfold.hidden = cards.length < 2;
    unfold.addEventListener("click", () => {
      const open = unfold.getAttribute("aria-pressed") !== "true";
      unfold.setAttribute("aria-pressed", String(open));
      for (const card of cards) card.open = open;
    });
  }

  // Paper cannot be unfolded.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const one of folded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });
})();
