// The view of a backward pass, line by line.
import { useTopic } from "../../hooks";
import type { View } from "..";
import type { State } from "./data";
import { Backward } from "./view";

export const backward: View<State> = {
  name: "backward",
  title: "Backward",
  useState: () => useTopic<State>("backward"),
  View: Backward,
};
