//! System calls that a sandbox has no business with, made on purpose: whoever checks a wall tries them from inside.
//!
//! None has an effect. Where a call takes a pointer it is given none, so that a kernel which would have obeyed finds fault with
//! that, which counts as obeying.

use std::io;

use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::thread::UnshareFlags;

use crate::syscall::{self, Cloned};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// Sets up requests by shared memory.
    IoUring,
    /// The keyring of the user.
    Keyring,
    /// Traces the first process, and leaves it running.
    TraceInit,
    /// Loads a program into the kernel.
    Bpf,
    /// Counts what the machine does.
    Perf,
    /// Handles page faults.
    Userfaultfd,
    /// Makes a user namespace by `clone`.
    CloneUserNamespace,
    /// The same by `clone3`, whose flags no filter sees.
    Clone3UserNamespace,
}

impl Forbidden {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "io-uring" => Self::IoUring,
            "keyring" => Self::Keyring,
            "trace-the-first-process" => Self::TraceInit,
            "bpf" => Self::Bpf,
            "perf" => Self::Perf,
            "userfaultfd" => Self::Userfaultfd,
            "user-namespace-by-clone" => Self::CloneUserNamespace,
            "user-namespace-by-clone3" => Self::Clone3UserNamespace,
            _ => return None,
        })
    }

    /// Makes it. An error is how the kernel refuses.
    pub fn make(self) -> io::Result<()> {
        let made = match self {
            Self::IoUring => syscall::io_uring_setup_without_parameters(),
            Self::Keyring => syscall::user_keyring(),
            Self::TraceInit => syscall::trace(Pid::INIT),
            Self::Bpf => syscall::bpf_without_attributes(),
            Self::Perf => syscall::perf_event_open_without_attributes(),
            Self::Userfaultfd => syscall::userfaultfd(),
            Self::CloneUserNamespace => {
                syscall::clone_process(UnshareFlags::NEWUSER).and_then(|cloned| end(&cloned))
            }
            Self::Clone3UserNamespace => syscall::clone3_user_namespace().and_then(|cloned| end(&cloned)),
        };
        match made {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::FAULT.raw_os_error()) => Ok(()),
            other => other,
        }
    }
}

/// The child was made, which is all that was asked.
fn end(cloned: &Cloned) -> io::Result<()> {
    match cloned {
        Cloned::Child => std::process::exit(0),
        Cloned::Parent(child) => Ok(waitpid(Some(*child), WaitOptions::empty()).map(drop)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_would_have_done_is_no_error_and_a_name_is_one_call() {
        assert_eq!(Forbidden::named("keyring"), Some(Forbidden::Keyring));
        assert_eq!(Forbidden::named("fork"), None);
    }
}
