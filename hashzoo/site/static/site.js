"use strict";
(() => {
  const root = document.documentElement;
  const kept = (key, value) => {
    try {
      if (value === undefined) return localStorage.getItem(key);
      localStorage.setItem(key, value);
    } catch (error) { /* no storage from a file: the choice lasts for the page */ }
    return null;
  };
  const show = (scheme) => { if (scheme) root.style.colorScheme = scheme; };
  show(kept("hashzoo-scheme"));
  const button = document.querySelector(".theme");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const dark = root.style.colorScheme ? root.style.colorScheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      show(dark ? "light" : "dark");
      kept("hashzoo-scheme", dark ? "light" : "dark");
    });
  }

  // Sorting: any table of class "sortable", by a click or a key on a heading.
  const value = (row, column) => row.cells[column]?.dataset.v ?? row.cells[column]?.textContent.trim() ?? "";
  const sort = (table, column, direction) => {
    for (const body of table.tBodies) {
      if (body.classList.contains("fixed")) continue;
      const rows = [...body.rows];
      const numeric = rows.every((row) => value(row, column) === "" || !Number.isNaN(Number(value(row, column))));
      rows.sort((one, two) => {
        const a = value(one, column), b = value(two, column);
        if (a === "" || b === "") return (a === "") - (b === "");
        const order = numeric ? a - b : a.localeCompare(b);
        return direction === "descending" ? -order : order;
      });
      body.append(...rows);
    }
    for (const head of table.querySelectorAll("[aria-sort]")) head.removeAttribute("aria-sort");
    table.tHead.rows[0].cells[column].setAttribute("aria-sort", direction);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const text = head.textContent.trim();
      if (!text) return;
      const press = document.createElement("button");
      press.type = "button";
      press.append(...head.childNodes);
      head.append(press);
      press.addEventListener("click", () => {
        const first = column ? "descending" : "ascending", other = column ? "ascending" : "descending";
        const direction = head.getAttribute("aria-sort") === first ? other : first;
        sort(table, column, direction);
        say(`Sorted by ${text}, ${direction}.`);
        if (table.closest("[data-view]")) { state.sort = `${column}.${direction === "descending" ? "d" : "a"}`; keep(); }
      });
    });
  }
  const status = document.getElementById("status");
  const say = (text) => { if (status) status.textContent = text; };

  // A board: what is chosen stands in the address behind "#", so that a link keeps it.
  const form = document.querySelector(".controls");
  const state = {};
  const keep = () => {
    const text = new URLSearchParams(Object.entries(state).filter(([, v]) => v)).toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname.split("/").pop() || "#");
  };
  if (form) {
    const views = [...document.querySelectorAll("[data-view]")];
    const apply = () => {
      const data = new FormData(form);
      const pick = (name) => String(data.get(name) ?? "");
      let shown = null;
      for (const view of views) {
        const here = view.dataset.setup === pick("setup") && view.dataset.metric === pick("metric");
        view.hidden = !here;
        if (here) shown = view;
      }
      for (const block of document.querySelectorAll("[data-of-setup]")) block.hidden = block.dataset.ofSetup !== pick("setup");
      for (const option of form.querySelectorAll("[name=metric] option")) {
        option.hidden = option.disabled = !views.some((v) => v.dataset.setup === pick("setup") && v.dataset.metric === option.value);
      }
      if (!shown) {
        const first = views.find((v) => v.dataset.setup === pick("setup"));
        if (!first) return;
        form.elements.metric.value = first.dataset.metric;
        return apply();
      }
      const words = pick("find").trim().toLowerCase();
      let number = 0;
      for (const row of shown.querySelectorAll("tbody tr[data-name]")) {
        const fits = ["supervision", "kind", "tuned"].every((name) => !pick(name) || row.dataset[name] === pick(name))
          && (!pick("since") || Number(row.dataset.year || 0) >= Number(pick("since")))
          && (!words || row.dataset.name.includes(words));
        row.hidden = !fits && !row.dataset.floor;
        if (!row.hidden && !row.dataset.floor) number += 1;
      }
      const bits = pick("bits");
      shown.classList.toggle("one-length", bits !== "");
      shown.classList.toggle("show-pub", data.has("published"));
      for (const cell of shown.querySelectorAll("[data-bits]")) cell.hidden = bits !== "" && cell.dataset.bits !== bits;
      const count = document.getElementById("count");
      if (count) count.textContent = `${number} ${number === 1 ? "method" : "methods"}`;
    };
    const remember = () => {
      for (const [name, chosen] of new FormData(form)) state[name] = String(chosen);
      for (const name of ["published"]) if (!new FormData(form).has(name)) state[name] = "";
      for (const field of form.querySelectorAll("[data-default]")) if (state[field.name] === field.dataset.default) state[field.name] = "";
      keep();
    };
    const restore = () => {
      for (const [name, chosen] of new URLSearchParams(location.hash.slice(1))) {
        state[name] = chosen;
        const field = form.elements[name];
        if (!field) continue;
        if (field.type === "checkbox") field.checked = chosen !== "";
        else field.value = chosen;
      }
      apply();
      const [column, way] = (state.sort ?? "").split(".");
      if (column) for (const view of views) if (!view.hidden) {
        const table = view.querySelector("table");
        if (table && Number(column) < table.tHead.rows[0].cells.length) sort(table, Number(column), way === "d" ? "descending" : "ascending");
      }
    };
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => { apply(); remember(); say(document.getElementById("count")?.textContent ?? ""); });
    addEventListener("hashchange", restore);
    restore();
  }

  // Copying
  for (const press of document.querySelectorAll("[data-copy]")) {
    press.hidden = false;
    press.addEventListener("click", async () => {
      const text = document.getElementById(press.dataset.copy).textContent;
      try { await navigator.clipboard.writeText(text); say("Copied."); press.textContent = "Copied"; } catch (error) { say("Could not copy."); }
    });
  }

  // Charts: drawn by Vega in place of the pictures when they come into view.
  const whole = (given) => {
    if (!given.kind) return given;
    const spec = structuredClone(window.hashzooCharts[given.kind]), names = given.lines.map(([name]) => name);
    const palette = window.hashzooPalette;
    spec.data.values = given.lines.flatMap(([m, , points]) => points.map(([x, y, l, h]) => ({ m, x, y, l: l ?? y, h: h ?? y })));
    spec.height = given.height;
    for (const { encoding } of spec.layer) {
      encoding.color.scale = { domain: names, range: given.lines.map(([, place]) => palette[place % palette.length]) };
      if (encoding.y.title !== undefined) encoding.y.title = given.y;
      if (given.kind === "bits") encoding.x.axis.values = [...new Set(spec.data.values.map((point) => point.x))];
      if (given.log) encoding.x.scale = { type: "log", nice: false };
      for (const tip of encoding.tooltip ?? []) if (tip.field === "y") tip.title = given.y;
    }
    return spec;
  };
  const draw = (figure) => {
    const source = figure.querySelector("script[type='application/json']"), picture = figure.querySelector("img");
    const place = document.createElement("div");
    place.className = "vega";
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", picture.alt);
    picture.before(place);
    window.vegaEmbed(place, whole(JSON.parse(source.textContent)), { actions: false, renderer: "svg" })
      .then(() => { picture.hidden = true; figure.dataset.drawn = "yes"; })
      .catch(() => place.remove());
  };
  const figures = [...document.querySelectorAll("figure[data-chart]")];
  if (figures.length && window.vegaEmbed) {
    const watch = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) { watch.unobserve(entry.target); draw(entry.target); }
    }, { rootMargin: "200px" });
    for (const figure of figures) watch.observe(figure);
  }
})();
