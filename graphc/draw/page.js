// The page of a drawing. It only reads what stands in the document, and fetches nothing.
"use strict";
(() => {
  const stage = document.getElementById("stage");
  const facts = document.getElementById("facts");
  const steps = JSON.parse(document.getElementById("steps").textContent);
  const views = new Map([...document.querySelectorAll(".view")].map((v) => [v.dataset.of, v]));
  const home = views.get("");
  const trail = [home];
  const places = new Map();
  let view = home;

  // Where a view stands: x, y and scale.
  const place = () => places.get(view);
  function show() {
    const { x, y, k } = place();
    view.style.transform = `translate(${x}px, ${y}px) scale(${k})`;
  }
  function fit() {
    const svg = view.querySelector("svg");
    const [w, h] = [svg.width.baseVal.value, svg.height.baseVal.value];
    const k = Math.min(stage.clientWidth / w, stage.clientHeight / h, 1.5) || 1;
    places.set(view, { x: (stage.clientWidth - w * k) / 2, y: 0, k });
    show();
  }
  function zoom(factor, cx = stage.clientWidth / 2, cy = stage.clientHeight / 2) {
    const p = place();
    const k = Math.min(8, Math.max(0.05, p.k * factor));
    p.x = cx - ((cx - p.x) * k) / p.k;
    p.y = cy - ((cy - p.y) * k) / p.k;
    p.k = k;
    show();
  }
  function centre(box) {
    const [at, frame] = [box.getBoundingClientRect(), stage.getBoundingClientRect()];
    place().x += frame.left + frame.width / 2 - at.left - at.width / 2;
    place().y += frame.top + frame.height / 2 - at.top - at.height / 2;
    show();
  }

  // Pan and zoom
  let dragged = null;
  stage.addEventListener("pointerdown", (e) => {
    dragged = { x: e.clientX, y: e.clientY, far: false };
    stage.classList.add("dragged");
  });
  addEventListener("pointermove", (e) => {
    if (!dragged) return;
    const [dx, dy] = [e.clientX - dragged.x, e.clientY - dragged.y];
    if (!dragged.far && Math.hypot(dx, dy) < 4) return;
    place().x += dx;
    place().y += dy;
    dragged = { x: e.clientX, y: e.clientY, far: true };
    show();
  });
  let hasJustDragged = false;
  addEventListener("pointerup", () => {
    hasJustDragged = Boolean(dragged && dragged.far);
    dragged = null;
    stage.classList.remove("dragged");
  });
  stage.addEventListener("wheel", (e) => {
    e.preventDefault();
    const frame = stage.getBoundingClientRect();
    zoom(Math.exp(-e.deltaY / 400), e.clientX - frame.left, e.clientY - frame.top);
  }, { passive: false });

  // What a value comes from and goes to
  const links = new Map();
  for (const edge of document.querySelectorAll(".view .edge[data-from]")) {
    for (const [end, other] of [["from", "to"], ["to", "from"]]) {
      const list = links.get(edge.dataset[end]) || { from: [], to: [] };
      list[end].push([edge, edge.dataset[other]]);
      links.set(edge.dataset[end], list);
    }
  }
  function reached(id, end) {
    const found = new Set([id]);
    const stack = [id];
    while (stack.length) {
      for (const [, other] of (links.get(stack.pop()) || { [end]: [] })[end]) {
        if (!found.has(other)) {
          found.add(other);
          stack.push(other);
        }
      }
    }
    return found;
  }
  function light(ids) {
    for (const box of view.querySelectorAll(".box")) {
      box.classList.toggle("dim", Boolean(ids) && !ids.has(box.id));
    }
    for (const edge of view.querySelectorAll(".edge[data-from]")) {
      const isLit = !ids || (ids.has(edge.dataset.from) && ids.has(edge.dataset.to));
      edge.classList.toggle("dim", !isLit);
    }
  }
  function tell(box) {
    facts.textContent = box ? box.querySelector("title").textContent : "";
  }
  function look(box) {
    tell(box);
    light(new Set([...reached(box.id, "to"), ...reached(box.id, "from")]));
  }
  function leave() {
    tell(null);
    if (slider && Number(slider.value) > 0) play(Number(slider.value));
    else light(null);
  }

  // Folding: a folded box opens as a view of its own; a frame closes over what it holds.
  function open(next) {
    if (!next || next === view) return;
    const at = trail.indexOf(next);
    if (at >= 0) trail.length = at + 1;
    else trail.push(next);
    view.hidden = true;
    view = next;
    view.hidden = false;
    if (!place()) fit();
    showTrail();
    leave();
  }
  function back() {
    if (trail.length > 1) open(trail[trail.length - 2]);
  }
  function showTrail() {
    document.getElementById("trail").replaceChildren(...trail.map((v, i) => {
      const button = document.createElement("button");
      button.textContent = (i ? "› " : "") + (v.dataset.title || "graph");
      button.addEventListener("click", () => open(v));
      return button;
    }));
  }
  function toggle(frame) {
    const drawing = frame.parentNode;
    frame.classList.toggle("closed");
    // Drawn last it covers what it holds; drawn first it lies below.
    if (frame.classList.contains("closed")) drawing.append(frame);
    else drawing.prepend(frame);
  }
  for (const box of document.querySelectorAll(".view .box")) {
    box.setAttribute("tabindex", "0");
    box.addEventListener("pointerenter", () => look(box));
    box.addEventListener("pointerleave", leave);
    box.addEventListener("focus", () => look(box));
    box.addEventListener("blur", leave);
    box.addEventListener("click", () => hasJustDragged || open(views.get(box.id)));
    box.addEventListener("keydown", (e) => {
      if (e.key === "Enter") open(views.get(box.id));
    });
  }
  for (const frame of document.querySelectorAll(".view .frame")) {
    frame.querySelector("text").setAttribute("tabindex", "0");
    frame.addEventListener("click", () => hasJustDragged || toggle(frame));
    frame.addEventListener("keydown", (e) => e.key === "Enter" && toggle(frame));
  }

  // Search
  const search = document.getElementById("search");
  let matches = [];
  let current = -1;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    matches = [...document.querySelectorAll(".view .box")].filter((box) => {
      const isMatch = wanted !== "" && box.textContent.toLowerCase().includes(wanted);
      box.classList.toggle("match", isMatch);
      return isMatch;
    });
    current = -1;
    document.getElementById("found").textContent = wanted ? `${matches.length} found` : "";
  });
  search.addEventListener("keydown", (e) => {
    if (e.key === "Escape") search.blur();
    if (e.key !== "Enter" || !matches.length) return;
    current = (current + 1) % matches.length;
    open(matches[current].closest(".view"));
    centre(matches[current]);
    tell(matches[current]);
  });

  // Backprop, step by step
  const slider = document.getElementById("slider");
  let timer = null;
  function cell(text) {
    const td = document.createElement("td");
    td.textContent = text;
    return td;
  }
  function play(count) {
    slider.value = count;
    document.getElementById("step").textContent = `${count} / ${steps.length}`;
    const rows = steps.slice(0, count).map((s, i) => {
      const row = document.createElement("tr");
      const shares = s.shares.map(([consumer, text]) => `by ${consumer}: ${text}`).join("\n");
      row.append(cell(s.name), cell(shares || "1, the beginning"), cell(s.total));
      row.classList.toggle("now", i === count - 1);
      return row;
    });
    document.getElementById("table").replaceChildren(...rows);
    for (const box of home.querySelectorAll(".now")) box.classList.remove("now");
    const told = document.getElementById("told");
    if (count === 0) {
      told.textContent = "";
      light(null);
      return;
    }
    const now = steps[count - 1];
    const sum = now.shares.length > 1 ? `the sum of ${now.shares.length} contributions` : "";
    told.textContent = `Step ${count}: V = ${now.name}; its gradient is ${sum || now.total}.`;
    const lit = new Set();
    for (const s of steps.slice(0, count)) for (const id of [s.node, s.gradient]) lit.add(id);
    // What lies on the way between gradients is lit with the later one.
    for (const id of [...lit]) {
      for (const [edge, from] of (links.get(id) || { to: [] }).to) {
        if (edge.classList.contains("gradient")) lit.add(from);
      }
    }
    if (view === home) light(lit);
    for (const id of [now.node, now.gradient]) {
      if (id) document.getElementById(id).classList.add("now");
    }
  }
  if (slider) {
    slider.addEventListener("input", () => play(Number(slider.value)));
    const button = document.getElementById("play");
    button.addEventListener("click", () => {
      const stop = () => {
        clearInterval(timer);
        timer = null;
        button.textContent = "Play";
      };
      if (timer) return stop();
      if (Number(slider.value) === steps.length) play(0);
      button.textContent = "Pause";
      timer = setInterval(() => {
        play(Math.min(steps.length, Number(slider.value) + 1));
        if (Number(slider.value) === steps.length) stop();
      }, 900);
    });
  }

  // Keys
  document.addEventListener("keydown", (e) => {
    if (e.target === search || e.ctrlKey || e.metaKey || e.altKey) return;
    const next = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (next && slider && e.target !== slider) {
      play(Math.max(0, Math.min(steps.length, Number(slider.value) + next)));
    } else if (e.key === "+" || e.key === "=") zoom(1.25);
    else if (e.key === "-") zoom(0.8);
    else if (e.key === "0") fit();
    else if (e.key === "/") search.focus();
    else if (e.key === "Escape" || e.key === "Backspace") back();
    else if (e.key === " " && slider && e.target.tagName !== "BUTTON") {
      document.getElementById("play").click();
    } else return;
    e.preventDefault();
  });
  for (const [id, action] of [["smaller", () => zoom(0.8)], ["larger", () => zoom(1.25)]]) {
    document.getElementById(id).addEventListener("click", action);
  }
  document.getElementById("whole").addEventListener("click", fit);
  addEventListener("resize", fit);

  showTrail();
  fit();
})();
