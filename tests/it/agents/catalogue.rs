//! The cases, as data: which agent, by which API, how it is started, and what its user reads when it is refused.

/// One row to be.
pub(super) struct Case {
    pub(super) agent: &'static str,
    /// The model's API and how it is spoken.
    pub(super) api: &'static str,
    pub(super) service: &'static Service,
    /// What it is run as for a person's words, which come last.
    pub(super) first: &'static [&'static str],
    /// The same to go on where it ended.
    pub(super) again: &'static [&'static str],
    /// What the stand-in does with a WebSocket.
    pub(super) socket: Socket,
    /// It makes a sandbox of its own inside.
    pub(super) nested: bool,
    /// What the audit calls the protocol in which the model was asked.
    pub(super) protocol: &'static str,
    /// Whether it is also seen to be refused: one case of each agent is enough.
    pub(super) twins: bool,
}

/// Whose model it is, and how a key is shown there.
pub(super) struct Service {
    pub(super) host: &'static str,
    /// What a user writes in the policy.
    pub(super) preset: &'static str,
    /// Where the agent looks for its key.
    pub(super) variable: &'static str,
    /// How keys begin there.
    pub(super) prefix: &'static str,
    /// The header in which the server wants it, with its scheme.
    pub(super) place: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    Accepted,
    Refused,
}

impl Socket {
    /// As the stand-in is told.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Accepted => "accept",
            Self::Refused => "refuse",
        }
    }
}

impl Case {
    /// Its program, which has a version.
    pub(super) fn program(&self) -> &'static str {
        self.first[0]
    }

    pub(super) fn is_chosen(&self, only: Option<&str>) -> bool {
        only.is_none_or(|only| only.split(',').any(|program| program == self.program()))
    }
}

const ANTHROPIC: &Service = &Service {
    host: "api.anthropic.com",
    preset: "anthropic",
    variable: "ANTHROPIC_API_KEY",
    prefix: "sk-ant-api03-",
    place: "x-api-key",
};

const SUBSCRIPTION: &Service = &Service {
    preset: "claude-subscription",
    variable: "CLAUDE_CODE_OAUTH_TOKEN",
    prefix: "sk-ant-oat01-",
    place: "authorization Bearer",
    ..*ANTHROPIC
};

/// `codex exec` reads `CODEX_API_KEY`: the other variable of the preset it only offers to log in with.
const OPENAI: &Service = &Service {
    host: "api.openai.com",
    preset: "openai",
    variable: "CODEX_API_KEY",
    prefix: "sk-proj-",
    place: "authorization Bearer",
};

const CLAUDE: Case = Case {
    agent: "Claude Code",
    api: "Anthropic Messages, a stream over HTTP",
    service: ANTHROPIC,
    first: &["claude", "--dangerously-skip-permissions", "-p"],
    again: &["claude", "--dangerously-skip-permissions", "--continue", "-p"],
    socket: Socket::Refused,
    nested: false,
    protocol: "http/1.1",
    twins: true,
};

/// The flag is the one that Codex has for machines that are sandboxes themselves.
const CODEX: Case = Case {
    agent: "Codex",
    api: "OpenAI Responses, a WebSocket",
    service: OPENAI,
    first: &[
        "codex",
        "exec",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
    ],
    again: &[
        "codex",
        "exec",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
        "resume",
        "--last",
    ],
    socket: Socket::Accepted,
    nested: false,
    protocol: "websocket/http/1.1",
    twins: true,
};

const OPENCODE: Case = Case {
    agent: "OpenCode",
    first: &["opencode", "run"],
    again: &["opencode", "run", "--continue"],
    ..CLAUDE
};

pub(super) const CASES: &[Case] = &[
    OPENCODE,
    CLAUDE,
    Case {
        api: "Anthropic Messages, a stream over HTTP, with a subscription's token",
        service: SUBSCRIPTION,
        twins: false,
        ..CLAUDE
    },
    CODEX,
    Case {
        api: "OpenAI Responses, a stream over HTTP after a refused WebSocket",
        socket: Socket::Refused,
        protocol: "h2",
        twins: false,
        ..CODEX
    },
    Case {
        api: "OpenAI Responses, a WebSocket; its commands in its own sandbox, with `nested_namespaces`",
        first: &[
            "codex",
            "exec",
            "--skip-git-repo-check",
            "--sandbox",
            "workspace-write",
        ],
        again: &[
            "codex",
            "exec",
            "--skip-git-repo-check",
            "--sandbox",
            "workspace-write",
            "resume",
            "--last",
        ],
        nested: true,
        twins: false,
        ..CODEX
    },
    Case {
        api: "OpenAI Responses, a stream over HTTP",
        service: &Service {
            variable: "OPENAI_API_KEY",
            ..*OPENAI
        },
        twins: false,
        ..OPENCODE
    },
];
