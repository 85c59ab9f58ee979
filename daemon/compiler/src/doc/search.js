// Search in INDEX: [name, kind, module, address, summary]. Names that begin with what was typed come first.
"use strict";
(() => {
    const field = document.getElementById("search");
    const results = document.getElementById("results");
    const page = document.getElementById("page");
    const shown = 50;
    let chosen = 0;

    function rank(entry, words) {
        const name = entry[0].toLowerCase();
        const all = (entry[0] + " " + entry[2] + " " + entry[4]).toLowerCase();
        let total = 0;
        for (const word of words) {
            if (name === word) total += 100;
            else if (name.startsWith(word)) total += 60;
            else if (name.includes("_" + word)) total += 50;
            else if (name.includes(word)) total += 40;
            else if (all.includes(word)) total += 5;
            else return 0;
        }
        return total - name.length / 1000;
    }

    function element(tag, text, parent) {
        const made = document.createElement(tag);
        made.textContent = text;
        parent.append(made);
        return made;
    }

    function mark(index) {
        const links = results.querySelectorAll("a");
        if (links.length === 0) return;
        chosen = Math.max(0, Math.min(index, links.length - 1));
        links.forEach((link, at) => link.classList.toggle("chosen", at === chosen));
        links[chosen].scrollIntoView({ block: "nearest" });
    }

    function search() {
        const words = field.value.toLowerCase().split(/[\s.\/]+/).filter(Boolean);
        results.replaceChildren();
        results.hidden = words.length === 0;
        page.hidden = words.length > 0;
        if (words.length === 0) return;
        const found = INDEX.map((entry) => [rank(entry, words), entry]).filter(([total]) => total > 0);
        found.sort((a, b) => b[0] - a[0] || (a[1][3] < b[1][3] ? -1 : 1));
        element("h1", found.length === 0 ? "Nothing found" : found.length + (found.length === 1 ? " result" : " results"), results);
        const list = element("ol", "", results);
        for (const [, [name, kind, module, address, summary]] of found.slice(0, shown)) {
            const link = element("a", "", element("li", "", list));
            link.href = ROOT + address;
            link.addEventListener("click", () => { field.value = ""; search(); });
            element("span", kind + " ", link).className = "kind";
            element("b", name, link);
            if (module) element("span", "  " + module, link).className = "kind";
            element("small", summary, link);
        }
        mark(0);
    }

    field.addEventListener("input", search);
    field.addEventListener("keydown", (event) => {
        if (event.key === "ArrowDown") { event.preventDefault(); mark(chosen + 1); }
        if (event.key === "ArrowUp") { event.preventDefault(); mark(chosen - 1); }
        if (event.key === "Escape") { field.value = ""; search(); field.blur(); }
        if (event.key === "Enter") { const link = results.querySelector("a.chosen"); if (link) link.click(); }
    });
    document.addEventListener("keydown", (event) => {
        if (event.key === "/" && document.activeElement !== field) { event.preventDefault(); field.focus(); }
    });
})();
