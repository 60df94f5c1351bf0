// GETs a URL with the undici package, over HTTP/2 where the server speaks it; fails unless the answer is a success.
// CommonJS, because only `require` looks in NODE_PATH.
const { Agent, request } = require("undici");

async function main() {
  const dispatcher = new Agent({ allowH2: true, headersTimeout: 30_000 });
  const { statusCode, body } = await request(process.argv[2], { dispatcher });
  const text = await body.text();
  console.log(statusCode, text.length);
  if (statusCode >= 300) throw new Error(text);
  await dispatcher.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
