"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
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

  // Sorting: any table of class "sortable", by a press on a heading; the third press brings back the order it came in.
  const value = (row, column) => (column === 0 && row.dataset.name) || row.cells[column]?.textContent.trim() || "";
  const figure = (text) => (/^[\d-]/.test(text) ? Number.parseFloat(text) : Number.NaN);
  const headings = (table) => [...table.tHead.rows[0].cells];
  const order = new Map();
  const unsort = (table) => {
    for (const body of table.tBodies) body.append(...order.get(body));
    for (const head of headings(table)) head.removeAttribute("aria-sort");
  };
  const sort = (table, column, direction) => {
    unsort(table);
    for (const body of table.tBodies) {
      if (body.classList.contains("fixed")) continue;
      const rows = [...body.rows].map((row) => [row, value(row, column)]).map(([row, text]) => [row, text === "\u2013" ? "" : text]);
      const numeric = column > 0 && rows.every(([, text]) => text === "" || !Number.isNaN(figure(text)));
      rows.sort(([, a], [, b]) => {
        if (a === "" || b === "") return (a === "") - (b === "");
        const order = numeric ? figure(a) - figure(b) : a.localeCompare(b);
        return direction === "descending" ? -order : order;
      });
      body.append(...rows.map(([row]) => row));
    }
    headings(table)[column].setAttribute("aria-sort", direction);
  };
  let sorted = () => {};  // what a board does when one of its tables was sorted
  for (const table of document.querySelectorAll("table.sortable")) {
    for (const body of table.tBodies) order.set(body, [...body.rows]);
    headings(table).forEach((head, column) => {
      const text = head.textContent.trim();
      if (!text) return;
      const press = document.createElement("button");
      press.type = "button";
      press.append(...head.childNodes);
      head.append(press);
      press.addEventListener("click", () => {
        const ways = column ? ["descending", "ascending"] : ["ascending", "descending"];
        const way = ways[ways.indexOf(head.getAttribute("aria-sort")) + 1];
        if (way) sort(table, column, way); else unsort(table);
        say(way ? `Sorted by ${text}, ${way}.` : "Not sorted.");
        sorted(head, way);
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
    // What a row is, and where its records are, stands once on the page, in its first table; the others take it from there.
    const full = new Map();
    for (const row of document.querySelectorAll("tr[data-i]")) {
      const first = full.get(row.dataset.i);
      if (!first) full.set(row.dataset.i, row);
      else {
        Object.assign(row.dataset, first.dataset);
        row.cells[0].firstChild.replaceWith(first.cells[0].querySelector("a").cloneNode(true));
        const settings = row.cells[0].querySelector("small");
        for (const part of first.cells[0].querySelectorAll(".level, .hidden, small:first-of-type")) row.cells[0].insertBefore(part.cloneNode(true), settings);
        const place = first.querySelector("td > a").getAttribute("href").replace(/\d+$/, "");
        headings(row.closest("table")).forEach((head, column) => {
          const number = column && row.cells[column].firstChild;
          if (number?.nodeType !== Node.TEXT_NODE || row.cells[column].classList.contains("none")) return;
          const link = document.createElement("a");
          link.href = place + head.dataset.bits;
          number.replaceWith(link);
          link.append(number);
        });
      }
    }
    // One bit length: beside each value how far it is behind the best, what was published, and where it lies.
    for (const behind of document.querySelectorAll("td > b")) {
      const [difference, low, high] = behind.textContent.replace(/(^|[ -])\./g, "$10.").replaceAll("-", "\u2212").split(" ");
      if (high) behind.textContent = `\u2212${difference} [${low}, ${high}]`;
    }
    const label = (name, text) => {
      const made = Object.assign(document.createElement("span"), { className: `col ${name}` });
      made.dataset.label = text;
      return made;
    };
    const heads = (view) => {
      const words = [[view.querySelector("td > b"), "g", "behind the best [95 % of this pair]"], [view.querySelector("td > u"), "p", "published"], [true, "d", "mean and deviation"]];
      for (const head of view.querySelectorAll("thead [data-bits]")) {
        head.append(...words.filter(([there]) => there).map(([, name, text]) => label(name, text)));
      }
      for (const value of view.querySelectorAll("td > a")) {
        for (const [there, part] of [[true, "i"], [words[0][0], "b"], [words[1][0], "u"]]) {
          const cell = value.parentElement;
          if (!there || cell.querySelector(`:scope > ${part}`)) continue;
          const empty = document.createElement(part);
          if (part === "i") value.after(empty);
          else if (part === "b") cell.insertBefore(empty, cell.querySelector(":scope > u"));
          else cell.append(empty);
        }
      }
    };
    const dots = (view, column) => {
      for (const old of view.querySelectorAll(".dot")) old.remove();
      if (!column) return;
      const cells = [...view.querySelectorAll("tr[data-i]:not([hidden]):not([data-floor])")].map((row) => row.cells[column]).filter((cell) => cell?.querySelector("a"));
      const values = cells.map((cell) => [Number.parseFloat(cell.querySelector("a").textContent), Number.parseFloat(cell.querySelector("i").textContent.slice(1)) || 0]);
      const low = Math.min(...values.map(([v, sd]) => v - sd)), high = Math.max(...values.map(([v, sd]) => v + sd));
      cells.forEach((cell, n) => {
        const [v, sd] = values[n], at = (x) => `${((x - low) / (high - low || 1)) * 100}%`;
        const dot = document.createElement("span"), band = document.createElement("span"), point = document.createElement("span");
        dot.className = "dot";
        dot.setAttribute("aria-hidden", "true");
        band.style.left = at(v - sd);
        band.style.width = `${((2 * sd) / (high - low || 1)) * 100}%`;
        point.style.left = at(v);
        dot.append(band, point);
        cell.append(dot);
      });
    };
    views.forEach(heads);
    const filters = ["supervision", "kind", "tuned", "since", "find"];
    const all = document.getElementById("all");
    // The order that was chosen by a heading; without one, or where its column is not to be seen, that of one bit length.
    const resort = (view, bits) => {
      const table = view.querySelector("table"), names = headings(table).map((head) => head.dataset.bits ?? "name");
      const [name, way] = (state.sort ?? "").split(".");
      if (!names.includes(name) || (bits !== "" && ![bits, "name"].includes(name))) state.sort = "";
      if (state.sort) sort(table, names.indexOf(name), way === "d" ? "descending" : "ascending");
      else if (bits !== "") sort(table, names.indexOf(bits), view.dataset.higher === "no" ? "ascending" : "descending");
      else unsort(table);
    };
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
      if (!shown) {  // this set-up lacks the metric
        form.elements.metric.value = views.find((v) => v.dataset.setup === pick("setup")).dataset.metric;
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
      const columns = headings(shown.querySelector("table"));
      const lengths = columns.map((head) => head.dataset.bits);
      for (const choice of form.querySelectorAll("[name=bits]")) choice.parentElement.hidden = choice.value !== "" && !lengths.includes(choice.value);
      const bits = lengths.includes(pick("bits")) ? pick("bits") : "";
      if (bits !== pick("bits")) form.querySelector("[name=bits]").checked = true;
      const published = form.elements.published, beside = shown.querySelector("td > u.o") !== null;
      if (published) published.parentElement.hidden = !beside;
      const asked = beside && data.has("published");
      shown.classList.toggle("one-length", bits !== "");
      shown.classList.toggle("show-pub", asked);
      shown.classList.toggle("papers", asked || shown.querySelector("td > u:not(.o, :empty)") !== null);
      const only = lengths.indexOf(bits);
      for (const row of shown.querySelectorAll("thead tr, tr[data-i]")) {
        [...row.cells].forEach((cell, n) => { cell.hidden = n > 0 && bits !== "" && n !== only; });
      }
      dots(shown, bits === "" ? 0 : only);
      resort(shown, bits);
      const floors = shown.querySelector("tr[data-floor]") ? "; floors always stay" : "";
      document.getElementById("count").textContent = number ? `${number} ${number === 1 ? "row" : "rows"}` : `No row matches${floors}.`;
      all.hidden = !filters.some(pick);
    };
    const remember = () => {
      const order = state.sort;
      for (const name of Object.keys(state)) delete state[name];
      for (const [name, chosen] of new FormData(form)) state[name] = String(chosen);
      for (const field of form.querySelectorAll("[data-default]")) if (state[field.name] === field.dataset.default) state[field.name] = "";
      state.sort = order;
      keep();
    };
    // What the address asks for; a value that there is not leaves the first one.
    const restore = () => {
      if (location.hash && !location.hash.includes("=")) return apply();  // a place on the page
      const asked = new URLSearchParams(location.hash.slice(1));
      form.reset();
      for (const [name, chosen] of asked) {
        const field = form.elements[name];
        if (!field || field.type === "hidden") continue;
        if (field.type === "checkbox") field.checked = chosen !== "";
        else if (!field.options || [...field.options].some((option) => option.value === chosen)) field.value = chosen;
      }
      state.sort = asked.get("sort") ?? "";
      apply();
      if (location.hash) remember();
    };
    const changed = () => { apply(); remember(); say(document.getElementById("count").textContent); };
    sorted = (head, way) => {
      state.sort = way ? `${head.dataset.bits ?? "name"}.${way[0]}` : "";
      apply();
      remember();
    };
    all.addEventListener("click", () => {
      for (const name of filters) form.elements[name].value = "";
      changed();
      form.elements.find.focus();
    });
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", changed);
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

  // Charts: drawn by Vega in place of the stills when they come into view, from the values that the stills are drawn of.
  const points = (path) => {
    const numbers = path.getAttribute("d").match(/-?\d+/g).map(Number);
    let x = 0, y = 0;
    return Array.from({ length: numbers.length / 2 }, (_, n) => [x += numbers[2 * n], y += numbers[2 * n + 1]]);
  };
  const heights = (path) => {  // of bars at 0, 1, 2, ...
    let y = 0;
    const found = [...path.getAttribute("d").matchAll(/([vV])(-?\d+)/g)].map(([, by, number]) => (y = Number(number) + (by === "v" ? y : 0)));
    return found.slice(0, -1).map((height, x) => [x, height]);
  };
  const values = (still, kind) => [...still.querySelectorAll("g > title")].flatMap((title) => {
    const line = title.parentElement, m = title.textContent, f = line.matches("[class^=f]");
    const [band, path] = ["path.band", "path:not(.band)"].map((one) => line.querySelector(one));
    const edge = band && points(band), own = kind === "distances" ? heights(path) : points(path);
    return own.map(([x, y], n) => {
      const [h, l] = edge ? [edge[n][1], edge[edge.length - 1 - n][1]] : [y, y];
      return { m, f, x: kind === "pr" ? x / 1e3 : kind === "log" ? Math.round(10 ** (x / 1e6)) : x, y: y / 1e4, l: l / 1e4, h: h / 1e4 };
    });
  });
  const whole = (still, kind, titles) => {
    const spec = structuredClone(window.hashzooCharts[kind === "pr" ? "line" : kind]), found = values(still, kind);
    const lines = [...still.querySelectorAll("g > title")];
    spec.data.find((part) => part.values).values = found;
    const scale = spec.scales.find((part) => part.name === "color");
    scale.domain = lines.map((title) => title.textContent);
    scale.range = lines.map((title) => getComputedStyle(title.parentElement).getPropertyValue("--hue").trim());
    for (const axis of spec.axes) {
      if (axis.title === "@x") axis.title = titles.x;
      if (axis.title === "@y") axis.title = titles.y;
      if (kind === "bits" && axis.scale === "x") axis.values = [...new Set(found.map((point) => point.x))];
    }
    return spec;
  };
  const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
  const drawn = new Map();
  const draw = (figure) => {
    const still = figure.querySelector(".still"), kind = figure.dataset.chart, said = still.getAttribute("aria-label");
    const titles = { x: still.querySelector(".x-title").textContent, y: still.querySelector(".y-title").textContent };
    const place = document.createElement("div");
    place.className = "vega";
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", said);
    still.before(place);
    still.setAttribute("hidden", "");
    const failed = () => { place.remove(); still.removeAttribute("hidden"); };
    try {
      const view = new window.vega.View(window.vega.parse(whole(still, kind, titles)), { renderer: "svg", container: place, hover: true }).description(said);
      view.tooltip((_, event, __, told) => {
        tip.hidden = !told;
        if (!told) return;
        tip.textContent = `${told.m}: ${titles.y} ${told.y} at ${kind === "bits" ? `${told.x} bits` : `${titles.x} ${told.x}`}`;
        tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
        tip.style.top = `${event.clientY + 16}px`;
      });
      view.runAsync().then(() => { figure.dataset.drawn = "yes"; drawn.set(figure, view); choose(figure.closest(".group") ?? figure); }).catch((error) => { console.error(error); failed(); });
    } catch (error) { console.error(error); failed(); }
  };
  // A press on a name in a legend shows its lines alone, in every chart of the group.
  const choose = (group) => {
    const pressed = group.querySelector(".legend [aria-pressed=true]");
    for (const [figure, view] of drawn) if (group.contains(figure)) view.signal("pick", pressed ? pressed.textContent : "").runAsync();
  };
  const figures = [...document.querySelectorAll("figure[data-chart]")];
  if (figures.length && window.vega) {
    document.body.append(tip);
    for (const legend of document.querySelectorAll(".group > .legend, figure[data-chart] .legend")) {
      for (const entry of legend.children) {
        const press = Object.assign(document.createElement("button"), { type: "button", textContent: entry.textContent });
        press.setAttribute("aria-pressed", "false");
        entry.replaceChildren(press);
        press.addEventListener("click", () => {
          const on = press.getAttribute("aria-pressed") !== "true";
          for (const other of legend.querySelectorAll("button")) other.setAttribute("aria-pressed", String(on && other === press));
          choose(legend.parentElement);
        });
      }
    }
    const watch = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) { watch.unobserve(entry.target); draw(entry.target); }
    }, { rootMargin: "200px" });
    for (const figure of figures) watch.observe(figure);
  }
})();
