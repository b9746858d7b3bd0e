// The page, and the widget of a notebook.
import { render as draw } from "preact";
import { App } from "./app";
import { fileSource, liveSource } from "./source";
import "./style/index.css";

const root = document.getElementById("handgrad-studio");
const start = document.getElementById("handgrad-start");
if (root && start) {
  const { token, states, answers } = JSON.parse(start.textContent!);
  draw(<App source={token ? liveSource(token) : fileSource(states, answers)} />, root);
}
