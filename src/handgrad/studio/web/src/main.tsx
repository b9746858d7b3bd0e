// The page, and the widget of a notebook.
import { render as draw } from "preact";
import { App } from "./app";
import { fileSource, liveSource, notebookSource, type Model } from "./source";
import "./style/index.css";

const root = document.getElementById("handgrad-studio");
const start = document.getElementById("handgrad-start");
if (root && start) {
  const { token, states, answers } = JSON.parse(start.textContent!);
  draw(<App source={token ? liveSource(token) : fileSource(states, answers)} keys={window} />, root);
}

export default {
  /** Called by anywidget in JupyterLab, VS Code and their like. */
  render({ model, el }: { model: Model; el: HTMLElement }) {
    const source = notebookSource(model);
    el.classList.add("handgrad-studio");
    draw(<App source={source} keys={el} />, el);
    return () => {
      draw(null, el);
      source.close();
    };
  },
};
