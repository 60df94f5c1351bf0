//! The system calls that no safe wrapper offers: the only `unsafe` code of the crate.
//!
//! It knows nothing of sandboxes; each function is one system call with its arguments checked by types. Everything else goes through `rustix`.

use std::ffi::CStr;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// What `clone_process` made of the caller.
pub(crate) enum Cloned {
    /// This is the parent; the child's id in the caller's pid namespace.
    Parent(Pid),
    /// This is the child.
    Child,
}

/// Forks the process, the child in the new namespaces that `namespaces` names.
///
/// The caller must be single-threaded: a lock that another thread holds would stay locked in the child for ever.
/// Stages of a sandbox are (`become_stage_if_asked` runs first in `main`), and this refuses to run in a process that is not.
pub(crate) fn clone_process(namespaces: UnshareFlags) -> io::Result<Cloned> {
    if !single_threaded()? {
        return Err(io::Error::other("only a single-threaded process may fork"));
    }
    let flags = libc::c_ulong::from(namespaces.bits()) | libc::SIGCHLD as libc::c_ulong;
    // SAFETY: a null stack and no CLONE_VM make this `fork(2)`: the child gets its own copy of the whole address space. The process is single-threaded
    // (checked above), so no lock can be held by a thread that the child lacks.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0usize, 0usize, 0usize, 0usize) };
    forked(pid)
}

fn forked(pid: libc::c_long) -> io::Result<Cloned> {
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Cloned::Child),
        pid => {
            let pid = i32::try_from(pid).expect("a pid fits");
            Ok(Cloned::Parent(Pid::from_raw(pid).expect("clone returned a pid")))
        }
    }
}

/// The same with a user namespace of its own, by `clone3`, whose flags lie behind a pointer.
pub(crate) fn clone3_user_namespace() -> io::Result<Cloned> {
    if !single_threaded()? {
        return Err(io::Error::other("only a single-threaded process may fork"));
    }
    // `struct clone_args` as of its first version: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls.
    let user = u64::from(UnshareFlags::NEWUSER.bits());
    let arguments: [u64; 8] = [user, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];
    // SAFETY: the arguments are live and of the size given; a null stack and no CLONE_VM make this `fork(2)`, as in `clone_process`.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, arguments.as_ptr(), size_of_val(&arguments)) };
    forked(pid)
}

fn outcome(result: libc::c_long) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// `io_uring_setup(2)` with no place for what it returns, so that nothing is set up.
pub(crate) fn io_uring_setup_without_parameters() -> io::Result<()> {
    // SAFETY: the kernel checks the null pointer and fails; no memory is touched.
    outcome(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1u32, std::ptr::null::<u8>()) })
}

/// `bpf(2)`, `BPF_MAP_CREATE`, without attributes, so that nothing is made.
pub(crate) fn bpf_without_attributes() -> io::Result<()> {
    // SAFETY: the kernel checks the null pointer and fails; no memory is touched.
    outcome(unsafe { libc::syscall(libc::SYS_bpf, 0, std::ptr::null::<u8>(), 8u32) })
}

/// `perf_event_open(2)` without attributes, so that nothing is counted.
pub(crate) fn perf_event_open_without_attributes() -> io::Result<()> {
    // SAFETY: the kernel checks the null pointer and fails; no memory is touched.
    outcome(unsafe { libc::syscall(libc::SYS_perf_event_open, std::ptr::null::<u8>(), 0, -1, -1, 0) })
}

/// `userfaultfd(2)`, for faults in this process. The descriptor ends with it.
pub(crate) fn userfaultfd() -> io::Result<()> {
    // SAFETY: takes flags only and registers no memory.
    outcome(unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | USER_MODE_ONLY) })
}

/// `UFFD_USER_MODE_ONLY`: what an ordinary user may ask for.
const USER_MODE_ONLY: libc::c_int = 1;

/// `keyctl(2)`, the id of the user's keyring, which is made if need be.
pub(crate) fn user_keyring() -> io::Result<()> {
    const KEY_SPEC_USER_KEYRING: libc::c_int = -4;
    // SAFETY: `KEYCTL_GET_KEYRING_ID` takes two numbers.
    outcome(unsafe { libc::syscall(libc::SYS_keyctl, 0, KEY_SPEC_USER_KEYRING, 1) })
}

/// `ptrace(2)` by `PTRACE_SEIZE`, which leaves the other process running.
pub(crate) fn trace(process: Pid) -> io::Result<()> {
    // SAFETY: changes nothing in this process; the other one is let go when this one ends.
    let result = unsafe { libc::ptrace(libc::PTRACE_SEIZE, process.as_raw_nonzero().get(), 0, 0) };
    outcome(result)
}

/// Whether this process has one thread, by the link count of its task directory: no allocation, no parsing.
fn single_threaded() -> io::Result<bool> {
    let threads = match rustix::fs::stat("/proc/self/task") {
        Ok(stat) => stat.st_nlink.saturating_sub(2),
        // The first process of a sandbox forks after it left the host's /proc behind and before anybody could have started a thread in it.
        Err(rustix::io::Errno::NOENT) => 1,
        Err(error) => return Err(error.into()),
    };
    Ok(threads <= 1)
}

/// Leaves namespaces. Only for single-threaded callers: the flags that concern one thread only are not accepted.
pub(crate) fn unshare(namespaces: UnshareFlags) -> io::Result<()> {
    let per_thread = UnshareFlags::FILES | UnshareFlags::FS | UnshareFlags::SYSVSEM;
    if namespaces.intersects(per_thread) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: without CLONE_FILES no descriptor table is split, which is what `unshare_unsafe` asks of its callers.
    let _: () = unsafe { rustix::thread::unshare_unsafe(namespaces)? };
    Ok(())
}

/// `struct mount_attr` of `mount_setattr(2)`.
#[repr(C)]
#[derive(Default)]
pub(crate) struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

impl MountAttributes {
    /// Sets the attributes `MOUNT_ATTR_*`, and clears none.
    pub(crate) fn setting(set: u64) -> Self {
        Self {
            set,
            ..Self::default()
        }
    }

    /// Keeps mounts made elsewhere from appearing here, and ours from appearing there.
    pub(crate) fn private() -> Self {
        Self {
            propagation: libc::MS_PRIVATE,
            ..Self::default()
        }
    }

    /// Maps the owners of files by the user namespace `mapping`.
    pub(crate) fn mapped_by(mapping: BorrowedFd<'_>) -> Self {
        Self {
            set: libc::MOUNT_ATTR_IDMAP,
            userns: u64::try_from(mapping.as_raw_fd()).expect("descriptors are not negative"),
            ..Self::default()
        }
    }
}

/// Changes the attributes of the mount that `mount` is the root of, and of those below it when `recursive`.
pub(crate) fn mount_setattr(
    mount: impl AsFd,
    recursive: bool,
    attributes: &MountAttributes,
) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a constant C string, the attributes are a live `struct mount_attr` of the size given, the descriptor is borrowed for the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            size_of::<MountAttributes>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Makes files that this thread creates belong to `uid` and `gid`, and checks its access to files as that user.
pub(crate) fn set_file_ids(uid: u32, gid: u32) {
    // SAFETY: changes credentials only. It returns the old id and never fails as such; a caller without the right simply keeps its ids, and the file it
    // creates next belongs to it, which is seen by its owner.
    unsafe { libc::setfsgid(gid) };
    // SAFETY: as above. The group goes first because changing the user may take the capability to do so.
    unsafe { libc::setfsuid(uid) };
}

/// Has every descriptor from `first` on closed at `exec`.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: marks descriptors only; no owner loses one before `exec` ends all owners.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Closes every descriptor but the standard input, whoever owns it. For a process that is done with all that it was given.
pub(crate) fn close_all_but_stdin() -> io::Result<()> {
    // SAFETY: owners in this process are left with closed descriptors, which none of them uses again: the caller never returns to them.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 1u32, u32::MAX, 0u32) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Applies a filter of system calls to this thread, for good, and returns the descriptor that tells of the calls which it hands over.
pub(crate) fn filter_with_listener(program: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the program is live and of the length given; the kernel copies and checks it, and writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            std::ptr::from_ref(&program),
        )
    };
    let descriptor = i32::try_from(result).map_err(|_| io::ErrorKind::InvalidData)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made the descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// A system call that a filter handed over.
pub(crate) struct Asked {
    pub(crate) id: u64,
    /// The process that waits, as the listener's pid namespace numbers it.
    pub(crate) process: u32,
    pub(crate) call: i64,
    pub(crate) arguments: [u64; 4],
}

/// `_IOWR('!', 0, struct seccomp_notif)`, `_IOWR('!', 1, struct seccomp_notif_resp)`, `_IOW('!', 2, __u64)`.
const NOTIF_RECV: u64 = 0xc050_2100;
const NOTIF_SEND: u64 = 0xc018_2101;
const NOTIF_ID_VALID: u64 = 0x4008_2102;

fn notif<T>(listener: BorrowedFd<'_>, request: u64, argument: *mut T) -> io::Result<()> {
    #[expect(
        clippy::useless_conversion,
        reason = "the type of requests differs between C libraries"
    )]
    let request = request.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: each caller below passes a live value of the type that its request is for, whose size is part of the request's number.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), request, argument) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Waits for the next call.
pub(crate) fn next_asked(listener: BorrowedFd<'_>) -> io::Result<Asked> {
    // SAFETY: `seccomp_notif` is plain data for which zero is a value, and the kernel wants it zeroed.
    let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    notif(listener, NOTIF_RECV, &raw mut asked)?;
    let [first, second, third, fourth, ..] = asked.data.args;
    Ok(Asked {
        id: asked.id,
        process: asked.pid,
        call: asked.data.nr.into(),
        arguments: [first, second, third, fourth],
    })
}

/// Whether the process of the call still waits.
pub(crate) fn still_asked(listener: BorrowedFd<'_>, mut id: u64) -> io::Result<()> {
    notif(listener, NOTIF_ID_VALID, &raw mut id)
}

/// Has the call return zero, or fail with an error number.
pub(crate) fn answer_asked(listener: BorrowedFd<'_>, id: u64, outcome: Result<(), i32>) -> io::Result<()> {
    let mut answer = libc::seccomp_notif_resp {
        id,
        val: 0,
        error: outcome.err().map_or(0, |errno| -errno),
        flags: 0,
    };
    notif(listener, NOTIF_SEND, &raw mut answer)
}

/// Gives every signal its default disposition and blocks none. Rust's runtime ignores `SIGPIPE`, and what started us may have ignored others.
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: `SIG_DFL` is no function of ours; numbers that do not exist, and those the C library keeps for itself, fail with EINVAL.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: `sigset_t` is plain data for which zero is a value; `sigemptyset` gives it its meaning.
    let mut none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is a live local.
    unsafe { libc::sigemptyset(&raw mut none) };
    // SAFETY: the set is initialised; the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}

/// Sets the name of this process as `ps` shows it.
pub(crate) fn set_name(name: &CStr) {
    rustix::thread::set_name(name).ok(); // cosmetic
}

/// Where `on_resize` writes; -1 is nowhere.
static RESIZED: AtomicI32 = AtomicI32::new(-1);

/// Tells by a byte on a descriptor that the host's terminal changed its size, while it lives.
#[derive(Debug)]
pub(crate) struct ResizeWatch {
    before: libc::sigaction,
}

impl ResizeWatch {
    /// Catches `SIGWINCH` for the whole process; `wakes` is written to without blocking and must outlive the watch.
    pub(crate) fn start(wakes: BorrowedFd<'_>) -> io::Result<Self> {
        RESIZED.store(wakes.as_raw_fd(), Ordering::SeqCst);
        // SAFETY: `sigaction` is plain data for which zero is a value (no flags, empty mask, default disposition).
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_resize as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: as above.
        let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: both are live locals; the function installed calls nothing but `write(2)`, which is async-signal-safe.
        let result = unsafe { libc::sigaction(libc::SIGWINCH, &raw const action, &raw mut before) };
        if result == 0 {
            Ok(Self { before })
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for ResizeWatch {
    fn drop(&mut self) {
        // SAFETY: puts back what `sigaction` itself returned.
        unsafe { libc::sigaction(libc::SIGWINCH, &raw const self.before, std::ptr::null_mut()) };
        RESIZED.store(-1, Ordering::SeqCst);
    }
}

extern "C" fn on_resize(_signal: libc::c_int) {
    let descriptor = RESIZED.load(Ordering::SeqCst);
    if descriptor < 0 {
        return;
    }
    // SAFETY: returns the address of this thread's `errno`, which lives as long as the thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above. What we interrupted must find `errno` as it was.
    let before = unsafe { errno.read() };
    // SAFETY: one byte of a constant; the descriptor may be stale only between the two lines of `drop`, and then the byte is lost or EBADF.
    unsafe { libc::write(descriptor, c"w".as_ptr().cast(), 1) };
    // SAFETY: as for the reading.
    unsafe { errno.write(before) };
}
