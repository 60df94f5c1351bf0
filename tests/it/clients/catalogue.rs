//! The clients, as data: what is typed, which hosts it needs, what proves that it worked.

/// One row to be. Commands are run by `sh -c` in an empty directory that holds `tests/clients` programs and `files`.
pub(super) struct Client {
    pub(super) name: &'static str,
    /// Prints the version; run outside. Its failure means that the client is not installed.
    pub(super) version: &'static str,
    pub(super) command: &'static str,
    /// Hosts without any one of which the command cannot do its work.
    pub(super) needs: &'static [&'static str],
    /// What the output holds exactly when the work was done; the exit code must be 0 as well.
    pub(super) shows: &'static str,
    pub(super) trust: Trust,
    /// Files that the command finds: path and text.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// Folder below `target/clients` that comes first in `PATH`.
    pub(super) programs: &'static str,
    /// Hosts to be allowed beside the Trusted list.
    pub(super) allow: &'static [&'static str],
    pub(super) root: bool,
    pub(super) nested_namespaces: bool,
}

/// How the client comes to trust the CA.
pub(super) enum Trust {
    /// The system's bundle is enough. Seen: it works with every trust variable removed.
    Bundle,
    /// It needs this variable. Seen: it fails with every one removed, and works with this one alone.
    Variable(&'static str),
    /// It reads a store of its own, which no variable takes away.
    Store(&'static str),
}

const CLIENT: Client = Client {
    name: "",
    version: "",
    command: "",
    needs: &[],
    shows: "",
    trust: Trust::Bundle,
    files: &[],
    programs: "npm/node_modules/.bin",
    allow: &[],
    root: false,
    nested_namespaces: false,
};

const PYPI: &[&str] = &["pypi.org", "files.pythonhosted.org"];
const NPM: &[&str] = &["registry.npmjs.org"];
const YARN: &[&str] = &["registry.yarnpkg.com"];

/// A project of its own: package managers look upwards for one.
const NODE_PROJECT: (&str, &str) = (
    "package.json",
    r#"{ "name": "sample", "version": "1.0.0", "private": true }"#,
);
const NODE_EXTRA_CA_CERTS: Trust = Trust::Variable("NODE_EXTRA_CA_CERTS");
const CHROMIUM_POLICY: Trust = Trust::Store("the managed policy `CACertificates`");

pub(super) const CLIENTS: &[Client] = &[
    Client {
        name: "pip",
        version: "pip --version",
        command: "pip install --target site six",
        needs: PYPI,
        shows: "Successfully installed six",
        programs: "venv/bin",
        ..CLIENT
    },
    Client {
        name: "pip 23",
        version: "pip --version",
        command: "pip install --target site six",
        needs: PYPI,
        shows: "Successfully installed six",
        trust: Trust::Variable("PIP_CERT"),
        programs: "venv-pip23/bin",
        ..CLIENT
    },
    Client {
        name: "uv",
        version: "uv --version",
        command: "uv pip install --target site six",
        needs: PYPI,
        shows: "+ six",
        trust: Trust::Variable("SSL_CERT_FILE"),
        programs: "venv/bin",
        ..CLIENT
    },
    Client {
        name: "npm",
        version: "npm --version",
        command: "npm install is-odd",
        needs: NPM,
        shows: "added 2 packages",
        trust: NODE_EXTRA_CA_CERTS,
        files: &[NODE_PROJECT],
        ..CLIENT
    },
    Client {
        name: "pnpm",
        version: "pnpm --version",
        command: "pnpm add is-odd",
        needs: NPM,
        shows: "+ is-odd",
        trust: NODE_EXTRA_CA_CERTS,
        files: &[NODE_PROJECT],
        ..CLIENT
    },
    Client {
        name: "yarn 1",
        version: "yarn --version",
        command: "yarn add is-odd",
        needs: YARN,
        shows: "is-number@",
        trust: NODE_EXTRA_CA_CERTS,
        files: &[NODE_PROJECT],
        ..CLIENT
    },
    Client {
        name: "yarn 4",
        version: "yarn --version",
        command: "yarn add is-odd",
        needs: YARN,
        shows: "Done",
        trust: NODE_EXTRA_CA_CERTS,
        files: &[NODE_PROJECT, ("yarn.lock", "")],
        programs: "yarn-berry/node_modules/.bin",
        ..CLIENT
    },
    Client {
        name: "bun",
        version: "bun --version",
        command: "bun add is-odd",
        needs: NPM,
        shows: "installed is-odd",
        files: &[NODE_PROJECT],
        ..CLIENT
    },
    Client {
        name: "deno",
        version: "deno --version",
        command: "deno run odd.ts",
        needs: NPM,
        shows: "three is odd: true",
        trust: Trust::Variable("DENO_TLS_CA_STORE"),
        files: &[(
            "odd.ts",
            "import odd from \"npm:is-odd@3\";\nconsole.log(`three is odd: ${odd(3)}`);\n",
        )],
        ..CLIENT
    },
    Client {
        name: "cargo",
        version: "cargo --version",
        command: "cargo fetch",
        needs: &["index.crates.io"],
        shows: "Downloaded cfg-if",
        files: &[
            (
                "Cargo.toml",
                "[package]\nname = \"sample\"\nedition = \"2021\"\n[dependencies]\ncfg-if = \"1\"\n",
            ),
            ("src/lib.rs", ""),
        ],
        ..CLIENT
    },
    Client {
        name: "apt-get",
        version: "apt-get --version",
        command: "apt-get update",
        needs: &["deb.debian.org"],
        shows: "Get:1 http://deb.debian.org",
        allow: &["deb.debian.org"],
        root: true,
        ..CLIENT
    },
    Client {
        name: "curl",
        version: "curl --version",
        command: "curl --fail https://pypi.org/simple/six/",
        needs: &["pypi.org"],
        shows: "Links for six",
        ..CLIENT
    },
    Client {
        name: "wget",
        version: "wget --version",
        command: "wget --no-verbose -O - https://pypi.org/simple/six/",
        needs: &["pypi.org"],
        shows: "Links for six",
        ..CLIENT
    },
    Client {
        name: "requests",
        version: "python3 -c 'import requests; print(requests.__version__)'",
        command: "python3 get_requests.py https://pypi.org/simple/six/",
        needs: &["pypi.org"],
        shows: "200 ",
        trust: Trust::Variable("REQUESTS_CA_BUNDLE"),
        programs: "venv/bin",
        ..CLIENT
    },
    Client {
        name: "httpx",
        version: "python3 -c 'import httpx; print(httpx.__version__)'",
        command: "python3 get_httpx.py https://pypi.org/simple/six/",
        needs: &["pypi.org"],
        shows: "200 ",
        trust: Trust::Variable("SSL_CERT_FILE"),
        programs: "venv/bin",
        ..CLIENT
    },
    Client {
        name: "aiohttp",
        version: "python3 -c 'import aiohttp; print(aiohttp.__version__)'",
        command: "python3 get_aiohttp.py https://pypi.org/simple/six/",
        needs: &["pypi.org"],
        shows: "200 ",
        programs: "venv/bin",
        ..CLIENT
    },
    Client {
        name: "urllib",
        version: "python3 --version",
        command: "python3 get_urllib.py https://pypi.org/simple/six/",
        needs: &["pypi.org"],
        shows: "200 ",
        programs: "venv/bin",
        ..CLIENT
    },
    Client {
        name: "node fetch",
        version: "node --version",
        command: "node get_fetch.mjs https://registry.npmjs.org/is-odd",
        needs: NPM,
        shows: "200 ",
        trust: NODE_EXTRA_CA_CERTS,
        ..CLIENT
    },
    Client {
        name: "undici",
        version: "node -p 'require(\"undici/package.json\").version'",
        command: "node get_undici.cjs https://registry.npmjs.org/is-odd",
        needs: NPM,
        shows: "200 ",
        trust: NODE_EXTRA_CA_CERTS,
        ..CLIENT
    },
    Client {
        name: "Java HttpClient",
        version: "java --version",
        command: "java Get.java https://pypi.org/simple/six/",
        needs: &["pypi.org"],
        shows: "200 ",
        trust: Trust::Store("the JVM's trust store, `/etc/ssl/certs/java/cacerts`"),
        ..CLIENT
    },
    Client {
        name: "Chromium",
        version: "chromium --version",
        command: "chromium --headless --dump-dom https://pypi.org/simple/six/",
        needs: &["pypi.org"],
        shows: "<title>Links for six",
        trust: CHROMIUM_POLICY,
        nested_namespaces: true,
        ..CLIENT
    },
    Client {
        name: "Chromium without its sandbox",
        version: "chromium --version",
        command: "chromium --headless --no-sandbox --dump-dom https://pypi.org/simple/six/",
        needs: &["pypi.org"],
        shows: "<title>Links for six",
        trust: CHROMIUM_POLICY,
        ..CLIENT
    },
];
