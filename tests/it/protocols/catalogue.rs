//! The cases, as data: who speaks what to whom, and what shows that it worked.

use super::servers::Server;

/// One row to be.
pub(super) struct Case {
    pub(super) protocol: &'static str,
    /// Which way it flows.
    pub(super) direction: &'static str,
    pub(super) client: &'static str,
    /// Prints the client's version; run outside.
    pub(super) version: &'static str,
    /// Run by `sh -c` in a directory that holds the programs of `tests/clients/protocols`.
    pub(super) command: &'static str,
    pub(super) server: Server,
    pub(super) host: &'static str,
    pub(super) port: u16,
    pub(super) way: Way,
    /// What the origin said, which shows over which version it was asked.
    pub(super) status: u16,
    /// What its output has exactly when it worked; it must end well, too.
    pub(super) shows: &'static str,
    /// What its user reads when the host is off the list.
    pub(super) refused_shows: &'static str,
}

/// How the gate lets it pass.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// Intercepted, with what the audit calls the client's protocol.
    Read(&'static str),
    /// Relayed unread, by `tunnelled_domains`.
    Tunnel,
    /// The same by CONNECT to `outwall proxy`, whose address is `$1` of the command; in no sandbox.
    Connect,
    /// Relayed as plain TCP, by `tcp`.
    Stream,
}

impl Case {
    /// The lines of the policy that allow it and nothing else.
    pub(super) fn allowing(&self) -> String {
        let Self { host, port, .. } = self;
        match self.way {
            Way::Read(_) => format!("allowed_domains = [{host:?}]\n"),
            Way::Tunnel | Way::Connect => format!("tunnelled_domains = [{host:?}]\n"),
            Way::Stream => format!("tcp = [\"{host}:{port}\"]\n"),
        }
    }

    pub(super) fn is_chosen(&self, only: Option<&str>) -> bool {
        only.is_none_or(|only| only.split(',').any(|name| name == self.client))
    }
}

const WEB: Case = Case {
    protocol: "",
    direction: "",
    client: "curl",
    version: "curl --version",
    command: "",
    server: Server::Web,
    host: "web.example.test",
    port: 443,
    way: Way::Read("h2"),
    status: 200,
    shows: "",
    refused_shows: "host-not-allowed",
};

const GRPC: Case = Case {
    protocol: "gRPC, four kinds of call with trailers",
    direction: "both at once",
    server: Server::Grpc,
    host: "grpc.example.test",
    shows: "unary, client, server and both streaming, trailers, a status: all seen",
    refused_shows: "Refused by Outwall",
    ..WEB
};

const SOCKET: Case = Case {
    protocol: "WebSocket over http/1.1",
    direction: "both at once",
    server: Server::Websockets,
    way: Way::Read("websocket/http/1.1"),
    status: 101,
    ..WEB
};

const MODEL: Case = Case {
    protocol: "SSE of a model API",
    direction: "down",
    host: "model.example.test",
    shows: "a stream, word by word: seen",
    ..WEB
};

pub(super) const CASES: &[Case] = &[
    Case {
        protocol: "http/1.1",
        direction: "down",
        command: "curl --silent --show-error --http1.1 https://web.example.test/version",
        way: Way::Read("http/1.1"),
        shows: "http/2\n", // the origin is spoken to over h2 all the same
        ..WEB
    },
    Case {
        protocol: "h2",
        direction: "down",
        command: "curl --silent --show-error --http2 https://web.example.test/version",
        shows: "http/2\n",
        ..WEB
    },
    Case {
        protocol: "TLS to a tunnelled domain",
        direction: "both",
        // It trusts the origin's own CA and no other; refused, it looks once more without, to read why.
        command: "curl --silent --cacert origin-ca.pem --capath /nonexistent https://web.example.test/version \
                  || curl --silent https://web.example.test/version",
        way: Way::Tunnel,
        shows: "http/2\n",
        ..WEB
    },
    Case {
        protocol: "CONNECT to a tunnelled domain",
        direction: "both",
        command: "curl --silent --verbose --proxy http://$1 --cacert origin-ca.pem --capath /nonexistent \
                  https://web.example.test/version",
        way: Way::Connect,
        shows: "http/2\n",
        ..WEB
    },
    Case {
        client: "tonic",
        version: "sed -n '/^name = \"tonic\"$/{n;s/version = //p}' tonic/Cargo.lock | tr -d '\"'",
        command: "tonic-client grpc.example.test",
        ..GRPC
    },
    Case {
        client: "grpc-python",
        version: "python3 -c 'import grpc; print(grpc.__version__)'",
        command: "python3 grpc_client.py grpc.example.test",
        ..GRPC
    },
    Case {
        client: "Python websockets",
        version: "python3 -c 'import websockets; print(websockets.__version__)'",
        command: "python3 websockets_client.py web.example.test",
        shows: "text, bytes, a large message and a ping: all seen",
        ..SOCKET
    },
    Case {
        protocol: "WebSocket over http/1.1, to an origin of h2 only",
        client: "Python websockets",
        version: "python3 -c 'import websockets; print(websockets.__version__)'",
        command: "python3 websockets_client.py web.example.test",
        server: Server::WebH2,
        status: 200,
        shows: "text, bytes, a large message and a ping: all seen",
        ..SOCKET
    },
    Case {
        client: "node's WebSocket (undici)",
        version: "node -p 'require(\"undici/package.json\").version'",
        command: "node websocket_undici.cjs web.example.test",
        shows: "small and large, by chat: all seen",
        refused_shows: "no socket",
        ..SOCKET
    },
    Case {
        protocol: "WebSocket over h2 (RFC 8441), to an origin of http/1.1",
        client: "Chromium",
        version: "chromium --version",
        command: CHROMIUM,
        way: Way::Read("websocket/h2"),
        server: Server::Web,
        shows: "echo of hello by chat",
        ..SOCKET
    },
    Case {
        protocol: "WebSocket over h2 (RFC 8441), to an origin of h2 only",
        client: "Chromium",
        version: "chromium --version",
        command: CHROMIUM,
        way: Way::Read("websocket/h2"),
        server: Server::WebH2,
        status: 200,
        shows: "echo of hello by chat",
        ..SOCKET
    },
    Case {
        client: "anthropic (Python)",
        version: "python3 -c 'import anthropic; print(anthropic.__version__)'",
        command: "python3 model_anthropic.py model.example.test",
        way: Way::Read("http/1.1"),
        ..MODEL
    },
    Case {
        client: "openai (Python), h2",
        version: "python3 -c 'import openai; print(openai.__version__)'",
        command: "python3 model_openai.py model.example.test",
        ..MODEL
    },
    Case {
        protocol: "PostgreSQL through a named TCP rule",
        direction: "both",
        client: "psql",
        version: "psql --version",
        command: "psql 'host=db.example.test port=5432 user=outwall dbname=postgres connect_timeout=15' -Atc \
                  \"select 'answer ' || 6 * 7\"",
        server: Server::Postgres,
        host: "db.example.test",
        port: 5432,
        way: Way::Stream,
        shows: "answer 42",
        refused_shows: "server closed the connection unexpectedly",
        ..WEB
    },
    Case {
        protocol: "SSH through a named TCP rule (the server speaks first)",
        direction: "both",
        client: "ssh",
        version: "ssh -V",
        command: "chmod 600 ssh-key && ssh -F none -i ssh-key -o BatchMode=yes -o StrictHostKeyChecking=no \
                  -o UserKnownHostsFile=/dev/null -p 2222 \"$(cat ssh-user)@git.example.test\" 'echo answer $((6 * 7))'",
        server: Server::Ssh,
        host: "git.example.test",
        port: 2222,
        way: Way::Stream,
        shows: "answer 42",
        refused_shows: "Connection ", // "closed by remote host" or "reset by peer", as the race goes
        ..WEB
    },
];

/// The page has a picture that takes seconds, so that its script is done when it is loaded.
const CHROMIUM: &str =
    "chromium --headless --no-sandbox --disable-gpu --dump-dom https://web.example.test/ 2>/dev/null";
