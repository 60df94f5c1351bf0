// GETs a URL with node's own fetch; fails unless the answer is a success.
const response = await fetch(process.argv[2], { signal: AbortSignal.timeout(30_000) });
const body = await response.text();
console.log(response.status, body.length);
if (!response.ok) {
  console.error(body);
  process.exitCode = 1;
}
