//! The filter of system calls, compiled from the reviewed list `data/seccomp.json`.
//!
//! It knows nothing of processes. An allow list is the base: what it does not name is answered as a kernel without it would (ENOSYS), so that programs fall
//! back. Over it lie refusals with the error that programs expect. A foreign architecture's call kills the process. Start with [`Filters::for_commands`].

use std::collections::HashMap;
use std::os::fd::AsFd;

use seccompiler::{BpfProgram, TargetArch};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::{Failure, Part, Step};
use crate::syscall::filter_with_listener;
use crate::wire::Wire;

const LIST: &str = include_str!("../data/seccomp.json");

/// The reviewed list.
#[derive(Deserialize)]
struct List {
    allowed: Vec<String>,
    /// Calls that only one architecture has, by its name.
    allowed_on: HashMap<String, Vec<String>>,
    refused: Vec<Refused>,
}

/// Calls, or some uses of them, that are refused with an error of their own.
#[derive(Deserialize)]
struct Refused {
    errno: u32,
    /// Not refused where the sandbox may make namespaces.
    #[serde(default)]
    unless_nested: bool,
    /// Refused only where the sandbox may make namespaces.
    #[serde(default)]
    only_nested: bool,
    /// Not refused where the command is root of the sandbox, but handed to the keeper.
    #[serde(default)]
    kept_for_root: bool,
    rules: Vec<Value>,
}

impl Refused {
    fn applies(&self, nested_namespaces: bool) -> bool {
        if nested_namespaces {
            !self.unless_nested
        } else {
            !self.only_nested
        }
    }
}

/// Compiled filters, the first to be applied first.
pub(crate) struct Filters {
    /// The one that hands calls to the keeper.
    kept: Option<BpfProgram>,
    rest: Vec<BpfProgram>,
}

/// Marks the calls to hand over in a compiled filter: the compiler knows no such action, but tracing with a number.
const HAND_OVER: u32 = 0x4f57;

impl Filters {
    /// The filters for the command of a sandbox.
    pub(crate) fn for_commands(nested_namespaces: bool, root: bool) -> Step<Self> {
        let list: List = serde_json::from_str(LIST).map_err(|error| unusable(&error))?;
        let arch = std::env::consts::ARCH;
        let target = TargetArch::try_from(arch).map_err(|error| unusable(&error))?;
        let mut allowed = list.allowed;
        allowed.extend(list.allowed_on.get(arch).into_iter().flatten().cloned());
        let rules: Vec<Value> = allowed.iter().map(|name| json!({ "syscall": name })).collect();
        let not_implemented = json!({ "errno": libc::ENOSYS });
        let mut kept = None;
        let mut filters = vec![compile(target, &not_implemented, &json!("allow"), &rules)?];
        for refused in list
            .refused
            .into_iter()
            .filter(|refused| refused.applies(nested_namespaces))
        {
            let keep = root && refused.kept_for_root;
            let rules: Vec<Value> = refused
                .rules
                .into_iter()
                .filter(|rule| known_on(arch, rule))
                .collect();
            let action = if keep {
                json!({ "trace": HAND_OVER })
            } else {
                json!({ "errno": refused.errno })
            };
            let filter = compile(target, &json!("allow"), &action, &rules)?;
            if keep {
                kept = Some(filter);
            } else {
                filters.push(filter);
            }
        }
        Ok(Self { kept, rest: filters })
    }

    /// Applies them to this thread, for good. What is to be kept goes to the `keeper`.
    pub(crate) fn apply(&self, keeper: Option<Wire>) -> Step<()> {
        if let Some(kept) = &self.kept {
            let handing_over = instructions(&marked(kept, libc::SECCOMP_RET_USER_NOTIF));
            match (filter_with_listener(&handing_over), keeper) {
                (Ok(listener), Some(keeper)) => keeper.send(&(), &[listener.as_fd()])?,
                // Another listener is there already, as inside of some containers: then these calls are refused.
                (Err(error), _) if error.raw_os_error() == Some(libc::EBUSY) => {
                    apply(&marked(
                        kept,
                        libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs(),
                    ))?;
                }
                (Err(error), _) => return Err(unusable(&error)),
                (Ok(_), None) => return Err(unusable(&"there is no keeper")),
            }
        }
        self.rest.iter().try_for_each(apply)
    }
}

fn apply(filter: &BpfProgram) -> Step<()> {
    seccompiler::apply_filter(filter).map_err(|error| unusable(&error))
}

/// The program with `answer` in place of the mark.
fn marked(program: &BpfProgram, answer: u32) -> BpfProgram {
    let returns = u16::try_from(libc::BPF_RET | libc::BPF_K).expect("instructions have 16 bits");
    let mut program = program.clone();
    for instruction in &mut program {
        if instruction.code == returns && instruction.k == libc::SECCOMP_RET_TRACE | HAND_OVER {
            instruction.k = answer;
        }
    }
    program
}

/// The same instructions as the C library knows them.
fn instructions(program: &BpfProgram) -> Vec<libc::sock_filter> {
    let instructions = program.iter().map(|instruction| libc::sock_filter {
        code: instruction.code,
        jt: instruction.jt,
        jf: instruction.jf,
        k: instruction.k,
    });
    instructions.collect()
}

/// Whether `rule` is about a call of this architecture: old calls exist on `x86_64` only.
fn known_on(arch: &str, rule: &Value) -> bool {
    const OLD: [&str; 4] = ["creat", "chmod", "mknod", "open"];
    arch == "x86_64" || !OLD.iter().any(|name| rule["syscall"] == *name)
}

fn compile(target: TargetArch, mismatch: &Value, matched: &Value, rules: &[Value]) -> Step<BpfProgram> {
    let filter =
        json!({ "filter": { "mismatch_action": mismatch, "match_action": matched, "filter": rules } });
    let text = filter.to_string();
    let mut compiled =
        seccompiler::compile_from_json(text.as_bytes(), target).map_err(|error| unusable(&error))?;
    compiled
        .remove("filter")
        .ok_or_else(|| Failure::new(Part::Confinement, "compile the filter of system calls"))
}

fn unusable(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Part::Confinement,
        format!("use the filter of system calls: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_compiles_with_and_without_nested_namespaces() {
        for (nested, root) in [(false, false), (false, true), (true, false), (true, true)] {
            assert!(Filters::for_commands(nested, root).is_ok());
        }
    }

    #[test]
    fn dangerous_calls_are_not_on_the_list() {
        let list: List = serde_json::from_str(LIST).expect("the list is JSON");
        for name in [
            "io_uring_setup",
            "io_uring_enter",
            "io_uring_register",
            "bpf",
            "keyctl",
            "kexec_load",
            "clone3",
            "open_by_handle_at",
            "userfaultfd",
            "perf_event_open",
            "init_module",
            "openat2",
        ] {
            assert!(!list.allowed.iter().any(|allowed| allowed == name), "{name}");
        }
        assert!(list.allowed.iter().any(|allowed| allowed == "read"));
    }
}
