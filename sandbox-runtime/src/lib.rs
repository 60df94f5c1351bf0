//! Makes a machine for one command: a sandbox whose only way out is a set of listeners that the asking process serves.
//!
//! It knows nothing of HTTP and of what may be reached: it captures, others decide. It is blocking, and keeps no threads but
//! the caller's and one for each standard stream that is a file.
//!
//! ```text
//! asking process (`engine`)      many threads; plans everything (`spec`, `identity`, `layout`, `plan`), keeps the lifeline (`wire`)
//!  └─ stage 1 (`stage`)          this program executed again; outer user namespace, namespaces, `network`, listeners; watches the lifeline
//!      └─ first process          pid 1 of the sandbox; `mounts`; reaps
//!          ├─ keeper             only for a command that is root: changes permission bits for it (`keeper`)
//!          └─ command            inner user namespace, no capabilities, `seccomp`, exec (`process`)
//! ```
//!
//! Start with [`Prepared`]; `src/stage.rs` is the story of a sandbox in order.
//!
//! What holds it together: the network, mount and process namespaces belong to the *outer* user namespace, the command lives in an *inner* one, so that
//! no capability it could gain reaches them. Everything is in namespaces, so nothing is left when the processes are gone.

mod cleanup;
mod control_group;
mod engine;
mod failure;
mod forbidden;
mod identity;
mod inner_sockets;
mod interlude;
mod keeper;
mod layout;
mod mounts;
mod netlink;
mod network;
mod plan;
mod probe;
mod process;
mod programs;
mod pty;
mod seccomp;
mod spec;
mod stage;
mod streams;
mod syscall;
mod toolchains;
mod tree;
mod way;
mod wire;

pub use cleanup::{RunDirectoryError, Swept, sweep};
pub use engine::{
    Ender, Exit, Listeners, PrepareError, Prepared, Running, Signal, StartError, Timings, WaitError,
};
pub use failure::{Failure, Part};
pub use forbidden::Forbidden;
pub use inner_sockets::InnerSockets;
pub use interlude::{Interludes, Question, Reply};
pub use network::{ADDRESS_V4, ADDRESS_V6, DNS_PORT, RESOLVER, TCP_PORT};
pub use probe::{Capability, State, Subject, probe};
pub use programs::{Ends, Executable, Program, Programs, Unknown};
pub use spec::{Home, Limits, Mount, PlacedFile, Refusal, Spec, SpecError};
pub use stage::become_stage_if_asked;
pub use way::way_to;
