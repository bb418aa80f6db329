// Reads {"mermaid": [text, …], "dot": [text, …]} from standard input and writes, in the same places, what the real parsers understood.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { runInThisContext } from "node:vm";
import { instance } from "@viz-js/viz";
import { Window } from "happy-dom";

const window = new Window();
globalThis.window = window;
for (const name of Object.getOwnPropertyNames(window)) {
  if (!(name in globalThis)) globalThis[name] = window[name];
}
const path = createRequire(import.meta.url).resolve("@mermaid-js/tiny");
runInThisContext(readFileSync(path, "utf8"), path);
const { mermaid } = globalThis;
mermaid.initialize({ startOnLoad: false, securityLevel: "strict" });

// Mermaid carries numeric entities through its parser in this disguise and undoes it when it draws.
const shown = (text) => text.replace(/ﬂ°°(\d+)¶ß/g, (_, code) => String.fromCodePoint(Number(code)));

async function readMermaid(text) {
  const { db, type } = await mermaid.mermaidAPI.getDiagramFromText(text);
  return {
    type,
    vertices: [...db.getVertices().values()].map((vertex) => ({
      id: vertex.id,
      label: shown(vertex.text ?? ""),
      shape: vertex.type ?? "",
      classes: vertex.classes,
      link: vertex.link ?? null,
    })),
    frames: db.getSubGraphs().map((frame) => ({
      id: frame.id,
      label: shown(frame.title),
      members: frame.nodes,
      classes: frame.classes,
    })),
    edges: db.getEdges().map((edge) => ({
      source: edge.start,
      target: edge.end,
      label: shown(edge.text ?? ""),
      line: edge.stroke,
    })),
  };
}

const viz = await instance();

// What is seen in the picture: Graphviz's JSON garbles backslashes in titles of clusters, its pictures do not.
function readDot(text) {
  const { status, errors, output } = viz.render(text, { format: "svg" });
  // This build has no fonts, so it guesses the width of letters that are not ASCII, and says so.
  const faults = errors.filter((each) => !each.message.includes("width of non-ASCII character"));
  if (status !== "success" || faults.length > 0) throw new Error(JSON.stringify(faults));
  const picture = new window.DOMParser().parseFromString(output, "image/svg+xml");
  const things = [...picture.querySelectorAll("g.node, g.cluster, g.edge")].map((group) => ({
    kind: group.getAttribute("class"),
    id: group.querySelector("title").textContent,
    label: [...group.querySelectorAll("text")].map((line) => line.textContent).join("\n"),
    dashed: group.querySelector("path[stroke-dasharray]") !== null,
  }));
  return {
    elements: [...new Set([...picture.querySelectorAll("*")].map((each) => each.tagName))].sort(),
    objects: things.filter((thing) => thing.kind !== "edge"),
    edges: things.filter((thing) => thing.kind === "edge"),
  };
}

async function attempt(read, text) {
  try {
    return await read(text);
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
}

const asked = JSON.parse(readFileSync(0, "utf8"));
const answer = { mermaid: [], dot: [] };
for (const text of asked.mermaid) answer.mermaid.push(await attempt(readMermaid, text));
for (const text of asked.dot) answer.dot.push(await attempt(readDot, text));
process.stdout.write(JSON.stringify(answer), () => process.exit(0));
