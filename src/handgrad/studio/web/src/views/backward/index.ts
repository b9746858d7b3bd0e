// The view of a backward pass, line by line.
import { useTopic } from "../../hooks";
import type { View } from "..";
import type { State } from "./data";
import { Status } from "./status";
import { Backward } from "./view";

export const backward: View<State> = {
  name: "backward",
  title: "Backward",
  useState: () => useTopic<State>("backward"),
  Status,
  View: Backward,
};
