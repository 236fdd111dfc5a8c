/** The whole system as `cargo demo` starts it, on free ports with data of its own, and a browser with a tap between. */
import { launch } from './chromium.mjs';
import { built, scratch, start } from './processes.mjs';
import { Tap } from './tap.mjs';

/** @param {string[]} [flags] more flags for the demo */
export async function startStack(flags = []) {
  const ports = ['--gateway-port', '0', '--admin-port', '0', '--todo-port', '0', '--idp-port', '0'];
  const demo = start(built('demo'), ['--json', ...ports, '--data', scratch('demo-data'), ...flags]);
  const [, ready] = await demo.said(/^ready (\{.*\})$/m);
  return {
    ...JSON.parse(ready),
    /** What everything printed. */
    get output() {
      return demo.output;
    },
    stop: () => demo.stop(),
  };
}

/** A stack and a browser that reaches gateway and provider through taps. @param {string[]} [flags] */
export async function startWatched(flags = []) {
  const stack = await startStack(flags);
  const taps = {};
  const rules = {};
  for (const part of ['gateway', 'idp']) {
    const { port } = new URL(stack[part]);
    taps[part] = await Tap.on(Number(port));
    rules[`localhost:${port}`] = `127.0.0.1:${taps[part].port}`;
  }
  const browser = await launch({ rules });
  return {
    stack,
    browser,
    taps,
    async stop() {
      await browser.close();
      await Promise.all(Object.values(taps).map((tap) => tap.close()));
      await stack.stop();
    },
  };
}
