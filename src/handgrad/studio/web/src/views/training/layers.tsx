// What goes through each layer, and what comes back: the pictures of makemore part 3.
import { useEffect, useRef, useState } from "preact/hooks";
import { useAnswer } from "../../hooks";
import { Heat } from "../../parts/heat";
import { number } from "../../parts/numbers";
import { about, count, percent, type Histogram, type Layer, type Layers as Found, type Shown } from "./data";
import { Updates } from "./updates";

export function Layers(shown: Shown) {
  const { value, error } = useAnswer<Found>("training", { what: "layers", ...about(shown) }, null);
  const [chosen, choose] = useState<string | null>(null);
  if (!value?.layers) {
    return (
      <section class="panel layers">
        <h2>Layers</h2>
        <p class={error || value ? "note" : "aside"}>{error ?? value?.without ?? "Running a minibatch through the layers …"}</p>
      </section>
    );
  }
  const layer = value.layers.find((one) => one.title === chosen) ?? value.layers.find((one) => one.saturated !== null) ?? value.layers[0]!;
  return (
    <div class="training-pair layers-pair">
      <section class="panel layers">
        <h2>
          Layers{" "}
          <small>
            on the next minibatch: {count(value.batch)} {value.of}, loss {value.loss.toFixed(3)}
          </small>
        </h2>
        <div class="layers-scroll">
          <table>
            <thead>
              <tr>
                <th>layer</th>
                <th>values</th>
                <th class="spread">deviation</th>
                <th>saturated</th>
                <th>gradients</th>
                <th class="spread">deviation</th>
              </tr>
            </thead>
            <tbody>
              {value.layers.map((one) => (
                <Row key={one.title} layer={one} chosen={one === layer} choose={() => choose(one.title)} />
              ))}
            </tbody>
          </table>
        </div>
        <Units layer={layer} />
      </section>
      <Updates {...shown} parameters={value.parameters} />
    </div>
  );
}

function Row({ layer, chosen, choose }: { layer: Layer; chosen: boolean; choose: () => void }) {
  const row = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    const list = row.current!.closest<HTMLElement>(".layers-scroll")!;
    const hidden = row.current!.offsetTop + row.current!.offsetHeight > list.scrollTop + list.clientHeight || row.current!.offsetTop < list.scrollTop;
    if (chosen && hidden) list.scrollTop = row.current!.offsetTop - list.clientHeight / 2;
  }, [chosen]);
  const { activation, gradient, saturated, dead } = layer;
  const alarm = dead ? "much" : saturated !== null && saturated > 0.5 ? "some" : "";
  return (
    <tr ref={row} class={chosen ? "here" : ""} onClick={choose}>
      <th scope="row">
        <button class="plain" aria-pressed={chosen} onClick={choose}>
          {layer.title}
        </button>
      </th>
      <td>
        <Bins of={activation} kind="values" />
      </td>
      <td class="figure spread">{number(activation.deviation)}</td>
      <td class={`figure saturated-${alarm}`}>
        {saturated === null ? "" : percent(saturated)}
        {!!dead && <b> {dead === 1 ? "1 unit" : `${count(dead)} units`} dead</b>}
      </td>
      <td>{gradient ? <Bins of={gradient} kind="gradients" /> : <span class="aside">none</span>}</td>
      <td class="figure spread">{gradient ? number(gradient.deviation) : ""}</td>
    </tr>
  );
}

const WIDE = 132;
const HIGH = 34;

function Bins({ of: { counts, reach, mean, deviation }, kind }: { of: Histogram; kind: "values" | "gradients" }) {
  const step = WIDE / counts.length;
  const points = counts.map((one, i) => `${(i + 0.5) * step},${HIGH - one * (HIGH - 2)}`).join(" ");
  const label = `${kind}: mean ${number(mean)}, standard deviation ${number(deviation)}, from ${number(-reach)} to ${number(reach)}`;
  return (
    <span class={`bins bins-${kind}`} title={label}>
      <svg viewBox={`0 0 ${WIDE} ${HIGH}`} width={WIDE} height={HIGH} role="img" aria-label={label}>
        <line x1={WIDE / 2} x2={WIDE / 2} y1={0} y2={HIGH} />
        <polygon points={`0,${HIGH} ${points} ${WIDE},${HIGH}`} />
      </svg>
      <i>±{number(reach, 2)}</i>
    </span>
  );
}

function Units({ layer }: { layer: Layer }) {
  const { rows } = layer.map;
  return (
    <div class="units">
      <Heat map={layer.map} label={`values of ${layer.title}`} width={Math.min(560, innerWidth - 90)} height={170} />
      <p class="aside">
        <b>{layer.title}</b>: {rows} examples, one a row, by {count(layer.units)} units.{" "}
        {layer.saturated !== null &&
          (layer.operation === "relu" || layer.operation === "gelu"
            ? "An output at zero lets next to no gradient through; a unit that is so for every example is dead."
            : "Beyond ±0.97 tanh is flat and lets next to no gradient through; a unit that is so for every example is dead.")}
      </p>
    </div>
  );
}

