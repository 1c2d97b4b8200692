// Shared by the Node tests: runs the named functions one after another and ends the process.

/** Runs each [name, function]; prints ok and FAIL lines, the closing line; exits 0 or 1. */
export async function run(tests, before) {
  let failed = 0;
  for (const [name, body] of tests) {
    try {
      await before();
      await limited(body(), 60000);
      console.log(`ok   ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}`);
      console.log(String(error.stack ?? error).replace(/^/gm, '     '));
    }
  }
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

function limited(promise, ms) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${ms} ms`)), ms);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}

/** The values 0 to n - 1. */
export const range = (n) => Array.from({ length: n }, (_, i) => i);
