// One element of a gradient as the sum that it is, path by path and term by term.
import { useEffect, useState } from "preact/hooks";
import { at, number } from "../../parts/numbers";
import { markOf, type Element, type Step } from "./data";

const FEW = 6;

export function Sum({ element, step }: { element: Element; step: Step }) {
  const [all, setAll] = useState(false);
  useEffect(() => setAll(false), [element]);
  const wrong = element.yours !== null && markOf(step) !== "right";
  const { paths } = element;
  return (
    <div class="sum">
      <h3>
        Why{" "}
        <code>
          {at(step.gradient, element.index)} = {number(element.right, 4)}
        </code>
      </h3>
      <table>
        {paths.map((path) => (
          <tbody key={path.through}>
            <tr class="path">
              <th colSpan={7}>
                through <code>{path.name}</code>
                {path.count > 1 && <small> {path.count} terms</small>}
              </th>
            </tr>
            {(path.terms ?? []).slice(0, all ? undefined : FEW).map((term, i) => (
              <tr key={i}>
                <td class="sign">{i ? "+" : ""}</td>
                <td>
                  <code>{at(`d${path.name}`, term.index)}</code>
                </td>
                <td class="n">{number(term.upstream)}</td>
                <td class="sign">×</td>
                <td class="n">{number(term.factor)}</td>
                <td class="sign">=</td>
                <td class="n">{number(term.upstream * term.factor)}</td>
              </tr>
            ))}
            {path.terms && path.terms.length > FEW && !all && (
              <tr>
                <td />
                <td colSpan={6}>
                  <button class="link" onClick={() => setAll(true)}>
                    {path.terms.length - FEW} more terms
                  </button>
                </td>
              </tr>
            )}
            {(path.count !== 1 || !path.terms) && (
              <tr class="total">
                <td />
                <td colSpan={4}>
                  {path.terms && path.count > path.terms.length && `the ${path.terms.length} largest of ${path.count} are shown`}
                </td>
                <td class="sign">=</td>
                <td class="n">{number(path.sum, 4)}</td>
              </tr>
            )}
          </tbody>
        ))}
        {paths.length === 0 && (
          <tbody>
            <tr>
              <td colSpan={7}>It is the loss itself, where the backward pass begins.</td>
            </tr>
          </tbody>
        )}
        {paths.length > 1 && (
          <tbody>
            <tr class="total all">
              <td />
              <td colSpan={4}>all {paths.length} paths</td>
              <td class="sign">=</td>
              <td class="n">{number(element.right, 4)}</td>
            </tr>
          </tbody>
        )}
        {wrong && (
          <tbody>
            <tr class="yours">
              <td />
              <td colSpan={4}>yours</td>
              <td />
              <td class="n">{number(element.yours, 4)}</td>
            </tr>
          </tbody>
        )}
      </table>
    </div>
  );
}
